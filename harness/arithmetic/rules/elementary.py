"""Rules of the elementary functions: how far f can carry its argument's bound, plus the table's error.

    exp        e^V expm1(E)
    tanh       E sech^2 at the point of [V - E, V + E] nearest to 0, where the slope is largest
    sigmoid    E s(1 - s) at that point, or s expm1(E) if smaller (the logarithm of s has slope below 1)
    expm1      e^V expm1(E), since its slope is that of exp
    log        -log1p(-E/V); unbounded where the argument may reach 0
    log1p      as log of 1 + V
    sin, cos   E, or E (|slope| + E/2) if smaller: the second derivative is at most 1
    sqrt       E / max(sqrt V + sqrt max(V - E, 0), sqrt E)

plus constant u |f| + eta, constants per function and dtype from constants.toml, and of the sigmoid 1/largest, since
1 / (1 + exp(-z)) is 0 where exp(-z) overflows, which below float32 is more than eta. The centre is itself
computed by a library function, so the float64 constant is charged on top, in units of 2^-53.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import Bounded, Floats, rule_for
from harness.arithmetic.loops import where
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, profile_of
from impls.hand.activations.sigmoidal import sigmoid

_SLACK = 1 + 64 * UNIT_ROUNDOFF_64
"""Covers the library functions that a rule's own propagation uses (a few ulp each)."""


def _elementary(
    x: Bounded, name: str, value: Floats, propagated: Callable[[], Floats], underflows: float = 1.0
) -> Bounded:
    """`propagated` is asked for where there is a bound to propagate."""
    p = x.context.profile
    besides: Any = p.besides.get(name, 0.0) * p.u
    if not x.known:
        besides = propagated() * _SLACK + besides
    centre = profile_of("float64").constants[name]
    return x.context.rounded(value, besides, p.constants[name], centre=centre, underflows=underflows)


@rule_for(np.exp)
def exp(x: Bounded) -> Bounded:
    value = np.exp(x.value)
    return _elementary(x, "exp", value, lambda: value * np.expm1(x.bound))


@rule_for(np.expm1)
def expm1(x: Bounded) -> Bounded:
    return _elementary(x, "expm1", np.expm1(x.value), lambda: np.exp(x.value) * np.expm1(x.bound))


def _nearest_to_zero(x: Bounded) -> Floats:
    return np.maximum(np.abs(x.value) - x.bound, 0.0)


@rule_for(np.tanh)
def tanh(x: Bounded) -> Bounded:
    def propagated() -> Floats:
        steepest = np.tanh(_nearest_to_zero(x))
        return np.minimum(1.0, (1 - steepest) * (1 + steepest) + 32 * UNIT_ROUNDOFF_64) * x.bound

    return _elementary(x, "tanh", np.tanh(x.value), propagated)


@rule_for(sigmoid)
def sigmoid_(x: Bounded) -> Bounded:
    value = sigmoid.body(x.value)  # type: ignore[attr-defined]

    def propagated() -> Floats:
        tail = np.exp(-_nearest_to_zero(x))
        # s(1 - s) = e^-|t| / (1 + e^-|t|)^2
        slope = tail / np.square(1 + tail)
        return np.minimum(slope * x.bound, value * np.expm1(x.bound))

    return _elementary(x, "sigmoid", value, propagated, x.context.profile.lost_reciprocal)


@rule_for(np.log)
def log(x: Bounded) -> Bounded:
    return _elementary(x, "log", np.log(x.value), lambda: _moved_logarithm(x.bound / x.value))


def _moved_logarithm(share: Floats) -> Floats:
    return np.where((share >= 0) & (share < 1), -np.log1p(-share), np.inf)


@rule_for(np.log1p)
def log1p(x: Bounded) -> Bounded:
    return _elementary(x, "log1p", np.log1p(x.value), lambda: _moved_logarithm(x.bound / (1 + x.value)))


@rule_for(np.sin)
def sin(x: Bounded) -> Bounded:
    return _wave(x, "sin", np.sin, np.cos)


@rule_for(np.cos)
def cos(x: Bounded) -> Bounded:
    return _wave(x, "cos", np.cos, np.sin)


def _wave(x: Bounded, name: str, function: np.ufunc, slope: np.ufunc) -> Bounded:
    def propagated() -> Floats:
        return np.minimum(1.0, np.abs(slope(x.value)) + x.bound / 2) * x.bound

    return _elementary(x, name, function(x.value), propagated)


@rule_for(np.sqrt)
def sqrt(x: Bounded) -> Bounded:
    value = np.sqrt(x.value)
    return _elementary(x, "sqrt", value, lambda: in_blocks(_propagated_by_root, value, x.value, x.bound))


def _propagated_by_root(value: Any, x: Any, x_bound: Any) -> Any:
    low = np.sqrt(np.maximum(x - x_bound, 0.0))
    return where(x_bound > 0, x_bound / np.maximum(value + low, np.sqrt(x_bound)), 0.0)
