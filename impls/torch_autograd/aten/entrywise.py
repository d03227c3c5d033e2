"""Entry by entry, of two operands or of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from impls.captured import Place, Rule
from impls.hand import activations
from impls.hand.layers import broadcasting, functions
from impls.hand.operations import arithmetic
from impls.torch_autograd.aten.table import Arguments, row


def _pair(names: str, make: Callable[[Arguments], Any]) -> None:
    @row(*names.split())
    def _(a: Arguments) -> Rule:
        return Rule(layer=make(a), reads={"p": a.self, "q": a.other})


_pair("add.Tensor add.Scalar", lambda a: broadcasting.Add() if a.alpha == 1 else arithmetic.AddTimes(a.alpha))
_pair("sub.Tensor sub.Scalar", lambda a: broadcasting.Subtract() if a.alpha == 1 else arithmetic.AddTimes(-a.alpha))
_pair("mul.Tensor mul.Scalar", lambda _: broadcasting.Multiply())
_pair("div.Tensor div.Scalar", lambda _: broadcasting.Divide())
_pair("maximum", lambda _: broadcasting.Maximum())
_pair("minimum", lambda _: broadcasting.Minimum())


@row("rsub.Scalar", "rsub.Tensor")
def _(a: Arguments) -> Rule | None:
    return Rule(layer=broadcasting.Subtract(), reads={"p": a.other, "q": a.self}) if a.alpha == 1 else None


@row("where.self")
def _(a: Arguments) -> Rule:
    return Rule(layer=arithmetic.Choose(), reads={"c": a.condition, "p": a.self, "q": a.other})


@row("masked_fill.Scalar", "masked_fill.Tensor")
def _(a: Arguments) -> Rule:
    value = a.value if isinstance(a.value, Place) else np.full((), a.value, float)
    return Rule(layer=arithmetic.Choose(), reads={"c": a.mask, "p": value, "q": a.self})


@row("pow.Tensor_Scalar")
def _(a: Arguments) -> Rule | None:
    return Rule(layer=functions.Power(float(a.exponent)), reads={"z": a.self}) if a.exponent else None


@row("pow.Tensor_Tensor")
def _(a: Arguments) -> Rule:
    return Rule(layer=broadcasting.Pow(), reads={"p": a.self, "q": a.exponent})


@row("reciprocal")
def _(a: Arguments) -> Rule:
    return Rule(layer=broadcasting.Divide(), reads={"p": 1.0, "q": a.self})


@row("neg")
def _(a: Arguments) -> Rule:
    return Rule(layer=arithmetic.Negative(), reads={"x": a.self})


@row("lerp.Tensor", "lerp.Scalar")
def _(a: Arguments) -> Rule:
    return Rule(layer=arithmetic.Between(), reads={"p": a.self, "q": a.end, "t": a.weight})


@row("addcmul")
def _(a: Arguments) -> Rule:
    layer = arithmetic.AddProduct(float(a.value))
    return Rule(layer=layer, reads={"s": a.self, "p": a.tensor1, "q": a.tensor2})


def _function(name: str, make: Callable[[Arguments], Any]) -> None:
    @row(name)
    def _(a: Arguments) -> Rule:
        return Rule(layer=make(a), reads={"z": a.self})


for _name, _layer in {
    "sigmoid": activations.Sigmoid, "tanh": activations.Tanh, "relu": activations.Relu, "silu": activations.Silu,
    "exp": functions.Exp, "log": functions.Log, "log1p": functions.Log1p, "sqrt": functions.Sqrt,
    "rsqrt": functions.Rsqrt, "abs": functions.Abs, "sin": functions.Sin, "cos": functions.Cos, "erf": functions.Erf,
    "hardsigmoid": activations.HardSigmoid,
}.items():  # fmt: skip
    _function(_name, lambda _, layer=_layer: layer())  # type: ignore[misc]
_function("gelu", lambda a: activations.GeluTanh() if a.approximate == "tanh" else activations.Gelu())
_function("leaky_relu", lambda a: activations.LeakyRelu(float(a.negative_slope)))


@row("elu")
def _(a: Arguments) -> Rule | None:
    usual = a.scale == 1 and a.input_scale == 1
    return Rule(layer=activations.Elu(float(a.alpha)), reads={"z": a.self}) if usual else None


@row("softplus")
def _(a: Arguments) -> Rule | None:
    usual = a.beta == 1 and a.threshold == 20
    return Rule(layer=activations.Softplus(20.0), reads={"z": a.self}) if usual else None


@row("clamp", "hardtanh", "clamp_min", "clamp_max")
def _(a: Arguments) -> Rule | None:
    ends = (getattr(a, "min", None), getattr(a, "max", None))
    low, high = ends if "hardtanh" not in a.name else (a.min_val, a.max_val)
    low, high = (-np.inf if low is None else low), (np.inf if high is None else high)
    if not all(isinstance(end, int | float) for end in (low, high)) or not low < high:
        return None
    return Rule(layer=arithmetic.Clamp(float(low), float(high)), reads={"z": a.self})
