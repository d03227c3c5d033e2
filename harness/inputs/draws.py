"""Draws: random arrays for what an operation's inputs are said to be, each way of drawing by the name of its case."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from harness.inputs.declared import Flags, Indices, Input, Probabilities, Reals, shape_in
from harness.inputs.sizes import shape_of
from harness.usage import UsageError
from impls.contract import Array

Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

KINKS = np.array([-6, -3, -1, -0.5, 0, 0.5, 1, 3, 6])
BESIDE = 2.0**-20
"""Held by float32 beside each of them."""
TIED = np.array([0.71484375, -1.26953125])
"""The only values where all are tied."""
FAR = 30.0
"""How far from its end an interval without another end is drawn from."""


def _signs(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.choice([-1.0, 1.0], shape)


def _tied(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Neighbours are the same in pairs, along every axis, so that what is chosen by size is tied whatever is drawn.

    Inputs tie with each other too: the last rows of all are the same, others by chance.
    """
    if not shape:
        return rng.choice(TIED, shape)
    turned = np.append(rng.integers(0, 2, (shape[0] - 1) // 2), 0)
    places = np.indices(shape) // 2
    return TIED[(places.sum(axis=0) + turned[places[0]]) % 2]


DRAWS: dict[str, Draw] = {
    "ordinary": lambda rng, shape: rng.normal(size=shape),
    "positive": lambda rng, shape: np.abs(rng.normal(size=shape)) + BESIDE,
    "negative": lambda rng, shape: -np.abs(rng.normal(size=shape)) - BESIDE,
    "saturated": lambda rng, shape: _signs(rng, shape) * rng.uniform(4, 30, shape),
    "kinks": lambda rng, shape: rng.choice(KINKS, shape) + BESIDE * rng.integers(-1, 2, shape),
    "small": lambda rng, shape: _signs(rng, shape) * 2.0 ** -rng.uniform(3, 30, shape),
    "large range": lambda rng, shape: _signs(rng, shape) * 2.0 ** rng.uniform(-10, 10, shape),
    "ties": _tied,
    "far out": lambda rng, shape: _signs(rng, shape) * rng.uniform(30, 1000, shape),
}


def draw(
    inputs: Mapping[str, Input],
    sizes: Mapping[str, int],
    how: Draw,
    dtype: str,
    rng: np.random.Generator,
    *,
    ends: bool = False,
) -> dict[str, Array]:
    """An array for each input, at these sizes; those that are given as they are.

    Args:
        how: real numbers are drawn.
        ends: whether they lie on the ends of an input's interval too.

    Raises:
        UsageError: there is no memory for one.
    """
    arrays: dict[str, Array] = {}
    for name, value in inputs.items():
        if isinstance(value, np.ndarray):
            arrays[name] = value
            continue
        shape = shape_of(shape_in(value), sizes)
        try:
            if isinstance(value, Indices):
                (below,) = shape_of((value.below,), sizes)
                arrays[name] = repeated(rng.integers(value.low, max(below, value.low + 1), shape))
            elif isinstance(value, Probabilities):
                arrays[name] = np.asarray(rng.uniform(0, 1, shape)).astype(dtype)
            elif isinstance(value, Flags):
                arrays[name] = np.asarray(rng.uniform(size=shape) < 0.5)
            else:
                arrays[name] = _inside(np.asarray(how(rng, shape)), value, dtype, rng, ends=ends)
        except (MemoryError, ValueError, OverflowError):  # NumPy's three answers to a size that is too large
            raise UsageError(
                f"Cannot draw the input {name!r} of shape {shape}, because there is no memory for it; give smaller "
                f"sizes, or letters."
            ) from None
    return arrays


def _inside(drawn: Array, value: Input, dtype: str, rng: np.random.Generator, *, ends: bool) -> Array:
    """Numbers of the dtype, those outside of the input's interval drawn anew inside; a third on its ends if `ends`."""
    if not isinstance(value, Reals):
        return drawn.astype(dtype)
    low = value.low if np.isfinite(value.low) else min(value.high, 0.0) - FAR
    high = value.high if np.isfinite(value.high) else max(value.low, 0.0) + FAR
    within = (drawn >= value.low) & (drawn <= value.high)
    share = rng.random(drawn.shape)
    drawn = np.where(within & (not ends), drawn, low * (1 - share) + high * share)  # high - low may overflow
    if ends:
        known = [end for end in (value.low, value.high) if np.isfinite(end)]
        drawn = np.where(rng.uniform(size=drawn.shape) < 1 / 3, rng.choice(known or [low], drawn.shape), drawn)
        drawn.flat[: len(known)] = known[: drawn.size]
    found = drawn.astype(dtype)
    found = np.where(found > value.high, np.nextafter(found, found.dtype.type(-np.inf)), found)
    return np.asarray(np.where(found < value.low, np.nextafter(found, found.dtype.type(np.inf)), found))


def repeated(indices: Array) -> Array:
    """With the first two the same."""
    if indices.size > 1:
        indices.flat[1] = indices.flat[0]
    return indices
