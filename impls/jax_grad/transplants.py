"""JAX programs that hold other numbers, or run in another precision: see `impls.captured.Transplants`.

A program is traced anew in the other precision, so that Python's numbers in it are of that too; what it casts by itself
is then cast to that instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import tree_util

from impls.captured import Capture, Leaf
from impls.contract import Array
from impls.jax_grad.capture import meetings_of, operations_of, shown, traced_by
from impls.jax_grad.forms import name_of
from impls.jax_grad.leaves import Leaves, is_array, is_real
from impls.jax_grad.loops import ENTERED
from impls.jax_grad.programs import CALLS, RULES, Program, Step, compiled, in_dtype
from impls.jax_grad.tapped import Tapped
from impls.jax_grad.written import place_of

DRAW = ("random_bits", "threefry2x32", "rng_bit_generator", "rng_uniform")
PRECISIONS = ("float16", "bfloat16", "float32", "float64")


def leaves_of(program: Any, arguments: Sequence[Any]) -> list[Leaf]:
    """The arrays of numbers: an argument that is one is data, what is in a container counts as weights."""
    data = {f"arguments[{place}]" for place in range(len(arguments))}
    arrays = Leaves.of(program, arguments).arrays.items()
    numbers = {name: array for name, array in arrays if not jnp.issubdtype(array.dtype, jax.dtypes.extended)}
    return [
        Leaf(name=name, array=_numbers(array), role="argument" if name in data or not is_real(array) else "weight")
        for name, array in numbers.items()
    ]


@contextmanager
def holding(
    program: Any, arguments: Sequence[Any], numbers: Mapping[str, Array]
) -> Iterator[tuple[Any, Sequence[Any]]]:
    """While it is entered; nothing of the program itself is changed."""
    leaves = Leaves.of(program, arguments)
    yield leaves.together([*_with(leaves, numbers, None).arrays.values()])


def capture_in(
    dtype: str,
    program: Callable[..., Any],
    arguments: Sequence[Any],
    loss: Callable[[Any], Any] | None,
    seed: int,
    numbers: Mapping[str, Array],
) -> Capture:
    """Traced with arrays of the dtype, and run with taps, at once: it is not this run whose rounding is judged."""
    with jax.enable_x64(dtype == "float64" or jax.config.jax_enable_x64):
        leaves = _with(Leaves.of(program, arguments), numbers, dtype)
        arrays = [*leaves.arrays.values()]
        traced = Program(traced_by(leaves, loss, seed), entering=ENTERED, given=arrays)
        notes = _convert(traced, dtype)
        tapped = Tapped(traced, list(leaves.arrays))
        observed = jax.tree.map(shown, compiled(tapped.observed)(arrays))
        return Capture(
            version=f"jax {jax.__version__}", dtype=dtype, loss=float(observed.loss),
            operations=list(operations_of(tapped, observed)), meetings=list(meetings_of(tapped, observed)),
            weights=list(tapped.leaves.values()), notes=notes, state={} if loss is None else _state(leaves),
        )  # fmt: skip


def draws(
    program: Callable[..., Any], arguments: Sequence[Any], loss: Callable[[Any], Any] | None, seed: int
) -> list[str]:
    """The primitives that draw, which here are functions of a key."""
    steps = Program(traced_by(Leaves.of(program, arguments), loss, seed)).steps
    return list(dict.fromkeys(step.primitive.name for step in steps if step.primitive.name in DRAW))


def _numbers(array: jax.Array) -> Array:
    """Of a dtype that NumPy lacks in float32, which holds the same numbers."""
    return np.asarray(array, np.float32 if np.asarray(array).dtype.kind == "V" else None)


def _with(leaves: Leaves, numbers: Mapping[str, Array], dtype: str | None) -> Leaves:
    """The same with other numbers, and reals of a dtype, where one is asked for."""

    def other(name: str, array: jax.Array) -> jax.Array:
        kind = dtype if dtype is not None and str(array.dtype) in PRECISIONS else array.dtype
        return jnp.asarray(np.reshape(numbers[name], array.shape) if name in numbers else array, kind)

    return replace(leaves, arrays={name: other(name, array) for name, array in leaves.arrays.items()})


@dataclass(frozen=True)
class _AsForward(Step):
    """A function with a derivative of its own as what it does forward, whatever it is traced in."""

    dtype: str = "float64"

    def run(self, operands: Sequence[Any]) -> list[Any]:
        """The results."""
        return Program(self.params["call_jaxpr"], inlining=CALLS + RULES).run(operands, self.dtype)


def _convert(program: Program, dtype: str) -> list[str]:
    """Let every step that computes in another precision compute in this one; what is to be said of some.

    A derivative of somebody's own is bound to the dtype in which it was traced. So where a program casts what such a
    function is given, the function is differentiated by what it does forward.
    """
    others = [str(kind.dtype) in PRECISIONS and str(kind.dtype) != dtype for kind in program.kinds]
    said = dict[str, None]()
    for number, step in enumerate(program.steps):
        if not any(others[place] for place in (*step.read, *step.made)):
            continue
        if step.primitive.name in RULES:
            at = place_of(step.sources)
            where = f" ({at[0]}:{at[1]})" if at else ""
            told = f"is given what the program casts, so that in {dtype} its forward pass is differentiated"
            said[f"{name_of(step)}{where} {told}"] = None
            program.steps[number] = _AsForward(step.primitive, step.params, step.read, step.made, step.sources, dtype)
        else:
            program.steps[number] = replace(in_dtype(step, dtype), made=step.made, sources=step.sources)
    program.constants = {
        place: np.asarray(value, dtype) if others[place] else value for place, value in program.constants.items()
    }
    program.kinds = [
        jax.ShapeDtypeStruct(kind.shape, np.dtype(dtype)) if others[place] else kind
        for place, kind in enumerate(program.kinds)
    ]
    return list(said)


def _state(leaves: Leaves) -> dict[str, Array]:
    """What the program returns in the place of a leaf: the array at the end of the same way, and of the same shape."""
    program, arguments = leaves.together([*leaves.arrays.values()])
    given, _ = tree_util.tree_flatten_with_path({"arguments": list(arguments), "program": program})
    ways = dict(zip(leaves.arrays, (way for way, leaf in given if is_array(leaf)), strict=True))
    returned, _ = tree_util.tree_flatten_with_path(program(*arguments))
    found: dict[str, Array] = {}
    for way, array in returned:
        if is_array(array) and is_real(array):
            near = {name: _common(way, each) for name, each in ways.items() if leaves.arrays[name].shape == array.shape}
            longest = max(near.values(), default=0)
            same = [name for name, length in near.items() if length == longest]
            if longest and len(same) == 1:
                found[same[0]] = np.asarray(array)
    return found


def _common(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How many steps at the end two ways have in common, each by its own name."""
    length = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if str(a) != str(b):
            break
        length += 1
    return length
