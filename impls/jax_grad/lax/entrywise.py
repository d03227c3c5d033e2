"""Primitives that compute entry by entry, and functions whose derivative JAX itself defines."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import numpy as np

from impls.captured import Place, Row, Rule
from impls.hand import activations
from impls.hand.layers import broadcasting, functions
from impls.hand.operations import (
    arithmetic,
    elementary,
)
from impls.jax_grad.lax.table import Arguments, row

for _name, _layer in {
    "add": broadcasting.Add, "add_any": broadcasting.Add, "sub": broadcasting.Subtract, "mul": broadcasting.Multiply,
    "div": broadcasting.Divide, "max": broadcasting.Maximum, "min": broadcasting.Minimum, "neg": arithmetic.Negative,
    "exp": functions.Exp, "log": functions.Log, "log1p": functions.Log1p, "expm1": elementary.Expm1,
    "sqrt": functions.Sqrt, "rsqrt": functions.Rsqrt, "abs": functions.Abs, "sin": functions.Sin,
    "cos": functions.Cos, "erf": functions.Erf, "tanh": activations.Tanh, "logistic": activations.Sigmoid,
    "clamp": elementary.Clamp,
}.items():  # fmt: skip
    row(_name)(lambda a, layer=_layer: a.reading(layer()))  # type: ignore[misc]


@row("square")
def _(_: Arguments) -> Rule:
    return Rule(layer=broadcasting.Multiply(), reads={"p": Place(0), "q": Place(0)})


MOST_FACTORS = 64
"""From where on a whole power is not multiplied out by hand."""


@row("integer_pow")
def _(a: Arguments) -> Rule | None:
    return a.reading(elementary.WholePower(a.y)) if 0 < abs(a.y) <= MOST_FACTORS else None


@row("pow")
def _(a: Arguments) -> Rule | None:
    base, exponent = a.operands
    if not a.asked[1] and exponent.size and np.unique(exponent).size == 1 and exponent.flat[0]:
        return Rule(layer=functions.Power(float(exponent.flat[0])), reads={"z": Place(0)})
    real = exponent.dtype.kind == "f" and bool((base > 0).all())
    return a.reading(broadcasting.Pow()) if real else None


@row("select_n")
def _(a: Arguments) -> Rule | None:
    if len(a.operands) != 3:
        return None
    return Rule(layer=arithmetic.Choose(), reads={"c": Place(0), "p": Place(2), "q": Place(1)})


def _softplus(a: Arguments) -> Rule | None:
    """log(exp(z) + exp(0)); of two numbers there is no hand rule."""
    alone = not a.asked[1] and a.operands[1].size == 1 and not a.operands[1].any()
    return Rule(layer=activations.Softplus(), reads={"z": Place(0)}) if alone else None


KNOWN: dict[str, tuple[Callable[..., Any], Row]] = {
    "relu": (jax.nn.relu, lambda _: Rule(layer=activations.Relu(), reads={"z": Place(0)})),
    "relu6": (
        jax.nn.relu6,
        lambda _: Rule(layer=elementary.Clamp(), reads={"low": 0.0, "x": Place(0), "high": 6.0}),
    ),
    "logaddexp": (jax.numpy.logaddexp, _softplus),
}
"""By name, and what makes the rule."""


@cache
def _forward_text(name: str, *kinds: tuple[tuple[int, ...], str]) -> str:
    """The forward pass of one of them on arrays of these kinds, as text."""
    function, _ = KNOWN[name]
    traced = jax.make_jaxpr(function)(*(jax.ShapeDtypeStruct(*kind) for kind in kinds))
    (call,) = (e for e in traced.jaxpr.eqns if e.primitive.name == "custom_jvp_call")
    return str(call.params["call_jaxpr"])


@row("custom_jvp_call")
def _(a: Arguments) -> Rule | None:
    """By hand where the forward pass is that of the function of this name, whose derivative is known then."""
    name = a.call_jaxpr.jaxpr.debug_info.func_name
    kinds = [(tuple(x.shape), str(x.dtype)) for x in a.operands]
    if name not in KNOWN or str(a.call_jaxpr) != _forward_text(name, *kinds):
        return None
    _, make = KNOWN[name]
    return make(a)
