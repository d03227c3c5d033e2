"""Functions on JAX arrays: run, and differentiated by jax.vjp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from impls.contract import Array


class JaxHosting:
    """What `JaxGrad` has besides: see `impls.abilities.Hosts`."""

    package = "jax"
    dtype: str

    def owns(self, value: Any) -> bool:
        """JAX arrays, traced ones too."""
        return isinstance(value, jax.Array)

    def give(self, array: Array) -> jax.Array:
        """A copy on the default device; whole numbers are int32 unless float64 mode is on, as JAX has them."""
        array = np.asarray(array)
        with jax.enable_x64(array.dtype == np.float64 or self.dtype == "float64"):
            # JAX warns where it narrows; that it does is its own convention.
            known = array.astype(jax.dtypes.canonicalize_dtype(array.dtype))
            return jnp.array(known, copy=True)

    def take(self, own: Any) -> Array:
        """A copy."""
        return np.array(own)

    def running(self) -> AbstractContextManager[Any]:
        """Float64 mode, on or off as the dtype needs it."""
        return jax.enable_x64(self.dtype == "float64")

    def vjp(
        self, function: Callable[..., Any], inputs: Sequence[Array], upstream: Array | None
    ) -> tuple[Array, list[Array | None]]:
        """By jax.vjp, not compiled as a whole."""
        with self.running():
            output, gradients = _differentiated(
                function, None if upstream is None else self.give(upstream), [self.give(array) for array in inputs]
            )
            return self.take(output), [None if g is None else self.take(g) for g in gradients]

    def perturbed(
        self,
        function: Callable[..., Any],
        inputs: Sequence[Array],
        upstream: Array,
        change: Callable[[Array], Array],
    ) -> tuple[Array, list[Array | None]]:
        """By evaluating the jaxpr of both passes equation by equation; a loop is one operation."""
        with self.running():
            given, dy = [self.give(array) for array in inputs], self.give(upstream)
            traced, shape = jax.make_jaxpr(partial(_differentiated, function, dy), return_shape=True)(given)
            results = _evaluated(traced.jaxpr, traced.consts, given, change)
            output, gradients = jax.tree.unflatten(jax.tree.structure(shape), results)
            return self.take(output), [None if g is None else self.take(g) for g in gradients]

    def brings_backward(self, function: Any) -> bool:
        """Functions made by jax.custom_vjp."""
        return isinstance(function, jax.custom_vjp)

    def pair(self, function: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """By jax.vjp, which takes the rule of a jax.custom_vjp function where there is one."""

        def backward(upstream: Any, *inputs: Any) -> tuple[Any, ...]:
            return tuple(_differentiated(function, upstream, inputs)[1])

        return function, backward


def _evaluated(
    jaxpr: Any, constants: Sequence[Any], inputs: Sequence[Any], change: Callable[[Array], Array]
) -> list[Any]:
    """The results of a jaxpr, the numbers that its equations compute changed."""
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *inputs], strict=True))

    def read(variable: Any) -> Any:
        return variable.val if hasattr(variable, "val") else known[variable]

    for equation in jaxpr.eqns:
        operands = [read(variable) for variable in equation.invars]
        inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
        if inner is not None and len(getattr(inner, "jaxpr", inner).invars) == len(operands) and _is_call(equation):
            results = _evaluated(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), operands, change)
        else:
            alone = jaxpr.replace(
                constvars=[v for v in equation.invars if not hasattr(v, "val")], invars=[], eqns=[equation],
                outvars=equation.outvars, debug_info=jaxpr.debug_info.with_unknown_names(),
            )  # fmt: skip
            given = [operand for v, operand in zip(equation.invars, operands, strict=True) if not hasattr(v, "val")]
            results = [_changed(result, operands, change) for result in jax.core.eval_jaxpr(alone, given)]
        known |= dict(zip(equation.outvars, results, strict=True))
    return [read(variable) for variable in jaxpr.outvars]


def _is_call(equation: Any) -> bool:
    """Whether an equation only calls what is inside it, once."""
    return any(word in equation.primitive.name for word in ("jit", "call", "remat", "checkpoint"))


def _changed(result: Any, operands: Sequence[Any], change: Callable[[Array], Array]) -> Any:
    read = [np.ravel(operand) for operand in operands if jnp.issubdtype(jnp.result_type(operand), jnp.floating)]
    if not read or not jnp.issubdtype(jnp.result_type(result), jnp.floating):
        return result
    computed = np.asarray(result)
    moved = np.isin(np.abs(computed), np.abs(np.concatenate(read)))
    return jnp.asarray(np.where(moved, computed, change(computed)), computed.dtype)


def _differentiated(function: Callable[..., Any], upstream: Any, inputs: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The output, and the gradient for each input, None for whole numbers."""
    output, pull = jax.vjp(function, *inputs)
    gradients = pull(jnp.ones_like(output) if upstream is None else upstream)
    return output, [None if gradient.dtype == jax.dtypes.float0 else gradient for gradient in gradients]
