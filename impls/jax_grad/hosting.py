"""Functions on JAX arrays: run, and differentiated by jax.vjp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
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

    def brings_backward(self, function: Any) -> bool:
        """Functions made by jax.custom_vjp."""
        return isinstance(function, jax.custom_vjp)

    def pair(self, function: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """By jax.vjp, which takes the rule of a jax.custom_vjp function where there is one."""

        def backward(upstream: Any, *inputs: Any) -> tuple[Any, ...]:
            return tuple(_differentiated(function, upstream, inputs)[1])

        return function, backward


def _differentiated(function: Callable[..., Any], upstream: Any, inputs: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The output, and the gradient for each input, None for whole numbers."""
    output, pull = jax.vjp(function, *inputs)
    gradients = pull(jnp.ones_like(output) if upstream is None else upstream)
    return output, [None if gradient.dtype == jax.dtypes.float0 else gradient for gradient in gradients]
