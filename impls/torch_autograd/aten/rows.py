"""Softmax, normalisations, attention; losses."""

from __future__ import annotations

import math

import numpy as np

from impls.captured import Rule
from impls.hand.layers.batch_norm import BatchNorm, BatchNormEvaluation
from impls.hand.layers.group_norm import GroupNorm
from impls.hand.operations import losses, rows
from impls.torch_autograd.arrays import array_of
from impls.torch_autograd.aten.table import Arguments, row


@row("_softmax")
def _(a: Arguments) -> Rule | None:
    return None if a.half_to_float else Rule(layer=rows.Softmax(a.last_or("self", a.dim)), reads={"z": a.self})


@row("_log_softmax")
def _(a: Arguments) -> Rule | None:
    return None if a.half_to_float else Rule(layer=rows.LogSoftmax(a.last_or("self", a.dim)), reads={"z": a.self})


@row("native_layer_norm")
def _(a: Arguments) -> Rule:
    shape = tuple(a.normalized_shape)
    g = np.ones(shape) if a.weight is None else a.weight
    b = np.zeros(shape) if a.bias is None else a.bias
    return Rule(layer=rows.LayerNorm(len(shape), a.eps), reads={"x": a.input, "g": g, "b": b})


@row("native_group_norm")
def _(a: Arguments) -> Rule | None:
    if a.weight is None or a.bias is None:
        return None
    return Rule(layer=GroupNorm(a.group, a.C, a.eps), reads={"x": a.input, "g": a.weight, "b": a.bias})


@row("native_batch_norm", "_native_batch_norm_legit")
def _(a: Arguments) -> Rule | None:
    if a.weight is None or a.bias is None:
        return None
    channels = a.shape_of("input")[1]
    reads = {"x": a.input, "g": a.weight, "b": a.bias}
    if a.training:
        return Rule(layer=BatchNorm(channels, a.eps), reads=reads)
    kept = {"running_mean": a.running_mean, "running_var": a.running_var}
    return Rule(layer=BatchNormEvaluation(channels, a.eps), reads=reads | kept)


MOST_KEYS = 512
"""That one block of the attention kernel takes; of several it scales the sums of the earlier ones again."""


@row("_scaled_dot_product_flash_attention_for_cpu")
def _(a: Arguments) -> Rule | None:
    if a.dropout_p or a.shape_of("key")[-2] > MOST_KEYS:
        return None
    scale = 1 / math.sqrt(a.shape_of("query")[-1]) if a.scale is None else a.scale
    mask = seen = None
    if a.attn_mask is not None:
        if a.value_of("attn_mask").requires_grad:
            return None
        given = array_of(a.value_of("attn_mask"))
        seen = given if given.dtype == bool else given > -np.inf
        mask = None if given.dtype == bool else np.where(seen, given, 0.0).astype(np.float64)
    layer = rows.Attention(float(scale), a.is_causal, mask, seen)
    return Rule(layer=layer, reads={"q": a.query, "k": a.key, "v": a.value})


REDUCTIONS = ("none", "mean", "sum")


@row("nll_loss_forward", "nll_loss2d_forward")
def _(a: Arguments) -> Rule:
    weights = None if a.weight is None else array_of(a.value_of("weight"))
    layer = losses.NegativeLogLikelihood(REDUCTIONS[a.reduction], a.ignore_index, weights)
    return Rule(layer=layer, reads={"x": a.self, "y": a.target})


@row("mse_loss")
def _(a: Arguments) -> Rule:
    return Rule(layer=losses.SquaredError(REDUCTIONS[a.reduction]), reads={"a": a.self, "y": a.target})


@row("binary_cross_entropy_with_logits")
def _(a: Arguments) -> Rule | None:
    if a.weight is not None or a.pos_weight is not None:
        return None
    return Rule(layer=losses.LogitCrossEntropy(REDUCTIONS[a.reduction]), reads={"a": a.self, "y": a.target})
