"""Locating: which of the tensors shown are right, which link is the first wrong one, and what only inherits.

Every tensor is judged twice: end to end, against the centre of the network at this point, and as a link, given whatever
was shown before it (see `harness.evaluation.expected`). Outside as a link is a FAULT; outside end to end only is
inherited. A tensor that is right end to end was made of right ones, even where a wrong one is shown under the name of
what it was made of: a name that was used again, and handed on by ``return locals()``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from msgspec.structs import replace

from harness.arithmetic import Bounded, Profile
from harness.comparison.checks import judge_link
from harness.comparison.judge import Check, Row, but_for_rounding, judge, not_comparable
from harness.diagnosis.alternatives import Reading, reading
from harness.evaluation.centre import parts_of
from harness.evaluation.expected import Walk
from harness.evaluation.point import Point
from harness.evaluation.subgradients import Sides
from impls.contract import Array
from impls.graph import Graph, Link, Rule

GIVEN = "right, given its own inputs"


@dataclass(frozen=True)
class Located:
    """Every tensor shown, judged; weight gradients that were not shown are not comparable.

    Attributes:
        rows: end to end, with the verdict of both judgements, in the order of a training step.
        links: the same tensors as links alone.
        cosines: of the angle between what is shown and what is right, where both are finite and not 0.
        undecided: comparisons at a kink that the bounds leave open.
        on_kinks: arguments exactly on a kink, where some tensor is inside only with both sides of each open.
        formed: tensors that are right in another form than the hand code's; the reason says which.
        planted: rules that stand in place of links in the right program by which they are judged, by the link's name.
        regardless: tensors that are right end to end, and not given what is shown wrong before them.
    """

    rows: list[Row]
    links: list[Row]
    cosines: Mapping[str, float]
    undecided: int
    on_kinks: int = 0
    formed: frozenset[str] = frozenset()
    planted: Mapping[str, Rule] = field(default_factory=dict, repr=False)
    regardless: frozenset[str] = frozenset()

    @cached_property
    def faulty(self) -> list[str]:
        """Tensors whose own link is wrong, in order; the first of them is the first wrong link."""
        return [row.gradient for row in self.rows if row.verdict == "FAULT"]

    @property
    def amiss(self) -> int:
        """How many tensors are wrong, or are right though they should not be."""
        return len(self.faulty) + len(self.regardless)

    def of(self, verdict: str) -> list[Row]:
        """The rows with a verdict."""
        return [row for row in self.rows if row.verdict == verdict]


def located(point: Point, shown: Mapping[str, Array], profile: Profile, against: str) -> Located:
    """Judge every tensor that is shown.

    Args:
        point: network, weights and batch at which the tensors were computed.
        shown: tensors by name, of the shapes that the network gives them and of the point's dtype.
        profile: of the programs that may have made them.
        against: what rows call whoever made them.
    """
    read = reading(point, shown, profile, partial(_outside, point, shown))
    walked, centre64 = read.walked, point.double.centre("float64").tensors
    check: Check = "formula" if profile.dtype == "float64" else "end-to-end"
    rows, links, cosines = [], [], dict[str, float]()
    inputs, wrong, regardless = shown_inputs(point.network, shown), set[str](), set[str]()
    for link in point.network.links:
        name = link.output
        if name not in shown:
            if name in point.network.gradients:
                rows.append(not_comparable(check, name, against, point.step, f"{against} returns no {name}"))
            continue
        own = _judged("rounding", name, against, shown[name], read.expected(name))
        if own.verdict == "no power":
            own = _alone(link, point, shown, profile, own)
        if convention := _taken(read, name) or (
            own.verdict != "no power" and _convention(point.network, link, walked, shown[name])
        ):
            own = replace(own, verdict="convention", reason=convention)
        end = _judged(check, name, against, shown[name], read.centre(name))
        if own.verdict == "FAULT" and end.verdict == "ok" and inputs[name] & wrong:
            own = end
            regardless.add(name)
        if own.verdict == "FAULT":
            wrong.add(name)
        links.append(own)
        row = _told(own, end, any(row.verdict in ("FAULT", "convention") for row in rows))
        row = but_for_rounding(row, partial(point.vanishes, name))
        rows.append(replace(row, reason=read.right_as(name) or row.reason) if row.verdict == "ok" else row)
        cosines |= _cosine(name, shown[name], centre64[name].value)
    formed = frozenset(row.gradient for row in rows if row.verdict == "ok" and read.right_as(row.gradient))
    open_ = read.hull if read.hull and read.undecided_only else None
    return Located(
        rows, links, cosines, (open_ or walked).undecided, read.on_kinks if open_ else 0, formed, read.rules,
        frozenset(regardless),
    )  # fmt: skip


def _outside(point: Point, shown: Mapping[str, Array], walked: Walk) -> frozenset[str]:
    """Shown tensors that a walk does not explain, not even by another subgradient."""
    return frozenset(
        link.output
        for link in point.network.links
        if link.output in shown
        and not walked.expected[link.output].holds(shown[link.output])
        and not _convention(point.network, link, walked, shown[link.output])
    )


def _taken(read: Reading, name: str) -> str | None:
    """Why a tensor is right only by another convention at kinks that are not shown, or only if none is required."""
    if name in read.undecided_only:
        n = read.on_kinks
        on = "1 argument on a kink allows" if n == 1 else f"{n} arguments on a kink allow"
        return f"inside what {on}, though no single convention gives it"
    return f"all arguments on a kink take {read.convention}" if name in read.by_convention else None


def shown_inputs(network: Graph, shown: Collection[str]) -> dict[str, frozenset[str]]:
    """The shown tensors that each link reads, itself or through links that are not shown."""
    found: dict[str, frozenset[str]] = {}
    for link in network.links:
        through = (frozenset([name]) if name in shown else found.get(name, frozenset()) for name in link.inputs)
        found[link.output] = frozenset().union(*through)
    return found


def _alone(link: Link, point: Point, shown: Mapping[str, Array], profile: Profile, walked: Row) -> Row:
    """The row of a link fed exactly what is shown, where all that it reads is, and where that row is right.

    It is sharper than the walk, which passes on what a function may have computed anew; a function that did so is
    outside, and has no power.
    """
    tensors = {**point.given, **shown}
    parts = parts_of(point.network, link, tensors)
    read = [*link.inputs, *(name for part in parts.values() for name in part.inputs)]
    if not all(name in tensors or name in parts for name in read):
        return walked
    actual = shown[link.output]
    row = judge_link(link, tensors, actual, profile, walked.against, walked.step, shown=shown, parts=parts)
    return row if row.verdict == "ok" else walked


def _judged(check: Check, name: str, against: str, actual: Array, expected: Bounded) -> Row:
    value, bound = np.asarray(expected.value), np.asarray(expected.bound)
    return judge(check, name, against, 1, actual=actual, expected=value, allowed=bound)


def _told(own: Row, end: Row, located_before: bool) -> Row:
    """The end-to-end row with the verdict that both judgements give together."""
    if own.verdict == "FAULT":
        # A wrong link whose tensor is nevertheless inside end to end is told by its own figures.
        return replace(end if end.verdict == "FAULT" else own, verdict="FAULT", reason=own.reason)
    if own.verdict == "convention":
        return replace(end, verdict="convention", reason=own.reason)
    if end.verdict == "FAULT" and located_before:
        return replace(end, verdict="inherited", reason=GIVEN)
    if end.verdict == "no power" and own.verdict == "ok":
        return own
    return end


def _convention(network: Graph, link: Link, walked: Walk, actual: Array) -> str | None:
    """Why a link differs only where its argument is exactly on a kink and another subgradient is as good.

    None where it does not differ, or for another reason.
    """
    context, parts = walked.expected[link.output].context, parts_of(network, link, ())

    def reads(each: Link) -> list[Any]:
        return [parts[name].rule(*reads(parts[name])) if name in parts else argument(name) for name in each.inputs]

    def argument(name: str) -> Any:
        """It decides the branch exactly as shown; the gradient above may carry a bound."""
        tensor = walked.read[name]
        exact = isinstance(tensor, Bounded) and network.tensors[name].role != "gradient"
        return context.exact(tensor.value) if exact else tensor

    sides = Sides.of_link(link, reads, parts)
    if sides is None:
        return None
    expected = link.rule(*reads(link))
    if expected.holds(actual) or not sides.allow(actual, expected):
        return None
    count = int(np.count_nonzero(expected.outside(actual) & sides.jumps))
    return f"{count} of {actual.size} arguments are exactly on a kink, where another subgradient is taken"


def _cosine(name: str, actual: Array, expected: Array) -> dict[str, float]:
    with np.errstate(all="ignore"):
        one, other = np.asarray(actual, np.float64).ravel(), expected.ravel()
        one, other = one / np.abs(one).max(), other / np.abs(other).max()  # so that no square overflows
        cosine = float(one @ other / np.sqrt((one @ one) * (other @ other)))
    return {name: max(-1.0, min(1.0, cosine))} if np.isfinite(cosine) else {}
