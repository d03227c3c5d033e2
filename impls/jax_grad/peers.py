"""JAX's own check of gradients at its defaults: check_grads of a custom_vjp function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from impls.abilities import GradientChecker
from impls.contract import Array, Arrays


class Candidate:
    """A custom_vjp function that calls back to the passes that it holds now, so that JAX compiles it once only.

    Attributes:
        loss, gradient: the forward and the backward pass.
    """

    def __init__(self, shapes: dict[str, Any], dtype: Any) -> None:
        self.loss: Callable[[Arrays], Array] = lambda _: np.zeros((), dtype)
        self.gradient: Callable[[Arrays], Arrays] = lambda _: {}
        scalar = jax.ShapeDtypeStruct((), dtype)

        def losses(w: Any) -> Any:
            return np.asarray(self.loss(_arrays(w)), dtype)

        def gradients(w: Any) -> Any:
            return dict(self.gradient(_arrays(w)))

        @jax.custom_vjp
        def function(w: Any) -> Any:
            return jax.pure_callback(losses, scalar, w)

        def forward(w: Any) -> Any:
            return function(w), w

        def backward(w: Any, upstream: Any) -> Any:
            given = jax.pure_callback(gradients, shapes, w)
            return ({name: upstream * given[name] for name in w},)

        function.defvjp(forward, backward)
        self.function = function


CANDIDATES: dict[tuple[Any, ...], Candidate] = {}
"""By the dtype, names and shapes of the weights."""


def check_grads(loss: Callable[[Arrays], Array], gradient: Callable[[Arrays], Arrays], weights: Arrays) -> bool:
    """Whether jax.test_util.check_grads accepts a custom_vjp function of this forward and this backward pass.

    Such a function has no forward mode, so that modes must be ("rev",); both passes are called back.
    """
    from jax import test_util  # loaded only where it is asked for

    (dtype,) = {w.dtype for w in weights.values()}
    key = (dtype, *((name, w.shape) for name, w in weights.items()))
    with _everywhere(dtype == np.float64):
        if key not in CANDIDATES:
            shapes = {name: jax.ShapeDtypeStruct(w.shape, dtype) for name, w in weights.items()}
            CANDIDATES[key] = Candidate(shapes, dtype)
        candidate = CANDIDATES[key]
        candidate.loss, candidate.gradient = loss, gradient
        try:
            test_util.check_grads(candidate.function, (dict(weights),), order=1, modes=("rev",))
        except AssertionError:
            return False
    return True


@contextmanager
def _everywhere(double: bool) -> Iterator[None]:
    """Float64 mode for every thread: where a program is large, JAX calls back on one of its own."""
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", double)
    try:
        with jax.enable_x64(double):
            yield
    finally:
        jax.config.update("jax_enable_x64", before)


def _arrays(w: Any) -> dict[str, Array]:
    return {name: np.array(array) for name, array in w.items()}


GRADIENT_CHECKERS = {
    "check_grads": GradientChecker(
        'jax.test_util.check_grads(f, weights, order=1, modes=("rev",)), f a custom_vjp function of the hand code\'s '
        "two passes",
        ("float32", "float64"),
        lambda _: 4,  # a central difference along one direction
        check_grads,
    )
}
