"""Seeds of the campaign as jobs of a sweep: ``campaign = "soundness"`` in the file of ``harness sweep``.

A job is a campaign of one seed; its record is what was counted, as JSON, the time left out, so that it is the same
wherever it was run.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.sweeping.job import Finished, Job, Kind, Option, Result
from harness.usage import UsageError
from reports.soundness.campaign import ENTRIES, Campaign, run
from reports.soundness.tally import Alarm, Count, Key, Tally


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign counted; `counts` in the order of their keys."""

    seed: int
    entries: int
    layers: bool
    cases: int
    counts: list[tuple[Key, Count]]
    seen: dict[str, int]
    known: dict[str, int]
    lacking: dict[str, int]
    alarms: list[Alarm]


def perform(job: Job) -> Finished:
    """Run a campaign: one process at a time, since other jobs run too."""
    asked = job.given
    if asked["entries"] < 1:
        raise UsageError(
            f"Cannot compare entries = {asked['entries']}, because a campaign compares one or more; say so."
        )
    campaign = run(asked["entries"], asked["seed"], layers=asked["layers"], at_once=1)
    record = record_of(campaign)
    return Finished(result_of(record), msgspec.json.encode(record) + b"\n")


def record_of(campaign: Campaign) -> Record:
    """Everything that was counted."""
    tally = campaign.tally
    return Record(
        seed=campaign.seed, entries=campaign.entries, layers=campaign.layers, cases=campaign.cases,
        counts=sorted(tally.counts.items(), key=lambda each: each[0]),
        seen=dict(sorted(tally.seen.items())), known=dict(sorted(tally.known.items())),
        lacking=dict(sorted(tally.lacking.items())), alarms=sorted(tally.alarms, key=lambda alarm: alarm.number),
    )  # fmt: skip


def result_of(record: Record) -> Result:
    """FAIL where a correct implementation was called wrong."""
    compared = Tally(counts=dict(record.counts)).total().compared
    said = f"{compared:,} entries compared in {record.cases} cases: {len(record.alarms)} alarms"
    if record.alarms:
        first = record.alarms[0]
        return Result("FAIL", 1, f"{said}; first {first.what.rule} of {first.what.against}, case {first.number}")
    return Result("PASS", 0, said)


def read(path: Path) -> Result | None:
    """The result in a record; None where it is damaged."""
    try:
        return result_of(msgspec.json.decode(path.read_bytes(), type=Record))
    except (msgspec.DecodeError, OSError, UnicodeDecodeError):
        return None


SOUNDNESS = Kind(
    {"seed": Option(int, 0), "entries": Option(int, ENTRIES), "layers": Option(bool, False)},
    ("seed", "entries"), ("python", "-m", "reports.soundness"), perform, read,
)  # fmt: skip
