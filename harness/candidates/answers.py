"""Answers: from what somebody's function returns to tensors of the network, by name.

A function may return any of dW1, db1, dz1, da1, ..., the forward tensors z1, a1, ... and the loss, in NumPy,
torch or JAX arrays; ``return locals()`` is fine. Of a graph the names are fc1.dW, fc1.dz, fc1.z. Names of weights,
inputs and targets are what the function was given, other names are ignored and listed. Shape and dtype are compared
before values, and nothing broadcasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from harness.candidates.conformance import shapes_of
from harness.comparison.judge import Finding, Kind
from harness.evaluation.point import Point
from harness.formats import DTYPES
from harness.usage import told, visible
from impls.contract import Array


@dataclass(frozen=True)
class Answer:
    """What one call gave.

    Attributes:
        shown: tensors of the network by name, in the right shape and dtype, in the order of the links.
        held: the arrays as they were returned, not copied.
        ignored: names that mean nothing here.
        findings: what is wrong with names, shapes and dtypes.
    """

    shown: dict[str, Array]
    held: dict[str, Any]
    ignored: list[str]
    findings: list[Finding]


def answer_of(returned: Any, point: Point, against: str, parameters: frozenset[str] = frozenset()) -> Answer:
    """Read what a function returned when it was called at a point.

    Args:
        returned: whatever it is.
        point: network, weights and batch; its dtype is the one expected.
        against: what findings call the function.
        parameters: names that ``locals()`` holds anyway, not worth listing.
    """
    shapes, findings = shapes_of(point.network, point.rows), list[Finding]()
    if not isinstance(returned, Mapping):
        what = "nothing" if returned is None else f"{_article(type(returned).__name__)}"
        message = f"returned {what} instead of a dictionary of gradients such as {_example(point)}"
        return Answer({}, {}, [], [Finding(against, 1, "not a pass", message)])
    try:
        named = {str(name): value for name, value in returned.items()}
    except Exception as error:  # a mapping of somebody's own
        message = f"returned a mapping that cannot be read: it raises {told(error)}"
        return Answer({}, {}, [], [Finding(against, 1, "not a pass", message)])
    # Of a gradient with several parts the parts are nobody's business.
    held = {name: named[name] for name in point.network.link if name in named and name in shapes}
    expected_too = {*held, *parameters, *point.named, "weights", "x", "y"}
    ignored = [visible(name) for name in named if name not in expected_too and not name.startswith("__")]
    shown, problems = {}, dict[tuple[Kind, str], list[str]]()
    for name, value in held.items():
        if value is None:
            continue
        array = as_array(value)
        if problem := _problem(value, array, shapes[name], point.dtype):
            problems.setdefault(problem, []).append(name)
        readable = _readable(array, shapes[name])
        if readable is not None:  # the values are judged all the same
            shown[name] = readable.astype(point.dtype)
    for (kind, what), names in problems.items():
        findings.append(Finding(against, 1, kind, f"returned {_few(names)} {what}", names[0]))
    if not held:
        got = f"only {', '.join(ignored[:6])}" if ignored else "an empty dictionary"
        message = f"returned {got}, none of which is a gradient of this network; return {_example(point)}, ..."
        findings.append(Finding(against, 1, "names", message))
    # Memory that was used again for a later tensor holds the later one's numbers under both names.
    for one, other in in_one_memory(held):
        if one in shown and other in shown and np.array_equal(shown[one], shown[other], equal_nan=True):
            del shown[one]
    return Answer(shown, held, ignored, findings)


def in_one_memory(held: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pairs of names whose arrays share memory, in the order of the names."""
    arrays = {name: array for name, value in held.items() if (array := as_array(value)) is not None and array.ndim}
    return [(one, other) for one, other in combinations(arrays, 2) if np.may_share_memory(arrays[one], arrays[other])]


def as_array(value: Any) -> Array | None:
    """A NumPy array of the same numbers, from NumPy, torch (detached, on the CPU), JAX or lists; None if it is none."""
    try:
        for method in ("detach", "cpu"):
            value = getattr(value, method, lambda value=value: value)()
    except Exception:  # a tensor without numbers has nothing to copy
        return None
    if isinstance(value, np.ma.MaskedArray):  # what is masked is no number
        return None
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    if not isinstance(value, int | float | list | tuple) and not hasattr(value, "__array__"):
        return None
    try:
        return np.asarray(value)
    except Exception:  # somebody else's class
        return None


def _problem(value: Any, array: Array | None, shape: tuple[int, ...], dtype: str) -> tuple[Kind, str] | None:
    """What is wrong with a tensor before its numbers are looked at, in words that follow its name."""
    if array is None or array.dtype.kind not in "fiub":
        of = f" of {value.dtype}" if hasattr(value, "dtype") else ""
        return "dtype", f"as {type(value).__name__}{of}, which cannot be read as an array of real numbers"
    if array.shape != shape:
        hint = ""
        if array.shape == shape[::-1] and len(shape) == 2:
            hint = "; that is the shape of its transpose: W has shape (n_in, n_out) here"
        elif array.size == int(np.prod(shape)):
            hint = "; as many numbers in another shape: nothing broadcasts here"
        return "shape", f"of shape {array.shape} instead of {shape}{hint}"
    if array.dtype != np.dtype(dtype) and not isinstance(value, int | float | list | tuple):
        return "dtype", f"as {array.dtype}, though it was given {dtype}"
    return None


def _readable(array: Array | None, shape: tuple[int, ...]) -> Array | None:
    """The numbers in the shape that they should have, where there is no doubt which number belongs where."""
    if array is None or array.dtype.name not in DTYPES:
        return None
    if array.shape == shape:
        return array
    if array.shape == shape[::-1] and len(shape) == 2:
        return array.T
    squeezed = tuple(size for size in shape if size != 1)
    return array.reshape(shape) if tuple(size for size in array.shape if size != 1) == squeezed else None


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"


def _example(point: Point) -> str:
    """The names of the last layer's gradients, as an example."""
    return ", ".join(list(point.network.gradients)[-2:])


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
