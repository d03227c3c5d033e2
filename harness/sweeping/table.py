"""What a sweep prints: the verdict, a row for all runs that differ in nothing but their seed, those that went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from harness.rendering.columns import Column, text
from harness.results.numbers import part, plain
from harness.results.record import Verdict
from harness.usage import visible

if TYPE_CHECKING:
    from harness.sweeping.summary import Ran, Sweep

MOST_TOLD = 12
"""Runs that are told one by one."""
SEED = "seed"


class Group(NamedTuple):
    """Runs that differ in nothing but their seed."""

    settings: dict[str, Any]
    ran: Sequence[Ran]

    @property
    def verdicts(self) -> Counter[Verdict]:
        """How many have which."""
        return Counter(each.result.verdict for each in self.ran)

    @property
    def used(self) -> float | None:
        """The most that any of them used of an allowance."""
        return max((each.result.used for each in self.ran if each.result.used is not None), default=None)


def groups(sweep: Sweep) -> list[Group]:
    """All runs, in the order of the matrix."""
    found: dict[str, Group] = {}
    for each in sweep.ran:
        settings = {key: value for key, value in each.job.given.items() if key != SEED}
        found.setdefault(repr(settings), Group(settings, [])).ran.append(each)  # type: ignore[attr-defined]
    return list(found.values())


def of_groups(shown: Sequence[Group]) -> list[Column[Group]]:
    """The columns: the settings in which groups differ, how many runs have which verdict, the most that was used."""
    keys = _different(shown) or [next(iter(shown[0].settings))]
    columns = [Column(key, _setting(key), _side(shown, key), foreign=True) for key in keys]
    columns += [Column("runs", lambda group: str(len(group.ran)), "right")]
    for verdict in reversed(get_args(Verdict)):
        if verdict == "PASS" or any(group.verdicts[verdict] for group in shown):
            columns += [Column(verdict, _count(verdict), "right")]
    return [*columns, Column("used", lambda group: "" if group.used is None else part(group.used), "right")]


def _different(shown: Sequence[Group]) -> list[str]:
    return [key for key in shown[0].settings if len({group.settings[key] for group in shown}) > 1]


def _side(shown: Sequence[Group], key: str) -> Any:
    return "left" if shown[0].ran[0].job.kind.options[key].kind is str else "right"


def _setting(key: str) -> Callable[[Group], str]:
    return lambda group: "" if group.settings[key] is None else str(group.settings[key])


def _count(verdict: Verdict) -> Callable[[Group], str]:
    return lambda group: str(group.verdicts[verdict] or "")


def wrong(sweep: Sweep) -> list[Ran]:
    """Those that did not pass, the gravest first."""
    return [each for verdict in get_args(Verdict) if verdict != "PASS" for each in sweep.of(verdict)]


def heading(sweep: Sweep) -> str:
    """What was run, and what all runs have in common."""
    said = []
    if shown := groups(sweep):
        kind, different = sweep.ran[0].job.kind, _different(shown)
        told = {key: value for key, value in shown[0].settings.items() if key not in different}
        said = [f"{k} {v}" for k, v in told.items() if k in kind.shown or v != kind.options[k].default]
        seeds = sorted({each.job.given[SEED] for each in sweep.ran})
        said.append(f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds from {seeds[0]} to {seeds[-1]}")
    return " · ".join([sweep.source, f"{sweep.planned:,} run{'s' * (sweep.planned != 1)}", *said])


def render(sweep: Sweep, style: str = "table") -> str:
    """The whole screen; `style` is table or markdown."""
    shown = groups(sweep)
    parts = [plain(heading(sweep), style), f"{sweep.verdict}  {plain(sweep.reason, style)}"]
    if shown:
        parts.append(text(of_groups(shown), shown, style))
    told = wrong(sweep)
    lines = []
    for job, result in told[:MOST_TOLD]:
        lines += [f"{result.verdict}  {plain(job.command, style)}", f"      {plain(result.reason, style)}"]
    if len(told) > MOST_TOLD:
        lines.append(f"and {len(told) - MOST_TOLD} more; --json has them all")
    if lines:
        parts.append("\n".join(lines))
    record = next((each for each in [*told, *sweep.ran] if each.result.steps), None)
    footer = [visible(f"records  {sweep.folder}/*.jsonl, one for each run; summary.json and summary.txt beside them")]
    if record:
        footer.append(visible(f"next  harness report {sweep.folder}/{record.job.name}.jsonl -o report.html"))
    return "\n\n".join([*parts, "\n".join(footer)])
