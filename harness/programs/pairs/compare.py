"""Comparing two programs: each by itself, then on the same numbers in float64, tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from os import PathLike
from typing import Any

import numpy as np

from harness.inputs.plain import as_count, refused
from harness.programs.built import Built, as_built
from harness.programs.check import Told
from harness.programs.pairs.differences import Compared
from harness.programs.pairs.mapping import mapped, tried
from harness.programs.pairs.pair import Mapped, Pair, leaves_with
from harness.programs.pairs.trace import Trace
from harness.programs.pairs.trace_file import read_trace
from harness.programs.pairs.tracing import host_of, leaves_of, traced
from harness.programs.rounding import total_loss
from harness.results.program_pair import ProgramPair
from harness.usage import UsageError, visible
from impls.captured import Leaf
from impls.contract import Array

Program = Any
"""What a build function returns, or the path of a record."""


def compare_programs(
    first: Program,
    second: Program,
    *,
    map: Mapping[str, str] | None = None,  # noqa: A002  (what it is called on the command line)
    seed: int = 0,
    names: tuple[str, str] = ("the first program", "the second program"),
    timeout: float | None = None,
    keep: Callable[[Trace], None] | None = None,
    progress: Told | None = None,
) -> ProgramPair:
    """Compare two programs on the same numbers: are they the same function up to rounding, and if not, from where on?

    Each is judged by itself, operation by operation, as `harness.check_program` does. The second is given the weights
    of the first; both run in float64, and what they give on the way is aligned tensor by tensor.

    >>> import torch
    >>> one, other, x = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2), torch.ones(4, 3)
    >>> def build(model, loss):
    ...     return {"program": model, "arguments": (x,), "loss": loss}
    >>> compare_programs(build(one, lambda y: y.sum()), build(other, lambda y: y.sum())).verdict
    'PASS'

    Args:
        first, second: what a build function returns, ``(model, x, y)`` or a dictionary of program, arguments and loss;
            or the path of a record that ``harness program --record`` wrote.
        map: by the name of an array of the program that is given weights, which of the other's it is, and how it lies
            in it: ``{"Dense_0.kernel": "fc.weight.T"}``. What it leaves out is found.
        seed: of whatever the programs draw.
        names: what they are called.
        timeout: seconds that each run of a program may take.
        keep: is given the trace of the program that was given weights, as it ran with them.
        progress: is told how far judging has come.

    Returns:
        The verdict (PASS, FAIL, NO POWER) with exit status, weights paired, and the first difference; ``str()`` of it
        is for people.

    Raises:
        UsageError: a program cannot be run, they have no weight in common or other arguments, or the map is wrong.
    """
    if as_count("seed", seed, 0) is None or seed >= 2**32:
        raise refused("seed", seed, "random numbers are drawn by it", "give a whole number from 0 to 2**32 - 1")
    _refuse_strange(map)
    given = [_Given(each, visible(name), seed, timeout) for each, name in zip((first, second), names, strict=True)]
    drawn = np.random.get_state()  # noqa: NPY002  (what is imported on the way may draw)
    try:
        turned = given[1].recorded is not None and given[0].recorded is None
        source, target = given[::-1] if turned else given
        one = source.recorded or source.traced(progress=progress)
        if target.recorded is not None:
            found = _of_records(one, target.recorded, map, (source.name, target.name))
            other = target.recorded
        else:
            found = target.mapped(one, map, source.name)
            other = target.traced(leaves_with(found.pairs), progress=progress)
    finally:
        np.random.set_state(drawn)  # noqa: NPY002
    if keep is not None:
        keep(other)
    result = Compared(one, other, found, (source.name, target.name)).result(seed)
    return result.turned if turned else result


def _refuse_strange(said: Any) -> None:
    if said is None or (
        isinstance(said, Mapping) and all(isinstance(word, str) for each in said.items() for word in each)
    ):
        return
    raise UsageError(
        f"Cannot use map={said!r:.80}, because it is no dictionary of names; give {{'Dense_0.kernel': 'fc.weight.T'}}."
    )


class _Given:
    """A program that was given, or the record of one."""

    def __init__(self, program: Program, name: str, seed: int, timeout: float | None) -> None:
        self.name, self.seed, self.timeout = name, seed, timeout
        self.recorded = read_trace(program) if isinstance(program, str | PathLike) else None
        self._program = program

    @cached_property
    def built(self) -> Built:
        return self._program if isinstance(self._program, Built) else as_built(self._program, self.name)

    def traced(self, numbers: Mapping[str, Array] | None = None, progress: Told | None = None) -> Trace:
        """Its trace, from its own numbers or from these."""
        return traced(self.built, self.name, self.seed, numbers, timeout=self.timeout, progress=progress)[0]

    def mapped(self, one: Trace, said: Mapping[str, str] | None, source: str) -> Mapped:
        """Which of its arrays are which of another program's."""
        leaves, called = leaves_of(self.built, self.name), (source, self.name)
        found = mapped(traced_leaves(one), leaves, (one.uses, self._uses), said, called)
        if any(pair.undecided for pair in found.pairs):
            found.pairs = tried(found.pairs, partial(self._distance, float(one.numbers(one.loss.numbers))))
        return found

    def _uses(self) -> dict[str, int]:
        return self.traced().uses()

    def _distance(self, loss: float, pairs: Sequence[Pair]) -> float:
        """How far its loss is from another's with weights that are arranged so."""
        host, built = host_of(self.built, self.name), self.built
        capture = host.capture_in("float64", *built, self.seed, leaves_with(pairs))
        return abs(float(total_loss(capture)) - loss)


def traced_leaves(trace: Trace) -> list[Leaf]:
    """What a program started from."""
    return [Leaf(name=leaf.name, array=trace.numbers(leaf.numbers), role=leaf.role) for leaf in trace.leaves]


def _of_records(one: Trace, other: Trace, said: Mapping[str, str] | None, called: tuple[str, str]) -> Mapped:
    """Both ran already, and must have held the same."""
    found = mapped(traced_leaves(one), traced_leaves(other), (one.uses, other.uses), said, called)
    found.pairs = [_as_held(pair) for pair in found.pairs]
    if changed := [pair for pair in found.pairs if pair.changes]:
        first = changed[0]
        raise UsageError(
            f"Cannot compare {called[0]} and {called[1]}, because they ran with other weights: {first.target.name} is "
            f"not {first.source.name}; record one with the other's: harness compare-programs RECORD FILE.py:build "
            f"--record NEW."
        )
    return found


def _as_held(pair: Pair) -> Pair:
    """In the arrangement in which it holds the same numbers, if there is one."""
    ways = (pair.arrangement, *pair.others)
    held = (replace(pair, arrangement=way) for way in ways)
    return next((each for each in held if not each.changes), pair)
