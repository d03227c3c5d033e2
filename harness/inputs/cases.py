"""Cases: the points at which an operation is checked, drawn so that no mistake can hide in a special value.

    ordinary           random values of no special value
    positive, negative ordinary sizes, one sign
    saturated          far out on both sides, where sigmoids are flat and exponentials large
    kinks              on and just beside -6, -3, -1, -1/2, 0, ..., where piecewise functions have their kinks
    small, large range magnitudes from 2^-30 to 2^-3, and from 2^-10 to 2^10
    far out            magnitudes from 30 to 1000, where exponentials overflow
    ties               two values, each at least twice along every axis, and equal rows
    ends               on and near the ends of an interval, where inputs have one
    zeros in the upstream, upstream of ones
    other sizes, ...   ordinary, the letters of other sizes, see `harness.inputs.sizes`
    repeated indices   all indices one of two

Arrays that the user gives stay what they are in the case ``given``, and are varied by up to a half in another. Where an
input has an interval, all numbers are in it. Upstream gradients are random and different in every entry but where a
case says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from harness.inputs.calls import Settings
from harness.inputs.declared import Indices, Input, Reals
from harness.inputs.draws import DRAWS, draw, repeated
from harness.inputs.signature import Signature
from harness.inputs.sizes import all_sizes, letters_of, sizes_of
from harness.usage import UsageError
from impls.contract import Array

SEEDED = 8
"""What draws other sizes begins after so many of these."""
ZEROS, ONES = "zeros in the upstream", "upstream of ones"
ENDS, GIVEN, VARIED, REPEATED = "ends", "given", "varied", "repeated indices"
WITH_EVERY_OPTION = ("ordinary", "kinks", "other sizes", GIVEN, VARIED)
"""Cases that are drawn for further values of the options too."""


@dataclass(frozen=True)
class Case:
    """One point: tensors by name, an upstream gradient if one was given.

    Attributes:
        inputs: by name, in the order of forward's parameters.
        upstream: of each output that has one, one after the other; or what is done to a random one.
        settings: of arguments that are no tensors.
        may_fail: whether the reference may refuse these sizes or numbers; then the case is not tried.
    """

    name: str
    inputs: Mapping[str, Array]
    upstream: Array | None = None
    settings: Settings = field(default_factory=dict)
    may_fail: bool = False


def called(name: str) -> str:
    """What a case is called in a sentence: ``case kinks``, ``your case 1``."""
    return name if name.startswith("your ") else f"case {name}"


def drawn(inputs: Mapping[str, Input], dtype: str, seed: int) -> list[Case]:
    """Every case that follows from what the inputs are said to be."""
    if all(isinstance(value, np.ndarray) for value in inputs.values()):
        given: dict[str, Array] = {name: np.asarray(value) for name, value in inputs.items()}
        varied = _varied(given, np.random.default_rng([seed, 0]))
        return [Case(GIVEN, given), Case(VARIED, varied), Case(ZEROS, varied), Case(ONES, varied)]
    sizes, interval = sizes_of(inputs), any(isinstance(value, Reals) for value in inputs.values())
    draws = DRAWS | ({ENDS: DRAWS["ordinary"]} if interval else {})
    cases = [
        Case(
            name, draw(inputs, sizes, how, dtype, np.random.default_rng([seed, number]), ends=name == ENDS),
            may_fail=number > 0,
        )
        for number, (name, how) in enumerate(draws.items())
    ]  # fmt: skip
    rng = np.random.default_rng([seed, SEEDED, 0])
    for name, others in all_sizes(inputs).items():
        cases.append(Case(name, draw(inputs, others, DRAWS["ordinary"], dtype, rng), may_fail=True))
    if any(isinstance(value, Indices) for value in inputs.values()):
        few = draw(inputs, sizes, DRAWS["ordinary"], dtype, rng)
        whole = [name for name, value in inputs.items() if isinstance(value, Indices)]
        few |= {name: rng.choice(few[name].flat[:2], few[name].shape) for name in whole}
        cases.append(Case(REPEATED, few, may_fail=True))  # of labels, all may be ignored
    return [*cases, *(Case(name, draw(inputs, sizes, DRAWS["ordinary"], dtype, rng)) for name in (ZEROS, ONES))]


def with_options(cases: Sequence[Case], signature: Signature) -> list[Case]:
    """Every case with the first values of the options, then some of them with the others."""
    first, *others = signature.settings()
    found = [replace(case, settings=first) for case in cases]
    for settings in others:
        changed = ", ".join(f"{name}={value!r}" for name, value in settings.items() if value is not first[name])
        found += [
            replace(case, name=f"{case.name}, {changed}", settings=settings)
            for case in cases
            if case.name in WITH_EVERY_OPTION
        ]
    return found


def why_untried(inputs: Mapping[str, Input]) -> dict[str, str]:
    """Cases that cannot be drawn for these inputs, each with the reason."""
    arrays = [name for name, value in inputs.items() if isinstance(value, np.ndarray)]
    if len(arrays) == len(inputs):
        are = "are arrays" if len(arrays) > 1 else "is an array"
        return {"other numbers and sizes": f"{', '.join(arrays)} {are}; with shapes they are drawn"}
    return {} if letters_of(inputs) else {"other sizes": "every size is a number; letters are drawn"}


def users(cases: Sequence[Any], signature: Signature, dtype: str) -> list[Case]:
    """The user's own cases.

    Raises:
        UsageError: one is no dictionary of arrays with the names of the inputs.
    """
    found = []
    names = [name for name in signature.arguments if name not in signature.options]
    for number, case in enumerate(cases, 1):
        if not isinstance(case, Mapping) or set(case) - set(signature.options) != set(names):
            told = sorted(case) if isinstance(case, Mapping) else case
            raise UsageError(
                f"Cannot use cases[{number - 1}] = {told!r}, because it does not name the inputs {', '.join(names)}; "
                f"give a dictionary of arrays with just these names."
            )
        inputs, settings = signature.given(case, dtype)
        found.append(Case(f"your case {number}", inputs, settings=settings))
    return found


def random_upstream(shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> Array:
    """Multiples of 2^-12 up to 4, none of them 0: the sum of two of them is exact in every dtype."""
    numbers = rng.integers(1, 2**14, shape) * rng.choice([-1, 1], shape)
    return np.asarray(numbers * 2.0**-12, dtype)


def upstream_of(case: Case, shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> Array:
    """The case's own upstream, or a random one as the case has it.

    Raises:
        UsageError: its own does not fit the output.
    """
    if case.upstream is not None:
        if case.upstream.shape != shape:
            raise UsageError(
                f"Cannot use an upstream of shape {case.upstream.shape}, because the output has shape {shape}; give an "
                f"array of that shape, with arrays or whole numbers as inputs so that it is fixed."
            )
        return case.upstream.astype(dtype)
    drawn = random_upstream(shape, dtype, rng)
    if case.name == ZEROS and drawn.size > 1:
        drawn[rng.permutation(drawn.size).reshape(shape) % 3 == 0] = 0
    return np.ones_like(drawn) if case.name == ONES else drawn


def _varied(given: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Every number by a factor of its own from 1/2 to 3/2, so that signs stay; zeros all over become numbers too."""
    varied = {}
    for name, array in given.items():
        if array.dtype.kind == "b":
            varied[name] = array
        elif array.dtype.kind == "i":
            varied[name] = repeated(array.copy())
        elif array.any():
            varied[name] = np.asarray(array * rng.uniform(0.5, 1.5, array.shape)).astype(array.dtype)
        else:
            varied[name] = np.asarray(rng.uniform(-0.5, 0.5, array.shape)).astype(array.dtype)
    return varied
