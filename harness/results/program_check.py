"""What the check of a captured program found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any

from harness.comparison.judge import SEVERITY, Row, Verdict
from harness.evaluation.references.expected import is_output
from harness.results.checked import objects_of
from harness.results.printable import Printable
from harness.results.setting import shown_path
from harness.results.verdicts import HALVED, Judged, Outcome
from impls.captured import Kind

if TYPE_CHECKING:
    from harness.faults.operations.explanation import Explanation

MEASURED: tuple[Kind, ...] = ("its own forward", "its decomposition")
UNCHECKED: tuple[Kind, ...] = ("rounding only", "none")
"""By which no formula is checked."""


@dataclass(frozen=True, kw_only=True)
class JudgedOperation:
    """One operation of a program, or a sum of gradients, judged given its own operands and upstream.

    Attributes:
        number: of the operation, counted from 1 in the forward pass; of a sum, of the operation whose output's
            gradients meet, 0 for a weight's.
        name, module, place, sources: as `impls.captured.Operation` has them.
        shape: of its first output.
        kind: by what it was judged.
        reference: that, for people.
        rows: one per output and gradient.
        why_not: why there is no reference.
        lost: where it makes a number that is not finite of others that are.
        meets: of a sum of gradients, the tensor whose they are.
        broken: what it does that no backward may.
        causes: of each gradient that is wrong, where they were asked for; `explain` finds them.
    """

    number: int
    name: str
    module: str
    place: tuple[str, int] | None
    shape: tuple[int, ...]
    kind: Kind
    reference: str
    rows: Sequence[Row]
    sources: Sequence[int | str | None] = ()
    why_not: str = ""
    lost: str = ""
    meets: str = ""
    broken: str = ""
    causes: Sequence[Explanation] = ()
    explain: Callable[[], Sequence[Explanation]] = field(default=tuple, repr=False, compare=False)

    @cached_property
    def row(self) -> Row | None:
        """The gravest of its rows."""
        return min(self.rows, key=lambda row: (SEVERITY.index(row.verdict), -(row.used or 0))) if self.rows else None

    @property
    def verdict(self) -> Verdict | None:
        """Of the gravest row; None where there is no reference."""
        return self.row.verdict if self.row else None

    @property
    def wrong(self) -> list[str]:
        """What of it is outside its allowance."""
        return [row.gradient for row in self.rows if row.verdict == "FAULT"]

    @property
    def wrong_forward(self) -> bool:
        """Whether what it gives is wrong already."""
        return any(is_output(name) for name in self.wrong)

    @property
    def where(self) -> str:
        """File and line, where that is known."""
        return f"{shown_path(self.place[0])}:{self.place[1]}" if self.place else ""

    @property
    def called(self) -> str:
        """For a sentence: the module it runs in, itself, and its line."""
        if self.meets:
            what = f"the gradient of {self.meets}, {self.name}"
            return f"{what} ({self.where})" if self.where else what
        told = ", ".join(part for part in (self.name, self.where) if part)
        return f"{self.module} ({told})" if self.module else told


@dataclass(frozen=True)
class Demanded:
    """What was demanded of a program besides.

    Attributes:
        demand: its name.
        kept: whether the program does it; None where that cannot be told.
        told: how it does not, or why that cannot be told.
    """

    demand: str
    kept: bool | None
    told: str

    def __str__(self) -> str:
        return (
            f"{self.demand}: {'kept' if self.kept else self.told if self.kept is False else f'not tried, {self.told}'}"
        )


@dataclass(frozen=True, kw_only=True)
class ProgramCheck(Judged, Printable, text="harness.rendering.program_screen:render"):
    """An unmodified program, operation by operation, each given its own operands and upstream.

    Attributes:
        name: of the program.
        version: of its framework.
        loss: its value.
        operations: in the order of the backward pass, sums of gradients among them.
        modules: how many modules there are.
        weights: names of the leaves with a gradient.
        notes: what there is to say besides.
        left_out: operations of modules that were not asked for.
        passing: operations through which no gradient passes.
        finite: whether the loss and every gradient of a weight is.
        interrupted: whether there was no time for all.
        demands: what was demanded besides.
        command: as it was typed, where one was.
    """

    name: str
    version: str
    dtype: str
    loss: float
    operations: Sequence[JudgedOperation]
    modules: int = 0
    weights: Sequence[str] = ()
    notes: Sequence[str] = ()
    left_out: int = 0
    passing: int = 0
    finite: bool = True
    interrupted: bool = False
    demands: Sequence[Demanded] = ()
    command: str | None = None
    seed: int = 0

    @property
    def rows(self) -> list[Row]:
        """Of all operations."""
        return [row for operation in self.operations for row in operation.rows]

    @property
    def coverage(self) -> Mapping[Kind, int]:
        """How many operations were judged by what; sums of gradients are none."""
        return Counter(operation.kind for operation in self.operations if not operation.meets)

    @cached_property
    def wrong(self) -> list[JudgedOperation]:
        """What is wrong by itself, the first in front: in the forward pass, if something is, else in the backward."""
        found = [operation for operation in self.operations if operation.wrong or operation.broken]
        forward = sorted((o for o in found if o.wrong_forward), key=lambda o: o.number)
        return [*forward, *(o for o in found if not o.wrong_forward)]

    @property
    def first(self) -> JudgedOperation | None:
        """The first of them."""
        return self.wrong[0] if self.wrong else None

    @property
    def causes(self) -> list[Explanation]:
        """What explains what is wrong, where the catalogue has it."""
        return [cause for operation in self.wrong for cause in operation.causes if cause.causes]

    @property
    def first_wrong(self) -> str | None:
        """What it is called."""
        return self.first.called if self.first else None

    @cached_property
    def lost(self) -> JudgedOperation | None:
        """The first operation that makes NaN or inf of finite numbers: forward, if one does, else backward."""
        found = [operation for operation in self.operations if operation.lost]
        forward = [operation for operation in reversed(found) if operation.lost.startswith("its output")]
        return next(iter([*forward, *found]), None)

    @cached_property
    def inherited(self) -> int:
        """Operations that send back wrong gradients only because what arrives at them is wrong."""
        if self.first is None or self.first.wrong_forward:
            return 0
        sources = {operation.number: operation.sources for operation in self.operations if not operation.meets}
        reached, todo = set[int](), [self.first.number]
        while todo:
            for source in sources.get(todo.pop(), ()):
                if isinstance(source, int) and source not in reached:
                    reached.add(source)
                    todo.append(source)
        wrong = {operation.number for operation in self.wrong}
        return len(reached.intersection(sources) - wrong)

    @property
    def gradients(self) -> list[str]:
        """Names of the gradients of weights."""
        return [row.gradient for operation in self.operations if operation.meets for row in operation.rows]

    @property
    def powerless(self) -> list[JudgedOperation]:
        """Operations of which something would have passed at half its size too, and in no other of their kind not."""
        judged = [(o, row) for o in self.operations if o.kind not in UNCHECKED for row in o.rows]
        seen = {(o.name, row.gradient) for o, row in judged if row.verdict == "ok"}
        blind = (o for o, row in judged if row.verdict == "no power" and (o.name, row.gradient) not in seen)
        return list({id(operation): operation for operation in blind}.values())

    @cached_property
    def outcome(self) -> Outcome:
        """Verdict, exit status and the rest of the first line."""
        verdict, status, reason = self._judged()
        if self.interrupted:
            return Outcome(verdict, 130, f"{reason} (interrupted after {self._counted(len(self.operations))})")
        return Outcome(verdict, status, reason)

    def _judged(self) -> Outcome:
        first = self.first
        if first is not None:
            which = first.broken or ("what it gives" if first.wrong_forward else f"its {', '.join(first.wrong)}")
            cause = next((c.briefly for c in first.causes if c.briefly), "")
            more = f": {cause}" if cause else ""
            also = f"; {len(self.wrong) - 1} more wrong by themselves" if len(self.wrong) > 1 else ""
            inherit = "1 later one inherits it" if self.inherited == 1 else f"{self.inherited} later ones inherit it"
            inherited = f"; {inherit}" if self.inherited else ""
            return Outcome("FAIL", 1, f"first wrong operation: {first.called}, {which}{more}{also}{inherited}")
        for each in self.demands:
            if each.kept is False:
                return Outcome("FAIL", 1, f"{each.demand}: {each.told}")
        if not self.finite:
            begins = f"{self.lost.called}: {self.lost.lost}" if self.lost else "made where no gradient passes"
            what = f"the loss is {self.loss:g}" if not isfinite(self.loss) else "a gradient is not finite"
            return Outcome("NO POWER", 0, f"{what}: {begins}; what follows means nothing")
        judged = [row for o in self.operations if o.kind not in UNCHECKED for row in o.rows]
        if not judged or (self.coverage and not any(map(self._by_formula, self.operations))):
            return Outcome("NOT COMPARED", 3, "no operation has a reference by which its formula could be judged")
        if self.powerless:
            named = ", ".join(operation.called for operation in self.powerless[:3])
            more = f" and {len(self.powerless) - 3} more" if len(self.powerless) > 3 else ""
            return Outcome("NO POWER", 0, f"nothing failed, but most entries of {named}{more} {HALVED}")
        return Outcome("PASS", 0, self._right(judged))

    @staticmethod
    def _by_formula(operation: JudgedOperation) -> bool:
        """Whether it is an operation, no sum of gradients, whose formula was checked."""
        return operation.kind not in UNCHECKED and not operation.meets

    def _right(self, judged: Sequence[Row]) -> str:
        row = max((row for row in judged if row.verdict == "ok"), key=lambda row: row.used or 0.0, default=None)
        share = (
            f"; worst used {100 * row.used:.1f} % ({row.gradient} of operation {row.step})" if row and row.used else ""
        )
        unchecked = sum(self.coverage.get(kind, 0) for kind in UNCHECKED)
        but = f"; the formula of {self._counted(unchecked)} could not be checked" if unchecked else ""
        right = sum(self.coverage.values()) - unchecked
        return f"{self._counted(right)} {'is' if right == 1 else 'are'} right up to rounding{but}{share}"

    def _counted(self, many: int) -> str:
        return f"{many} operation{'' if many == 1 else 's'}"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        lost = self.lost
        return {
            **self.told(),
            "program": self.name,
            "framework": self.version,
            "dtype": self.dtype,
            "seed": self.seed,
            "loss": self.loss if isfinite(self.loss) else None,
            "modules": self.modules,
            "weights": list(self.weights),
            "coverage": dict(self.coverage),
            "first_wrong": self.first_wrong,
            "not_finite": None if lost is None else f"{lost.called}: {lost.lost}",
            "inherited": self.inherited,
            "left_out": self.left_out,
            "passing": self.passing,
            "notes": list(self.notes),
            "demands": [{"demand": each.demand, "kept": each.kept, "told": each.told} for each in self.demands],
            "operations": [_told(operation) for operation in self.operations],
        }


def _told(operation: JudgedOperation) -> dict[str, Any]:
    return {
        "number": operation.number,
        "name": operation.name,
        "module": operation.module,
        "file": operation.place and shown_path(operation.place[0]),
        "line": operation.place and operation.place[1],
        "shape": list(operation.shape),
        "kind": operation.kind,
        "reference": operation.reference,
        "verdict": operation.verdict if operation.kind not in UNCHECKED else "no reference",
        "why_not": operation.why_not,
        "not_finite": operation.lost or None,
        "meets": operation.meets or None,
        "broken": operation.broken or None,
        "rows": objects_of(operation.rows),
        "causes": [cause.to_dict() for cause in operation.causes],
    }
