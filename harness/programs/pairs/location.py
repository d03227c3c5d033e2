"""Location: the first operation from which on two programs compute something else, forward or backward.

Forward, an operation that is not aligned and from which nothing aligned is made any more, although all that it reads
is. What one program does in one operation and the other in ten stays unaligned without harm, since what comes out is
aligned again. Backward, the last tensor on the way that both hold and at which other gradients arrive, although the
same arrive at all that is made of it.

Several operations may be first, in branches beside each other. That one is told which has a counterpart in the other
program, first there too and made of the same tensors; the others are told beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from harness.programs.pairs.alignment import Aligned, moved_leaves, telling
from harness.programs.pairs.trace import Spot, Trace

Names = Callable[[str], str]
"""From a leaf to what it is called in both programs."""


class Found(NamedTuple):
    """Steps of either program from which on they differ; None where it cannot be told. those `beside` may be it too."""

    a: int | None
    b: int | None
    beside: tuple[Sequence[int], Sequence[int]] = ((), ())


def forward(sides: Aligned, names: Names) -> Found:
    """Where they begin to give something else.

    Args:
        names: of the leaves of `b` that hold the same as one of `a`, its name.
    """
    one, two = _Graph(sides, lambda name: name), _Graph(sides.turned, names)
    ids = _classes(sides)
    mine = {spot: one.made_of(spot, ids.get) for spot in one.first}
    theirs = {spot: two.made_of(spot, lambda spot: ids.get((-1 - spot[0], spot[1]))) for spot in two.first}
    pairs = [
        (-_overlap(mine[a], theirs[b]), a, b) for a in mine for b in theirs if mine[a] & theirs[b]
    ]  # fmt: skip
    if pairs:
        first = min(a for _, a, _ in pairs)
        _, a, b = min(pair for pair in pairs if pair[1] == first)
        return Found(a[0], b[0], (_others(one, a), _others(two, b)))
    a, b = min(one.first, default=_last(sides.a)), min(two.first, default=_last(sides.b))
    return Found(a[0], b[0], (_others(one, a), _others(two, b)))


def _last(trace: Trace) -> Spot:
    """What gives the loss: one number, which is no set that could be aligned."""
    return len(trace.steps) - 1, 0


def backward(sides: Aligned) -> Found:
    """Where they begin to send back something else: the last tensor that both hold and at which other gradients arrive.

    Of tensors that are the same the first one counts, at which everything arrives that is sent back to any of them: the
    others may be views of it, of which each program has its own.
    """
    firsts: dict[int, tuple[list[Spot], list[Spot]]] = {}
    for (step, place), number in _classes(sides).items():
        mine, its = firsts.setdefault(number, ([], []))
        (mine if step >= 0 else its).append((step, place) if step >= 0 else (-1 - step, place))
    moved = moved_leaves(sides.a), moved_leaves(sides.b)
    both = [(min(mine), min(its)) for mine, its in firsts.values()]
    wrong = [
        (a, b) for a, b in both if a not in moved[0] and b not in moved[1] and sides.same_upstream(a, b) is False
    ]  # fmt: skip
    if not wrong:
        return Found(None, None)
    (a, _), (b, _) = max(wrong)
    return Found(a, b)


def readers(trace: Trace, step: int) -> list[int]:
    """The steps that read what a step gives."""
    return [n for n, each in enumerate(trace.steps) if any(isinstance(r, tuple) and r[0] == step for r in each.reads)]


class _Graph:
    """One program's tensors, and what was made of them."""

    def __init__(self, sides: Aligned, names: Names) -> None:
        self.trace, self.aligned, self.names = sides.a, sides.partners, names
        on_the_way = {spot for spot, tensor in telling(self.trace) if tensor.upstream is not None}
        self.tells = on_the_way - moved_leaves(self.trace)
        self.made: dict[Spot, list[Spot]] = {}
        for number, step in enumerate(self.trace.steps):
            for read in step.reads:
                if isinstance(read, tuple):
                    self.made.setdefault(read, []).extend((number, place) for place in range(len(step.gives)))

    @cached_property
    def found_again(self) -> set[Spot]:
        """Tensors of which something aligned is made, however far on."""
        found: set[Spot] = set()
        for number, step in reversed([*enumerate(self.trace.steps)]):
            for place in range(len(step.gives)):
                after = self.made.get((number, place), ())
                if any(each in self.aligned or each in found for each in after):
                    found.add((number, place))
        return found

    @cached_property
    def first(self) -> list[Spot]:
        """Tensors that are not aligned, nor anything made of them, although what they are made of is."""
        lost = {spot for spot in self.tells if spot not in self.aligned and spot not in self.found_again}
        return sorted(spot for spot in lost if not self._reads_any(spot, lost))

    def _reads_any(self, spot: Spot, lost: set[Spot]) -> bool:
        """Whether one of these is read; what tells nothing is looked through."""
        todo, seen = [*self.trace.steps[spot[0]].reads], set[Spot]()
        while todo:
            read = todo.pop()
            if not isinstance(read, tuple) or read in seen:
                continue
            seen.add(read)
            if read in lost:
                return True
            if read not in self.tells:
                todo += self.trace.steps[read[0]].reads
        return False

    def made_of(self, spot: Spot, known: Callable[[Spot], int | None]) -> set[int | str]:
        """The nearest aligned tensors, and the leaves, that a tensor is made of."""
        found: set[int | str] = set()
        todo, seen = [*self.trace.steps[spot[0]].reads], set[Spot]()
        while todo:
            read = todo.pop()
            if isinstance(read, str):
                found.add(self.names(read))
            elif read is not None and read not in seen:
                seen.add(read)
                number = known(read)
                if number is None:
                    todo += self.trace.steps[read[0]].reads
                else:
                    found.add(number)
        return found


def _classes(sides: Aligned) -> dict[Spot, int]:
    """A number for all tensors that are the same; those of `b` are told apart by a negative step."""
    number: dict[Spot, int] = {}
    for spot, others in sides.partners.items():
        every = [spot, *((-1 - step, place) for step, place in others)]
        known = next((number[each] for each in every if each in number), len(number))
        number |= dict.fromkeys(every, known)
    return number


def _overlap(one: set[int | str], other: set[int | str]) -> float:
    return len(one & other) / len(one | other)


def _others(graph: _Graph, told: Spot) -> list[int]:
    """The first steps of other modules than the one that is told."""
    steps, modules = graph.trace.steps, {graph.trace.steps[told[0]].module}
    found = []
    for number, _ in graph.first:
        if steps[number].module not in modules and number != told[0]:
            modules.add(steps[number].module)
            found.append(number)
    return found


def apart(sides: Aligned, found: Found) -> float | None:
    """How far what is given first is from the nearest that the other program gives and that is not aligned.

    A share of its largest number; None where there is nothing of its size.
    """
    shares = [*_shares(sides, found.a), *_shares(sides.turned, found.b)]
    return min(shares, default=None)


def _shares(sides: Aligned, step: int | None) -> Iterator[float]:
    others = [sides.b.numbers(tensor.numbers) for spot, tensor in telling(sides.b) if spot not in sides.turned.partners]
    for tensor in () if step is None else sides.a.steps[step].gives:
        numbers = sides.a.numbers(tensor.numbers)
        largest = float(np.max(np.abs(numbers), initial=0.0))
        for other in others:
            if other.shape == numbers.shape and largest:
                yield float(np.max(np.abs(numbers - other)) / largest)
