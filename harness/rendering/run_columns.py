"""The tables of a run, column by column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.comparison.judge import SEVERITY, Row
from harness.rendering.columns import NOTEBOOK, PAGE, TEXT, Column, dims, signed
from harness.results.numbers import place, share, small
from harness.results.run import Run
from impls.graph import prefixed

CHECKS = ("formula", "rounding", "end-to-end")


@dataclass(frozen=True)
class Compared:
    """One tensor of one implementation, in the worst of all steps, and its row of every check."""

    label: str
    name: str
    against: str
    formula: Row | None
    rounding: Row | None
    whole: Row | None

    @property
    def difference(self) -> float | None:
        """In the working dtype, from the hand code's."""
        return None if self.whole is None or self.whole.difference is None else abs(self.whole.difference)

    @property
    def verdict(self) -> str:
        """The gravest of every check."""
        return _gravest(self.formula, self.rounding, self.whole).verdict

    @property
    def apart(self) -> Row | None:
        """The gravest row of the checks by which a run is judged; of two alike, that of the rounding check."""
        return _gravest(self.rounding, self.formula) if self.rounding or self.formula else None


def _gravest(*rows: Row | None) -> Row:
    return min((row for row in rows if row is not None), key=lambda row: SEVERITY.index(row.verdict))


def compared(run: Run, names: Iterable[str] | None = None) -> Iterator[Compared]:
    """What was compared of these tensors, by default of the gradients, by every implementation."""
    shapes = {prefixed("d", name): shape for name, shape in run.head.weights.items()}
    for name in run.head.gradients if names is None else names:
        for against in run.head.implementations:
            formula, rounding, whole = (run.find(check, name, against) for check in CHECKS)
            if formula or rounding or whole:
                label = f"{name} {dims(shapes.get(name, ()))}".strip()
                yield Compared(label, name, against, formula, rounding, whole)


def gradients(run: Run) -> tuple[Column[Compared], ...]:
    """Of every tensor and implementation: both checks, and the difference in the working dtype."""
    dtype, network = run.head.dtype, run.network
    formula, rounding = "formula: float64, end to end", f"rounding: {dtype}, link by link"
    whole = f"{dtype}, hand to it"
    everywhere = (*TEXT, *PAGE)
    return (
        Column("gradient", lambda c: c.label, on=everywhere, once=True),
        Column("gradient", lambda c: c.name, on=NOTEBOOK),
        Column("against", lambda c: c.against, foreign=True),
        Column("formula used", lambda c: share(c.formula), "right", group=formula, short="used"),
        Column("sees", lambda c: _sees(c.formula), "right", everywhere, formula),
        Column("at", lambda c: place(c.formula, network), "left", everywhere, formula),
        Column("rounding used", lambda c: share(c.rounding), "right", group=rounding, short="used"),
        Column("sees", lambda c: _sees(c.rounding), "right", everywhere, rounding),
        Column("at", lambda c: place(c.rounding, network), "left", everywhere, rounding),
        Column("|Δ|", lambda c: small(c.difference), "right", everywhere, whole),
        Column("used", lambda c: share(c.whole), "right", everywhere, whole),
        Column("verdict", lambda c: signed(c.verdict), on=PAGE),
        Column("at", lambda c: place(c.apart, network), on=NOTEBOOK),
        Column("verdict", lambda c: c.apart.verdict if c.apart else "", on=NOTEBOOK),
    )


FAULTS: tuple[Column[Row], ...] = (
    Column("check", lambda row: row.check),
    Column("tensor", lambda row: row.gradient),
    Column("against", lambda row: row.against, foreign=True),
    Column("verdict", lambda row: row.verdict, on=TEXT),
    Column("verdict", lambda row: signed(row.verdict), on=PAGE),
    Column("step", lambda row: str(row.step), "right"),
    Column("outside", lambda row: f"{row.outside} of {row.entries}" if row.entries else "", "right", on=TEXT),
    Column("outside", lambda row: f"{row.outside:,} of {row.entries:,}" if row.entries else "", "right", on=PAGE),
    Column("|Δ|", lambda row: small(None if row.difference is None else abs(row.difference)), "right"),
    Column("allowed", lambda row: small(row.allowed), "right"),
    Column("reason", lambda row: row.cause or row.reason or "", foreign=True),
)
"""Of the rows that are not in order."""


def not_in_order(run: Run) -> list[Row]:
    """Rows that are a fault or need a word, gravest first."""
    rows = run.select(lambda row: row.verdict not in ("ok", "no power"))
    return sorted(rows, key=lambda row: (SEVERITY.index(row.verdict), row.step))


def drift(run: Run) -> tuple[Column[int], ...]:
    """Of every step: the drift of each implementation, and the twin's."""
    return (
        Column("step", str, "right"),
        *(Column(name, _at(values), "right") for name, values in run.drift.items()),
    )


def _at(values: Sequence[float | None]) -> Callable[[int], str]:
    return lambda step: small(values[step - 1])


def _sees(row: Row | None) -> str:
    return small(row.sees if row else None)
