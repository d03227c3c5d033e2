"""Recognition: in which dialect somebody's tensors are right, or least of them wrong.

Dialects are tried where something is wrong as it stands, one alone first, then two and three together. One in which
nothing is wrong is taken. Another loss is taken only where the loss that is shown is that one, and a gradient bears it
out. One that leaves a mistake is taken only where it leaves fewer than there are without it, each mistake explaining
all that it can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from harness.arithmetic import Profile
from harness.diagnosis import Diagnosis, diagnose
from harness.diagnosis.location import Located, located
from harness.dialects.biases import without_biases
from harness.dialects.conventions import CONVENTIONS
from harness.dialects.dialect import Dialect
from harness.dialects.losses import Rescaled, scaled_losses
from harness.dialects.penalties import other_losses, unshown_losses
from harness.evaluation.point import Point
from harness.faults.place import Place
from impls.contract import Array
from impls.graph import LOSS

DIALECTS: tuple[Callable[[Point, Mapping[str, Array]], Iterator[Dialect]], ...] = (
    *CONVENTIONS, without_biases, scaled_losses, other_losses,
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
        return self.diagnosed(beyond=True)

    def diagnosed(self, *, beyond: bool) -> list[Diagnosis]:
        """What explains what is wrong, by the catalogue alone or beyond it."""
        judged, profile = self.located, self.point.profile
        if not judged.faulty:
            return []
        return diagnose(self.point, self.shown, profile, judged.faulty, judged.planted, beyond=beyond)

    @property
    def faulty(self) -> list[str]:
        """Tensors whose own link is wrong, in order."""
        return self.located.faulty

    @property
    def says(self) -> str:
        """The dialects in words that follow ``is right``; empty if there is none."""
        return ", ".join(dialect.says for dialect in self.dialects)

    @property
    def of_the_loss_that_was_said(self) -> bool:
        """Whether no dialect is another loss, or a factor of it."""
        return not any(d.of_loss or isinstance(d.network.loss, Rescaled) for d in self.dialects)

    @property
    def option(self) -> str | None:
        """What says so on the command line, where something does."""
        return next((dialect.option for dialect in self.dialects if dialect.option), None)

    def elsewhere(self, point: Point, shown: Mapping[str, Array]) -> tuple[Point, Mapping[str, Array]]:
        """Another point of the program, and what it shows there, read likewise."""
        return read_in(self.dialects, point, shown)


def read_in(dialects: Sequence[Dialect], point: Point, shown: Mapping[str, Array]) -> tuple[Point, Mapping[str, Array]]:
    """A point of the network that all of them mean, and what is shown, under the names of what it stands for there."""
    for dialect in dialects:
        point = dialect.point(point)
    for dialect in dialects:
        shown = dialect.taken(point, shown)
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
        tried = [more for each in tried for more in _with_one_more(each, plain, profile, against)]
        borne_out = [each for each in tried if _borne_out(each, plain)]
        right = [each for each in borne_out if not each.located.faulty]
        if right:
            return right
        partly += borne_out
    least = min((each.located.amiss for each in partly), default=0)
    best = min(
        (each for each in partly if each.located.amiss == least), key=lambda each: sum(_mistakes(each)), default=plain
    )
    return [best if best is not plain and _fewer(best, plain) else plain]


def unshown(point: Point, shown: Mapping[str, Array], against: str) -> Iterator[Any]:
    """Losses of which all of it is right, where no loss is shown that tells."""
    profile = point.profile
    for dialect in unshown_losses(point, shown):
        if not located(dialect.point(point), shown, profile, against).faulty:
            yield dialect.network.loss


def _with_one_more(read: Recognised, plain: Recognised, profile: Profile, against: str) -> Iterator[Recognised]:
    """What one more dialect makes better."""
    another_loss = any(dialect.of_loss for dialect in read.dialects)
    for dialects in DIALECTS:
        for dialect in dialects(read.point, read.shown):
            if another_loss and dialect.of_loss:
                continue  # one loss is meant, which is read as a whole
            point = dialect.point(read.point)
            if point is read.point and dialect.taken(point, read.shown) is read.shown:
                continue
            point, shown = read_in((*read.dialects, dialect), plain.point, plain.shown)
            judged = located(point, shown, profile, against)
            fewer = judged.amiss < read.located.amiss + bool(dialect.without)
            if fewer and (LOSS not in judged.faulty or dialect.of_gradients or not dialect.of_loss):
                yield Recognised(dialects=(*read.dialects, dialect), point=point, shown=shown, located=judged)


NOT_BORNE_OUT = ("penalty missing", "scaled by a constant")
"""Mistakes in what a penalty adds to a gradient that any number read off a loss would have."""


def _borne_out(read: Recognised, plain: Recognised) -> bool:
    """Whether another loss, whose number was read off the loss that is shown, makes some gradient right as well.

    Or is what one of them has a multiple with a name of, such as twice what a penalty adds.
    """
    tensors, right_now = plain.point.network.tensors, set(plain.located.faulty) - set(read.located.faulty)
    right_now = right_now.difference(*(dialect.without for dialect in read.dialects))
    if not any(dialect.of_loss for dialect in read.dialects):
        return True
    if any(tensors[name].role == "gradient" for name in right_now):
        return True
    links = read.point.network.link
    return any(
        cause.cause not in NOT_BORNE_OUT and Place(read.point.network, links[cause.at]).of_penalty
        for diagnosis in read.diagnosed(beyond=False)
        for cause in diagnosis.causes
        if diagnosis.shown_at in plain.located.faulty
    )


def _fewer(read: Recognised, plain: Recognised) -> bool:
    """Whether there are fewer mistakes; and no more without a name, where it is another network or fewer gradients."""
    one, other = _mistakes(read), _mistakes(plain)
    unnamed = not any(dialect.without for dialect in read.dialects) or one.unnamed <= other.unnamed
    return sum(one) < sum(other) and unnamed


class _Mistakes(NamedTuple):
    named: int
    unnamed: int


def _mistakes(read: Recognised) -> _Mistakes:
    """How many there are, each explaining all that it can; and what is right though a wrong tensor leads to it.

    That is another mistake, which undoes the first: or none is, and what is shown is right in another dialect. The
    catalogue alone is asked, and what it has no name for it explains nowhere.
    """
    found = read.diagnosed(beyond=False)
    unnamed = [name for diagnosis in found if not diagnosis.causes for name in diagnosis.explains]
    named = sum(bool(diagnosis.causes) for diagnosis in found)
    return _Mistakes(named, len(unnamed) + len(read.located.regardless))
