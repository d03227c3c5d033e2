"""Tracing a program: judged as it is, then run in float64, and what both runs say kept as a trace.

What rounding does to a tensor on the way is measured on the program itself, see `harness.programs.rounding`. So two
programs that round in any order agree, and one that computes another function, if only by an epsilon, does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np

from harness.candidates.deadline import OverdueError, deadline
from harness.inputs.arguments import as_seconds
from harness.programs.built import Built
from harness.programs.check import Told, checked, host_of_program, refuse_uncallable, refusing
from harness.programs.pairs.compiled import judged_as_compiled
from harness.programs.pairs.trace import SCHEMA, Kept, Spot, Step, Tensor, Trace, TracedLeaf, Verdict, ranks
from harness.programs.rounding import NARROW, WIDE, gradients_of, measured, total_loss
from harness.results.program_check import ProgramCheck
from harness.usage import UsageError
from impls.captured import Capture, Captures, Compiles, Leaf, Operation, Transplants
from impls.contract import Array

COMPILED = "torch.compile"
"""What it has compiled can be run as it was written, too; what else is compiled is refused."""


class Host(Captures, Transplants, Protocol):
    """A framework whose programs can be compared with others'."""


def host_of(built: Built, name: str) -> Host:
    """The framework that a program is written in.

    Raises:
        UsageError: it is no program, or of none that can be compared.
    """
    refuse_uncallable(built.program, built.loss, name)
    host = host_of_program(built.program, built.arguments, name)
    if not isinstance(host, Transplants):
        raise UsageError(f"Cannot compare {name}, because its framework's programs can be checked only; give another.")
    return host


def leaves_of(built: Built, name: str) -> Sequence[Leaf]:
    """The arrays that a program starts from."""
    with refusing(name):
        return host_of(built, name).leaves_of(built.program, built.arguments)


def traced(
    built: Built,
    name: str,
    seed: int,
    numbers: Mapping[str, Array] | None = None,
    *,
    command: str | None = None,
    timeout: float | None = None,
    progress: Told | None = None,
) -> tuple[Trace, ProgramCheck | None]:
    """A program's trace, and the check of its own operations; None of what is compiled.

    Args:
        numbers: what its leaves are to hold instead of their own, by name.
        timeout: seconds that its runs may take, those as it is and those in other precisions each.

    Raises:
        UsageError: it cannot be run, has no gradient, or cannot be run in float64.
        KeyboardInterrupt: it was interrupted while it was judged.
    """
    host, given = host_of(built, name), numbers or {}
    loss = built.loss
    compiles = host if isinstance(host, Compiles) else None
    with _running(name, timeout), host.holding(built.program, built.arguments, given) as (program, arguments):
        leaves = host.leaves_of(program, arguments)
        compiled = compiles.compiled_by(program) if compiles else ""
        whole = compiles.capture_whole(program, arguments, loss, seed) if compiles and compiled == COMPILED else None
        own = None if whole else host.capture_at_once(program, arguments, loss, seed)
        draws = tuple(host.draws(program, arguments, loss, seed))

    def in_dtype(dtype: str) -> Capture:
        with _running(f"{name} in {dtype}", timeout):
            return host.capture_in(dtype, built.program, built.arguments, loss, seed, given)

    wide = in_dtype(WIDE)
    narrow = own if own is not None and own.dtype == NARROW else in_dtype(NARROW)
    _refuse_low_precision(wide, name)
    check = None if own is None else checked(own, name, seed, progress=progress)
    if check is not None and check.interrupted:
        raise KeyboardInterrupt
    if check is not None:
        first = check.first or check.lost
        judged = Verdict(check.verdict, check.reason, *((first and first.place) or (None, None)))
    else:
        assert whole is not None
        judged = judged_as_compiled(whole, wide, narrow, compiled)
    return _Making(wide, narrow).trace(
        leaves, schema=SCHEMA, made=version("backprop-harness"), name=name, framework=wide.version,
        dtype=(own or whole or wide).dtype, seed=seed, command=command, compiled=compiled, draws=draws, judged=judged,
        notes=(*(own.notes if own else ()), *(note for note in wide.notes if not own or note not in own.notes)),
    ), check  # fmt: skip


@contextmanager
def _running(name: str, timeout: float | None) -> Iterator[None]:
    """While a program runs: what it raises, and that it takes too long, is wrong usage."""
    try:
        with refusing(name), deadline(as_seconds(timeout)):
            yield
    except OverdueError:
        raise UsageError(
            f"Cannot compare {name}, because it takes longer than {timeout:g} s to run; give it smaller arguments, or "
            f"a longer timeout."
        ) from None


def _refuse_low_precision(wide: Capture, name: str) -> None:
    for operation in wide.operations:
        kinds = {str(array.dtype) for array in operation.outputs if array.dtype.kind in "fV"}
        if kinds - {WIDE}:
            raise UsageError(
                f"Cannot compare {name}, because {operation.name} computes in less than {WIDE} whatever it is given; "
                f"compare it without autocast and such casts."
            )


@dataclass
class _Making:
    """A trace in the making, of a run in float64 and the same one in float32."""

    wide: Capture
    narrow: Capture
    arrays: list[Array] = field(default_factory=list)

    def trace(self, leaves: Sequence[Leaf], **others: Any) -> Trace:
        at = {operation.number: place for place, operation in enumerate(self.wide.operations)}
        pairs = zip(self.wide.operations, self._twins(), strict=True)
        steps = tuple([self._step(operation, twin, at) for operation, twin in pairs])
        return Trace(
            steps=steps,
            leaves=tuple(TracedLeaf(leaf.name, leaf.role, self._place(leaf.array)) for leaf in leaves),
            loss=self._kept(total_loss(self.wide), total_loss(self.narrow)),
            gradients=self._named(gradients_of(self.wide), gradients_of(self.narrow)),
            state=self._named(self.wide.state, self.narrow.state),
            arrays=tuple(self.arrays), **others,
        )  # fmt: skip

    def _twins(self) -> Iterator[Operation | None]:
        """Of each operation the same one in the other precision: the k-th of its name."""
        left: dict[str, list[Operation]] = {}
        for operation in reversed(self.narrow.operations):
            left.setdefault(operation.name, []).append(operation)
        for operation in self.wide.operations:
            same = left.get(operation.name)
            yield same.pop() if same else None

    def _step(self, operation: Operation, twin: Operation | None, at: Mapping[int, int]) -> Step:
        reads = [self._read(operation, number, source, at) for number, source in enumerate(operation.sources)]
        gives = []
        for place, output in enumerate(operation.outputs):
            arrived = operation.upstream[place]
            numbers, allowance = self._sorted(output, _of(twin.outputs if twin else (), place))
            upstream, upstream_allowance = (
                (None, None) if arrived is None else self._sorted(arrived, _of(twin.upstream if twin else (), place))
            )
            gives.append(Tensor(tuple(output.shape), numbers, allowance, upstream, upstream_allowance))
        file, line = operation.place or (None, None)
        return Step(operation.name, operation.module, file, line, tuple(reads), tuple(gives))

    def _read(self, operation: Operation, number: int, source: Any, at: Mapping[int, int]) -> Spot | str | None:
        """Which tensor an operand is: of several outputs of one operation the one that is the same."""
        if not isinstance(source, int):
            return source
        place = at[source]
        gave = self.wide.operations[place].outputs
        if len(gave) == 1 or number >= len(operation.operands):
            return place, 0
        read = operation.operands[number]
        same = (k for k, each in enumerate(gave) if each.shape == read.shape and np.array_equal(each, read))
        return place, next(same, 0)

    def _sorted(self, wide: Array, narrow: Array | None) -> tuple[int, float | None]:
        """The place of the numbers in order of size, and what is allowed to any of them."""
        bound = np.max(measured(wide, narrow), initial=0.0)
        return self._place(ranks(wide)), float(bound) if np.isfinite(bound) else None

    def _kept(self, wide: Array, narrow: Array | None) -> Kept:
        return Kept(self._place(np.asarray(wide, np.float64)), self._place(measured(wide, narrow)))

    def _named(self, wide: Mapping[str, Array], narrow: Mapping[str, Array]) -> dict[str, Kept]:
        return {name: self._kept(array, narrow.get(name)) for name, array in wide.items()}

    def _place(self, array: Array) -> int:
        self.arrays.append(np.asarray(array))
        return len(self.arrays) - 1


def _of(arrays: Sequence[Array | None], place: int) -> Array | None:
    return arrays[place] if place < len(arrays) else None
