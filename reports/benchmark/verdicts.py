"""How other checks do beside this harness, in figures and in a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from tabulate import tabulate

from reports.benchmark.figure import Figure

OURS = "harness.check"
LADDER = tuple(10.0**power for power in range(-14, 3))
"""By what part of itself a gradient is off."""


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """How one check does on one network.

    Attributes:
        needs: what somebody has to write or have to use it.
        seconds: of the processor until a verdict on the right program, and that as a multiple of harness.check's.
        entry, whole: the least power of ten by which one entry of the first weight's gradient, or all of it, can be off
            and is seen; None where even the most that was tried is not.
        missed: of the `planted` mistakes, those that it accepts; None, and so are the other two, where it calls the
            right program wrong too.
        alarms: of the right program at so many seeds, how often it is called wrong, in float32 and in float64.
        unsure: how often it says that it could not tell.
    """

    network: str
    check: str
    dtype: str
    needs: str
    seconds: float
    ratio: float
    entry: float | None
    whole: float | None
    planted: int
    missed: list[str] | None
    seeds: int
    alarms: dict[str, int]
    unsure: dict[str, int]


def figures_of(found: Sequence[Verdicts]) -> Iterator[Figure]:
    """Each number of them that stands in a row of its own; only this harness has goals."""
    for each in found:
        ours, of = each.check.startswith(OURS), f"{each.check}, {each.dtype}"
        yield Figure(
            network=each.network, measure=f"{of}: time to a verdict against harness.check", ratio=each.ratio,
            target=None, detail=f"{each.seconds:.3g} s of processor time",
        )  # fmt: skip
        if each.missed is not None:
            yield Figure(
                network=each.network, measure=f"{of}: planted mistakes missed", ratio=len(each.missed), unit="",
                target=0 if ours else None, detail=f"of {each.planted}",
            )  # fmt: skip
        yield Figure(
            network=each.network, measure=f"{of}: false alarms", ratio=sum(each.alarms.values()), unit="",
            target=0 if ours else None, detail=_alarms(each),
        )  # fmt: skip


def _alarms(each: Verdicts) -> str:
    told = [
        f"{dtype} {count} of {each.seeds}{f', {each.unsure[dtype]} cannot tell' if each.unsure[dtype] else ''}"
        for dtype, count in each.alarms.items()
    ]
    return "; ".join(told)


REFUSED = "calls the right one wrong too"


def checks_table(found: Sequence[Verdicts], form: str = "simple") -> str:
    """One line for each check on each network."""
    headers = (
        "network", "check", "dtype", "processor time", "x ours", "one entry off is seen from", "all of it from",
        "mistakes missed", "false alarms",
    )  # fmt: skip
    lines = [
        (
            each.network, each.check, each.dtype, _duration(each.seconds), f"{each.ratio:.2g}",
            *(("", "", REFUSED) if each.missed is None else
              (_share(each.entry), _share(each.whole), f"{len(each.missed)} of {each.planted}")),
            _alarms(each),
        )
        for each in found
    ]  # fmt: skip
    aligned = ("left", "left", "left", *("right",) * 5, "left")
    return tabulate(lines, headers, tablefmt=form, disable_numparse=True, colalign=aligned)


def _share(part: float | None) -> str:
    return f"never (x {LADDER[-1]:g})" if part is None else f"{part:.0e}" if part < 1 else f"x {part:g}"


def _duration(seconds: float) -> str:
    return (
        f"{1000 * seconds:.3g} ms"
        if seconds < 1
        else f"{seconds:.3g} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
    )
