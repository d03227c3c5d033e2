"""Differences: what two programs that ran from the same numbers give, end to end and on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from msgspec.structs import replace as with_other

from harness.arithmetic import profile_of
from harness.arithmetic.enclosure import within
from harness.comparison.judge import Row, judge
from harness.programs.pairs import location
from harness.programs.pairs.alignment import Aligned, aligned
from harness.programs.pairs.location import Found
from harness.programs.pairs.names import last, words
from harness.programs.pairs.pair import Mapped, Pair
from harness.programs.pairs.trace import Kept, Trace
from harness.results.program_pair import Difference, Given, Part, ProgramPair, Side, Where
from harness.usage import UsageError
from impls.contract import Array

LOOSER = profile_of("float32").u / profile_of("float64").u / 128
"""From an allowance in float64 to how far the same program's run in float32 was off, without the factor of a measured
reference: see `harness.evaluation.references.measured`."""


@dataclass(frozen=True)
class Compared:
    """Two traces and which arrays of theirs are the same."""

    one: Trace
    other: Trace
    mapped: Mapped
    called: tuple[str, str]

    def result(self, seed: int) -> ProgramPair:
        """What there is to say."""
        rows = [*self.rows()]
        difference, factor, constant = None, None, None
        if self.left_with_gradient or any(row.verdict == "FAULT" for row in rows):
            factor, constant = self.factor(), self._constant()
            if factor is None and constant is None:
                if self.one.draws or self.other.draws:
                    self._refuse_random()
                difference = self._difference(rows)
        return ProgramPair(
            sides=(self._side(0), self._side(1)), pairs=[_given(pair) for pair in self.mapped.pairs], rows=rows,
            difference=difference, factor=None if constant else factor, constant=constant, notes=[*self._notes()],
            seed=seed,
        )  # fmt: skip

    @cached_property
    def sides(self) -> Aligned:
        """Tensor by tensor."""
        return aligned(self.one, self.other)

    # End to end

    def rows(self, looser: float = 1.0) -> Iterator[Row]:
        """The loss, gradients by what both have, and what is left behind, each within the allowance of both."""
        yield self._row("loss", self._both(self.one.loss, self.other.loss), looser)
        for pair in self.mapped.pairs:
            yield from self._of(pair, "gradients", f"d({pair.source.name})", looser)
        for pair in self.mapped.pairs:
            yield from self._of(pair, "state", f"{pair.source.name} afterwards", looser)

    def _of(self, pair: Pair, what: str, name: str, looser: float) -> Iterator[Row]:
        mine = getattr(self.one, what).get(pair.source.name)
        its = getattr(self.other, what).get(pair.target.name)
        if (mine is None and its is None) or (pair.source.role == "argument" and (mine is None or its is None)):
            return
        if what == "state" and (mine is None or its is None):
            return
        zero = np.zeros(pair.source.array.shape), np.zeros(pair.source.array.shape)
        one = zero if mine is None else self._numbers(self.one, mine)
        expected, allowed = (pair.arrangement.of(array) for array in one)
        other = (np.zeros(expected.shape),) * 2 if its is None else self._numbers(self.other, its)
        yield self._row(name, (expected, allowed + other[1], other[0]), looser)

    def _both(self, mine: Kept, its: Kept) -> tuple[Array, Array, Array]:
        (expected, allowed), (actual, also) = self._numbers(self.one, mine), self._numbers(self.other, its)
        return expected, allowed + also, actual

    @staticmethod
    def _numbers(trace: Trace, kept: Kept) -> tuple[Array, Array]:
        return trace.numbers(kept.numbers), trace.numbers(kept.allowed)

    def _row(self, name: str, numbers: tuple[Array, Array, Array], looser: float) -> Row:
        expected, allowed, actual = numbers
        allowed = looser * allowed
        row = judge("end-to-end", name, self.called[1], 1, actual=actual, expected=expected, allowed=allowed)
        if row.verdict == "no power" and bool((np.abs(expected) <= allowed).all()):
            return with_other(row, verdict="ok", reason="0 but for rounding")
        return row

    # What they differ in

    def factor(self) -> tuple[float, float] | None:
        """Of the loss, and of every gradient, where those of the second are that many times the first one's."""
        gradients = [
            (pair.arrangement.of(mine[0]), pair.arrangement.of(mine[1]), *its)
            for pair in self.mapped.pairs
            if pair.source.role != "argument" and pair.source.name in self.one.gradients
            and pair.target.name in self.other.gradients
            for mine in [self._numbers(self.one, self.one.gradients[pair.source.name])]
            for its in [self._numbers(self.other, self.other.gradients[pair.target.name])]
        ]  # fmt: skip
        if not gradients or self.left_with_gradient:
            return None
        largest = max(gradients, key=lambda each: float(np.max(np.abs(each[0]), initial=0.0)))
        at = np.unravel_index(np.argmax(np.abs(largest[0])), largest[0].shape)
        loss, _, its_loss = self._both(self.one.loss, self.other.loss)
        with np.errstate(all="ignore"):
            factor, of_loss = float(largest[2][at] / largest[0][at]), float(its_loss / loss)
            same = all(
                within(its, factor * mine, also + abs(factor) * allowed) for mine, allowed, its, also in gradients
            )
        if not same or not np.isfinite([factor, of_loss]).all() or abs(factor - 1) <= self._relative(largest, at):
            return None
        return of_loss, factor

    @staticmethod
    def _relative(each: tuple[Array, Array, Array, Array], at: tuple[np.intp, ...]) -> float:
        return float((each[1][at] + each[3][at]) / abs(each[0][at]))

    @cached_property
    def left_with_gradient(self) -> list[tuple[int, str]]:
        """Weights that the other program has not, by which the loss changes: of which program, and which."""
        left = [(0, self.one, self.mapped.sources), (1, self.other, self.mapped.targets)]
        return [
            (number, leaf.name)
            for number, trace, leaves in left
            for leaf in leaves
            if leaf.role == "weight" and (kept := trace.gradients.get(leaf.name)) is not None
            and bool((np.abs(trace.numbers(kept.numbers)) > trace.numbers(kept.allowed)).any())
        ]  # fmt: skip

    def _difference(self, rows: list[Row]) -> Difference:
        """The first one: forward, else backward, else a weight that one lacks, else what is left behind."""
        wrong = [row.gradient for row in rows if row.verdict == "FAULT"]
        if "loss" in wrong:
            return self._at("forward", self.forward)
        pair = next((pair for pair in self.mapped.pairs if f"d({pair.source.name})" in wrong), None)
        if pair is not None:
            found = location.backward(self.sides)
            nowhere = found == Found(None, None)
            return self._at("backward", self._readers(pair.source.name, pair.target.name) if nowhere else found)
        if self.left_with_gradient:
            number, name = self.left_with_gradient[0]
            return self._at("backward", self._readers(*((name, "") if number == 0 else ("", name))))
        return self._of_state(next(p for p in self.mapped.pairs if f"{p.source.name} afterwards" in wrong))

    @cached_property
    def forward(self) -> Found:
        """From where on they give something else."""
        names = {pair.target.name: pair.source.name for pair in self.mapped.pairs}
        return location.forward(self.sides, lambda name: names.get(name, name))

    def _readers(self, source: str, target: str) -> Found:
        """The operations that read a weight."""
        return Found(self.one.uses().get(source), self.other.uses().get(target))

    def _at(self, part: Part, found: Found) -> Difference:
        traces = self.one, self.other
        at = [None if step is None else _where(trace, step) for trace, step in zip(traces, found[:2], strict=True)]
        beside = [[_where(trace, step) for step in steps] for trace, steps in zip(traces, found.beside, strict=True)]
        says = [self._arrive(found)] if part == "backward" and not self.left_with_gradient else []
        for number, name in enumerate(self.called):
            if lacks := [leaf for of, leaf in self.left_with_gradient if of != number]:
                says.append(f"{name} has no {', '.join(lacks[:3])}{' and others' if len(lacks) > 3 else ''}")
        return Difference(part, (at[0], at[1]), (beside[0], beside[1]), "; ".join(says))

    def _arrive(self, found: Found) -> str:
        """From where other gradients come: whatever reads what the operations give."""
        both = [
            ", ".join(dict.fromkeys(str(_where(trace, each)) for each in location.readers(trace, step)[:4]))
            for trace, step in zip((self.one, self.other), found[:2], strict=True)
            if step is not None
        ]
        return (
            f"other gradients arrive there, from {' / '.join(dict.fromkeys(filter(None, both)))}" if any(both) else ""
        )

    def _of_state(self, pair: Pair) -> Difference:
        before = np.asarray(pair.source.array, np.float64)
        mine, its = self.one.state[pair.source.name], self.other.state[pair.target.name]
        moved = pair.arrangement.of(self.one.numbers(mine.numbers) - before)
        other = self.other.numbers(its.numbers) - pair.arrangement.of(before)
        allowed = pair.arrangement.of(self.one.numbers(mine.allowed)) + self.other.numbers(its.allowed)
        at = [_owner(trace, leaf.name) for trace, leaf in ((self.one, pair.source), (self.other, pair.target))]
        why = _moves(moved, other, allowed) or _over_one_less(moved, other, pair.arrangement.of(before), allowed)
        says = f"{pair.source.name} is another afterwards{why}"
        return Difference("state", (at[0], at[1]), says=says)

    def _constant(self) -> float | None:
        """How far the first operations are apart, where a constant that is rounded to float32 explains everything."""
        if self.left_with_gradient:
            return None
        share = location.apart(self.sides, self.forward)
        if share is None or share > profile_of("float32").u or any(r.verdict == "FAULT" for r in self.rows(LOOSER)):
            return None
        return share

    # What is told besides

    def _side(self, number: int) -> Side:
        trace, sides = ((self.one, self.sides), (self.other, self.sides.turned))[number]
        left = (self.mapped.sources, self.mapped.targets)[number]
        at = (trace.judged.file, trace.judged.line or 0) if trace.judged.file else None
        return Side(
            name=self.called[number], framework=trace.framework, dtype=trace.dtype, compiled=trace.compiled,
            verdict=trace.judged.verdict, reason=trace.judged.reason, at=at,
            loss=float(trace.numbers(trace.loss.numbers)), operations=len(trace.steps),
            alike=len({step for step, _ in sides.partners}),
            left=[leaf.name for leaf in left if leaf.role == "weight" and leaf.name in trace.gradients],
        )  # fmt: skip

    def _notes(self) -> Iterator[str]:
        for name, trace in zip(self.called, (self.one, self.other), strict=True):
            if trace.judged.verdict not in ("PASS", "FAIL"):
                yield f"{name} by itself: {trace.judged.verdict}, {trace.judged.reason}"
            yield from (f"{name}: {note}" for note in trace.notes)
            if trace.compiled:
                yield f"{name} is judged by itself as {trace.compiled} compiled it; the rest is of what was compiled"
            if trace.draws:
                yield f"{name} draws random numbers ({', '.join(trace.draws[:3])}), here the same as the other"
        turns: dict[tuple[str, str], list[Pair]] = {}
        for pair in self.mapped.pairs:
            if pair.how == "numbers" and pair.source.array.ndim > 1 and pair.source.role != "argument":
                turns.setdefault((last(pair.source.name), last(pair.target.name)), []).append(pair)
        for pairs in turns.values():
            most = 2 * sum(pair.arrangement.turns for pair in pairs) > len(pairs)
            for pair in [pair for pair in pairs if pair.arrangement.turns != most][:3]:
                told = "transposed" if pair.arrangement.turns else "as it is"
                yield f"{pair.target.name} holds {pair.source.name} {told}, others of its kind do not"

    def _refuse_random(self) -> None:
        name, trace = next(
            (name, trace) for name, trace in zip(self.called, (self.one, self.other), strict=True) if trace.draws
        )
        raise UsageError(
            f"Cannot compare {self.called[0]} and {self.called[1]}, because {name} draws random numbers "
            f"({', '.join(trace.draws[:3])}) and the other draws others; switch that off: model.eval(), p=0, "
            f"deterministic=True."
        )


def _where(trace: Trace, step: int) -> Where:
    found = trace.steps[step]
    return Where(found.module, found.name, found.file, found.line)


def _owner(trace: Trace, name: str) -> Where:
    """The module that a leaf belongs to, at the first operation that ran in it."""
    *owner, _ = words(name)
    for step in trace.steps:
        if owner and words(step.module)[-len(owner) :] == owner:
            return Where(step.module, step.name, step.file, step.line)
    return Where("", name, None, None)


def _moves(moved: Array, other: Array, allowed: Array) -> str:
    """How far something moves in the second program as against the first, where that is so many times everywhere."""
    largest = np.unravel_index(np.argmax(np.abs(moved)), moved.shape)
    if not moved[largest]:
        return ""
    times = float(other[largest] / moved[largest])
    if not within(other, times * moved, (1 + abs(times)) * allowed) or abs(times - 1) < 1e-9:
        return ""
    told = f": it moves {times:.6g} times as far"
    momentum = 1 / (1 + times) if times > 0 else 0.0
    if abs(momentum - round(momentum, 3)) < 1e-9:  # a number that people write
        told += f", as with a momentum of {1 - round(momentum, 3):g} in place of {round(momentum, 3):g}"
    return told


def _over_one_less(moved: Array, other: Array, before: Array, allowed: Array) -> str:
    """Whether the second is a variance over n where the first is one over n - 1, or the other way around.

    With a momentum m the first moves by m (v n/(n - 1) - before), the second by m (v - before): so the second is
    r times the first and m (r - 1) times what was there before, where r = (n - 1)/n.
    """
    if moved.size < 3:
        return ""
    rows = np.stack([moved.ravel(), before.ravel()], axis=1)
    (times, momentum), *_ = np.linalg.lstsq(rows, other.ravel(), rcond=None)
    fits = within(other.ravel(), rows @ (times, momentum), (1 + abs(times) + abs(momentum)) * allowed.ravel())
    many = 1 / (1 - times) if times < 1 else times / (times - 1) if times > 1 else 0.0
    if not fits or many < 2 or abs(many - round(many)) > 1e-6 * many:
        return ""
    here, there = ("n - 1", "n") if times < 1 else ("n", "n - 1")
    return f": as a variance over {here} in the first program and over {there} in the second, n = {round(many)}"


def _given(pair: Pair) -> Given:
    return Given(
        pair.source.name, pair.target.name, pair.arrangement.text, pair.how, pair.undecided, pair.changes
    )  # fmt: skip
