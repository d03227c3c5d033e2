"""What the comparison of two programs found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Literal, NamedTuple

from msgspec import to_builtins

from harness.comparison.judge import Row
from harness.results.printable import Printable
from harness.results.setting import shown_path
from harness.results.verdicts import HALVED, Judged, Outcome

How = Literal["map", "numbers", "name", "shape", "order"]
"""By what two weights were paired: by the user; they held the same numbers; the same name; nothing else of that shape;
the order of names and of use, among several of that shape."""
Part = Literal["forward", "backward", "state"]
PARTS: dict[Part, str] = {
    "forward": "from here on", "backward": "in the backward pass, from here on", "state": "in what they leave behind",
}  # fmt: skip


class Where(NamedTuple):
    """An operation of a program."""

    module: str
    name: str
    file: str | None
    line: int | None

    @property
    def line_of(self) -> str:
        """File and line, where that is known."""
        return f"{shown_path(self.file)}:{self.line}" if self.file else ""

    def __str__(self) -> str:
        told = ", ".join(filter(None, (self.name, self.line_of)))
        return f"{self.module} ({told})" if self.module else told


class Given(NamedTuple):
    """A weight of one program and the one that it was given to.

    Attributes:
        source, target: their names.
        arrangement: how the source lies in the target: ``.T``, ``[0:16].T``; empty if as it is.
        how: by what they were paired.
        chosen: whether the arrangement was chosen among several that fit.
        changed: whether the target held other numbers before.
    """

    source: str
    target: str
    arrangement: str
    how: How
    chosen: bool = False
    changed: bool = False


class Side(NamedTuple):
    """One of the two programs.

    Attributes:
        name: what it is called.
        verdict, reason: of its own operations, each judged by itself.
        at: the first that is wrong.
        loss: in float64, from the same numbers as the other's.
        operations: how many there are; `alike` of them give what the other program gives too.
        left: weights for which the other has none.
    """

    name: str
    framework: str
    dtype: str
    compiled: str
    verdict: str
    reason: str
    at: tuple[str, int] | None
    loss: float
    operations: int
    alike: int
    left: Sequence[str] = ()

    @property
    def wrong(self) -> bool:
        """Whether it is wrong by itself."""
        return self.verdict == "FAIL"


class Difference(NamedTuple):
    """From where on they are different functions.

    Attributes:
        part: in the forward pass, in the backward pass only, or in what is left behind.
        at: the operation in either program, None where it cannot be told.
        beside: others, in branches beside it, that may be first as well.
        says: what is different, where more can be told.
    """

    part: Part
    at: tuple[Where | None, Where | None]
    beside: tuple[Sequence[Where], Sequence[Where]] = ((), ())
    says: str = ""


@dataclass(frozen=True, kw_only=True)
class ProgramPair(Judged, Printable, text="harness.rendering.pair_screen:render"):
    """Two programs on the same numbers.

    Attributes:
        sides: as they were named.
        pairs: their weights.
        rows: loss, gradients and what is left behind, end to end in float64, within the allowance of both.
        difference: the first one, if there is any.
        factor: of loss and of gradients, where all of the second program's are so many times the first one's.
        constant: how small a share the only difference is, where it is no more than a constant that float32 rounds.
        notes: what there is to say besides.
    """

    sides: tuple[Side, Side]
    pairs: Sequence[Given]
    rows: Sequence[Row]
    difference: Difference | None = None
    factor: tuple[float, float] | None = None
    constant: float | None = None
    notes: Sequence[str] = ()
    seed: int = 0
    command: str | None = None

    @property
    def turned(self) -> ProgramPair:
        """The same with the programs in the other order; whose weights were given to whom stays."""
        different, factor = self.difference, self.factor
        return replace(
            self, sides=self.sides[::-1], factor=factor and (1 / factor[0], 1 / factor[1]),
            difference=different and different._replace(at=different.at[::-1], beside=different.beside[::-1]),
        )  # fmt: skip

    @property
    def gradients(self) -> list[str]:
        """Names of what was compared end to end."""
        return [row.gradient for row in self.rows]

    @property
    def first_wrong(self) -> str | None:
        """The operation from which on they differ, in the first program if it is known there."""
        if self.difference is None:
            return None
        return next((str(at) for at in self.difference.at if at is not None), None)

    @property
    def wrong(self) -> list[Row]:
        """What is outside the allowance of both."""
        return [row for row in self.rows if row.verdict == "FAULT"]

    @property
    def outcome(self) -> Outcome:
        """Verdict, exit status and the rest of the first line."""
        wrong = [side for side in self.sides if side.wrong]
        if wrong:
            told = "; ".join(f"{side.name} is wrong by itself: {side.reason}" for side in wrong)
            return Outcome("FAIL", 1, told)
        lost = [side for side in self.sides if not isfinite(side.loss)]
        if len(lost) == 1:
            return Outcome(
                "FAIL", 1, f"they are different functions: the loss of {lost[0].name} alone is {lost[0].loss:g}"
            )
        if lost:
            return Outcome("NO POWER", 0, "the loss of both is not finite, and what follows means nothing")
        if self.difference is not None or self.factor is not None:
            return Outcome("FAIL", 1, self._differs())
        if self.constant is not None:
            what = f"they differ by {self.constant:.1e} in float64, no more than a constant that is rounded to float32"
            return Outcome("PASS", 0, f"the same function up to rounding in float32; {what}")
        if powerless := [row for row in self.rows if row.verdict == "no power"]:
            named = ", ".join(row.gradient for row in powerless[:4])
            return Outcome("NO POWER", 0, f"nothing differs, but most entries of {named} {HALVED}")
        return Outcome("PASS", 0, f"the same function up to rounding{self._worst()}")

    def _worst(self) -> str:
        row = max((row for row in self.rows if row.used), key=lambda row: row.used or 0.0, default=None)
        many = f": loss and {len(self.rows) - 1} more tensors end to end"
        return f"{many}; worst used {100 * (row.used or 0.0):.1f} % ({row.gradient})" if row else many

    def _differs(self) -> str:
        right = all(side.verdict == "PASS" for side in self.sides)
        what = "each is right by itself, they are different functions" if right else "they are different functions"
        if self.factor is not None:
            loss, gradients = (as_factor(factor) for factor in self.factor)
            second = self.sides[1].name
            if loss == gradients:
                return f"{what}: loss and every gradient of {second} are {loss} times the other's"
            return f"{what}: every gradient of {second} is {gradients} times the other's, its loss {loss} times"
        assert self.difference is not None
        places = " / ".join(str(at) for at in self.difference.at if at is not None)
        said = f"; {self.difference.says}" if self.difference.says else ""
        return f"{what} {PARTS[self.difference.part]}: {places or 'where cannot be told'}{said}"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        return {
            "verdict": self.verdict,
            "exit": self.exit,
            "reason": self.reason,
            "seed": self.seed,
            "programs": [_side(side) for side in self.sides],
            "weights": [pair._asdict() for pair in self.pairs],
            "difference": None if self.difference is None else _difference(self.difference),
            "factor": None if self.factor is None else list(self.factor),
            "constant": self.constant,
            "notes": list(self.notes),
            "rows": [{name: to_builtins(getattr(row, name)) for name in row.__struct_fields__} for row in self.rows],
        }


def as_factor(factor: float) -> str:
    """A factor as people write it: 0.5, 32, 1/3."""
    if factor and abs(factor) < 1 and abs(1 / factor - round(1 / factor)) < 1e-9 * abs(1 / factor):
        return f"1/{round(1 / factor)}".replace("/-", "/").replace("1/1", "1") if factor > 0 else f"{factor:.9g}"
    return f"{factor:.9g}"


def _side(side: Side) -> dict[str, Any]:
    file, line = side.at or (None, None)
    told = side._asdict() | {"file": file and shown_path(file), "line": line, "left": list(side.left)}
    told["loss"] = side.loss if isfinite(side.loss) else None
    del told["at"]
    return told


def _difference(difference: Difference) -> dict[str, Any]:
    def told(place: Where | None) -> dict[str, Any] | None:
        if place is None:
            return None
        return place._asdict() | {"file": place.file and shown_path(place.file), "called": str(place)}

    return {
        "part": difference.part,
        "at": [told(place) for place in difference.at],
        "beside": [[told(place) for place in places] for places in difference.beside],
        "says": difference.says,
    }
