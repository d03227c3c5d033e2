"""Cases: the points at which an operation is checked, drawn so that no mistake can hide in a special value.

    ordinary           random values of no special value
    positive, negative ordinary sizes, one sign
    saturated          far out on both sides, where sigmoids are flat and exponentials large
    kinks              on and just beside -6, -3, -1, -1/2, 0, ..., where piecewise functions have their kinks
    small, large range magnitudes from 2^-30 to 2^-3, and from 2^-10 to 2^10
    ties               two values, each at least twice along every axis, and equal rows
    other sizes        ordinary, every letter another size
    many rows          ordinary, every letter an even size, 64 for the first
    repeated indices   all indices one of two

Arrays that the user gives stay what they are in the case ``given``, and are varied by up to a half in another.
Upstream gradients are random and different in every entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.inputs.declared import OTHER_SIZES, Indices, Input, Probabilities, letters_of, shape_of, sizes_of
from harness.inputs.frameworks import as_arrays
from harness.usage import UsageError
from impls.contract import Array

Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

KINKS = np.array([-6, -3, -1, -0.5, 0, 0.5, 1, 3, 6])
BESIDE = 2.0**-20
"""Held by float32 beside each of them."""


def _signs(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.choice([-1.0, 1.0], shape)


def _tied(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Neighbours are the same in pairs, along every axis, so that what is chosen by size is tied whatever is drawn."""
    return rng.normal(size=2)[(np.indices(shape) // 2).sum(axis=0) % 2]


DRAWS: dict[str, Draw] = {
    "ordinary": lambda rng, shape: rng.normal(size=shape),
    "positive": lambda rng, shape: np.abs(rng.normal(size=shape)) + BESIDE,
    "negative": lambda rng, shape: -np.abs(rng.normal(size=shape)) - BESIDE,
    "saturated": lambda rng, shape: _signs(rng, shape) * rng.uniform(4, 30, shape),
    "kinks": lambda rng, shape: rng.choice(KINKS, shape) + BESIDE * rng.integers(-1, 2, shape),
    "small": lambda rng, shape: _signs(rng, shape) * 2.0 ** -rng.uniform(3, 30, shape),
    "large range": lambda rng, shape: _signs(rng, shape) * 2.0 ** rng.uniform(-10, 10, shape),
    "ties": _tied,
}


@dataclass(frozen=True)
class Case:
    """One point: inputs by name, in the order of forward's parameters, and an upstream gradient if one was given."""

    name: str
    inputs: Mapping[str, Array]
    upstream: Array | None = None


def called(name: str) -> str:
    """What a case is called in a sentence: ``case kinks``, ``your case 1``."""
    return name if name.startswith("your ") else f"case {name}"


def drawn(inputs: Mapping[str, Input], dtype: str, seed: int) -> list[Case]:
    """Every case that follows from what the inputs are said to be."""
    if all(isinstance(value, np.ndarray) for value in inputs.values()):
        given: dict[str, Array] = {name: np.asarray(value) for name, value in inputs.items()}
        return [Case("given", given), Case("varied", _varied(given, np.random.default_rng([seed, 0])))]
    sizes = sizes_of(inputs)
    cases = [
        Case(name, _drawn(inputs, sizes, draw, dtype, np.random.default_rng([seed, number])))
        for number, (name, draw) in enumerate(DRAWS.items())
    ]
    rng = np.random.default_rng([seed, len(DRAWS)])
    if letters_of(inputs) and not any(isinstance(value, np.ndarray) for value in inputs.values()):
        for name, pool in OTHER_SIZES.items():
            cases.append(Case(name, _drawn(inputs, sizes_of(inputs, pool), DRAWS["ordinary"], dtype, rng)))
    if any(isinstance(value, Indices) for value in inputs.values()):
        few = _drawn(inputs, sizes, DRAWS["ordinary"], dtype, rng)
        few |= {name: rng.choice(few[name].flat[:2], few[name].shape) for name in few if _is_index(inputs[name])}
        cases.append(Case("repeated indices", few))
    return cases


def users(cases: Sequence[Any], names: Sequence[str], dtype: str) -> list[Case]:
    """The user's own cases.

    Raises:
        UsageError: one is no dictionary of arrays with the names of the inputs.
    """
    found = []
    for number, case in enumerate(cases, 1):
        if not isinstance(case, Mapping) or set(case) != set(names):
            told = sorted(case) if isinstance(case, Mapping) else case
            raise UsageError(
                f"Cannot use cases[{number - 1}] = {told!r}, because it does not name the inputs {', '.join(names)}; "
                f"give a dictionary of arrays with just these names."
            )
        arrays = as_arrays(case, dtype)
        found.append(Case(f"your case {number}", {name: arrays[name] for name in names}))
    return found


def random_upstream(shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> Array:
    """Multiples of 2^-12 up to 4, none of them 0: the sum of two of them is exact in every dtype."""
    numbers = rng.integers(1, 2**14, shape) * rng.choice([-1, 1], shape)
    return np.asarray(numbers * 2.0**-12, dtype)


def _drawn(
    inputs: Mapping[str, Input], sizes: Mapping[str, int], draw: Draw, dtype: str, rng: np.random.Generator
) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    for name, value in inputs.items():
        if isinstance(value, np.ndarray):
            arrays[name] = value
            continue
        shape = shape_of(value if isinstance(value, tuple) else value.shape, sizes)
        try:
            if isinstance(value, Indices):
                (below,) = shape_of((value.below,), sizes)
                arrays[name] = _repeated(rng.integers(0, below, shape))
            elif isinstance(value, Probabilities):
                arrays[name] = rng.uniform(0, 1, shape).astype(dtype)
            else:
                arrays[name] = np.asarray(draw(rng, shape)).astype(dtype)
        except (MemoryError, ValueError, OverflowError):  # NumPy's three answers to a size that is too large
            raise UsageError(
                f"Cannot draw the input {name!r} of shape {shape}, because there is no memory for it; give smaller "
                f"sizes, or letters."
            ) from None
    return arrays


def _is_index(value: Input) -> bool:
    return isinstance(value, Indices)


def _repeated(indices: Array) -> Array:
    """With the first two the same."""
    if indices.size > 1:
        indices.flat[1] = indices.flat[0]
    return indices


def _varied(given: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Every number by a factor of its own from 1/2 to 3/2, so that signs stay; zeros all over become numbers too."""
    varied = {}
    for name, array in given.items():
        if array.dtype.kind == "b":
            varied[name] = array
        elif array.dtype.kind == "i":
            varied[name] = _repeated(array.copy())
        elif array.any():
            varied[name] = (array * rng.uniform(0.5, 1.5, array.shape)).astype(array.dtype)
        else:
            varied[name] = rng.uniform(-0.5, 0.5, array.shape).astype(array.dtype)
    return varied
