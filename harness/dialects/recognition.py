"""Recognition: in which dialect somebody's tensors are right, or least of them wrong.

Dialects are tried where something is wrong as it stands, one alone first, then two and three together. One in which
nothing is wrong is taken. Another loss is taken only where the loss that is shown is that one, and a gradient bears it
out. One that leaves a mistake is taken only where it leaves fewer than there are without it, each mistake explaining
all that it can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from harness.arithmetic import Profile, profile_of
from harness.diagnosis import Diagnosis, diagnose
from harness.diagnosis.location import Located, located
from harness.dialects.conventions import CONVENTIONS
from harness.dialects.dialect import Dialect
from harness.dialects.losses import scaled_losses
from harness.dialects.penalties import epsilons, penalties
from harness.evaluation.point import Point
from impls.contract import Array
from impls.graph import LOSS

DIALECTS: tuple[Callable[[Point, Mapping[str, Array]], Iterator[Dialect]], ...] = (
    *CONVENTIONS, scaled_losses, penalties, epsilons,
)  # fmt: skip
TOGETHER = 3
"""Dialects that one program may be written in at once."""


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """What somebody shows, as it is read.

    Attributes:
        dialects: in which; none where it is read as it stands.
        point: of the network that is meant.
        shown: tensors, under the names of what they stand for.
        located: these, judged.
    """

    dialects: tuple[Dialect, ...]
    point: Point
    shown: Mapping[str, Array]
    located: Located

    @cached_property
    def diagnoses(self) -> list[Diagnosis]:
        """What explains what is wrong; found when it is first asked for."""
        judged, profile = self.located, profile_of(self.point.dtype)
        return diagnose(self.point, self.shown, profile, judged.faulty, judged.planted) if judged.faulty else []

    @property
    def says(self) -> str:
        """The dialects in words that follow ``is right``; empty if there is none."""
        return ", ".join(dialect.says for dialect in self.dialects)

    @property
    def option(self) -> str | None:
        """What says so on the command line, where something does."""
        return next((dialect.option for dialect in self.dialects if dialect.option), None)

    def elsewhere(self, point: Point, shown: Mapping[str, Array]) -> tuple[Point, Mapping[str, Array]]:
        """Another point of the program, and what it shows there, read likewise."""
        for dialect in self.dialects:
            point, shown = dialect.point(point), dialect.taken(dialect.point(point), shown)
        return point, shown


def recognised(
    point: Point, shown: Mapping[str, Array], profile: Profile, against: str, *, strict: bool = False
) -> list[Recognised]:
    """How it may be read, all of them equally good: as it stands, or in the dialects that leave least wrong.

    Args:
        point, shown, profile, against: as in `harness.diagnosis.location.located`.
        strict: whether it is read as it stands whatever is wrong then.
    """
    judged = located(point, shown, profile, against)
    plain = Recognised(dialects=(), point=point, shown=shown, located=judged)
    if strict or not judged.faulty:
        return [plain]
    tried, partly = [plain], list[Recognised]()
    for _ in range(TOGETHER):
        tried = [more for each in tried for more in _with_one_more(each, profile, against)]
        borne_out = [each for each in tried if _borne_out(each, plain)]
        right = [each for each in borne_out if not each.located.faulty]
        if right:
            return right
        partly += borne_out
    fewest = min(partly, key=lambda each: each.located.amiss, default=None)
    return [fewest if fewest and _mistakes(fewest) < _mistakes(plain) else plain]


def _with_one_more(read: Recognised, profile: Profile, against: str) -> Iterator[Recognised]:
    """What one more dialect makes better."""
    for dialects in DIALECTS:
        for dialect in dialects(read.point, read.shown):
            point = dialect.point(read.point)
            shown = dialect.taken(point, read.shown)
            if point is read.point and shown is read.shown:
                continue
            judged = located(point, shown, profile, against)
            fewer = judged.amiss < read.located.amiss
            if fewer and not (dialect.of_loss and LOSS in judged.faulty):
                yield Recognised(dialects=(*read.dialects, dialect), point=point, shown=shown, located=judged)


def _borne_out(read: Recognised, plain: Recognised) -> bool:
    """Whether another loss, whose number was read off the loss that is shown, makes some gradient right as well."""
    tensors, right_now = plain.point.network.tensors, set(plain.located.faulty) - set(read.located.faulty)
    of_loss = any(dialect.of_loss for dialect in read.dialects)
    return not of_loss or any(tensors[name].role == "gradient" for name in right_now)


def _mistakes(read: Recognised) -> int:
    """How many there are, each explaining all that it can; and what is right though a wrong tensor leads to it.

    That is another mistake, which undoes the first: or none is, and what is shown is right in another dialect.
    """
    return len(read.diagnoses) + len(read.located.regardless)
