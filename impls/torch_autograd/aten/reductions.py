"""Sums, means, extremes and the like along axes, and what is chosen from a sorted axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from impls.captured import Rule
from impls.hand.operations import reductions
from impls.torch_autograd.aten.table import Arguments, row


@row("sum", "sum.dim_IntList")
def _(a: Arguments) -> Rule | None:
    return _reduced(a, reductions.Sum)


@row("mean", "mean.dim")
def _(a: Arguments) -> Rule | None:
    return _reduced(a, reductions.Mean)


def _reduced(a: Arguments, layer: Callable[..., Any]) -> Rule | None:
    if getattr(a, "dtype", None) not in (None, a.value_of("self").dtype):
        return None
    axes = getattr(a, "dim", None) or None
    return Rule(layer=layer(axes, getattr(a, "keepdim", False)), reads={"x": a.self})


@row("amax", "amin")
def _(a: Arguments) -> Rule:
    return Rule(layer=_extreme(a)(a.dim or None, a.keepdim), reads={"x": a.self})


def _extreme(a: Arguments) -> type[reductions.Max]:
    return reductions.Min if "min" in a.name else reductions.Max


@row("max.dim", "min.dim")
def _(a: Arguments) -> Rule:
    return Rule(layer=_extreme(a)([a.dim], a.keepdim, first=True), reads={"x": a.self})


@row("max", "min")
def _(a: Arguments) -> Rule:
    return Rule(layer=_extreme(a)(None), reads={"x": a.self})


@row("logsumexp")
def _(a: Arguments) -> Rule:
    return Rule(layer=reductions.LogSumExp(a.dim or None, a.keepdim), reads={"x": a.self})


@row("var.correction")
def _(a: Arguments) -> Rule | None:
    correction = 1 if a.correction is None else a.correction
    return Rule(layer=reductions.Variance(a.dim or None, correction, a.keepdim), reads={"x": a.self})


@row("cumsum")
def _(a: Arguments) -> Rule:
    return Rule(layer=reductions.CumulativeSum(a.axis_of("self", a.dim)), reads={"x": a.self})
