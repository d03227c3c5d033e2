"""A campaign: cases with 1 and with 2 threads, in processes of their own, until enough entries were compared.

The command runs one, or one case again, and prints what was counted.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import msgspec
from tabulate import tabulate

from harness.environment import with_threads
from reports.soundness.cases import case, graph_case, threads_of
from reports.soundness.score import WIDE
from reports.soundness.tally import KNOWN_FAULTS, Alarm, Count, Tally

THREADS = (1, 2)
BLOCK = 16
"""Cases of one process: whole cycles of depths, losses and last activations."""
BLOCK_OF_GRAPHS = 4


@dataclass
class Campaign:
    """What was asked for and what came out."""

    seed: int
    entries: int
    tally: Tally = field(default_factory=Tally)
    layers: bool = False
    dtypes: Sequence[str] = WIDE
    cases: int = 0
    seconds: float = 0.0

    @property
    def stale(self) -> list[str]:
        """Known faults that were never met; of chains, as graphs need not have each of them."""
        faults = [] if self.layers else [fault for fault in KNOWN_FAULTS if fault.dtype in self.dtypes]
        return [fault.name for fault in faults if fault.name not in self.tally.known]

    @property
    def sound(self) -> bool:
        """Was nobody called wrong who is right, and enough compared to say so?"""
        return not self.tally.alarms and not self.stale and self.tally.total().compared >= self.entries


def run(
    entries: int,
    seed: int,
    told: Callable[[Campaign], None] | None = None,
    *,
    layers: bool = False,
    dtypes: Sequence[str] = WIDE,
    at_once: int = len(THREADS),
) -> Campaign:
    """Run a campaign, of graphs of layers alone if that is asked for; `told` is called after each block.

    What it counts does not depend on how many processes run `at_once`.

    Raises:
        RuntimeError: a process ended without a tally.
    """
    campaign, begin = Campaign(seed, entries, layers=layers, dtypes=dtypes), time.monotonic()
    size = BLOCK_OF_GRAPHS if layers else BLOCK

    def share(threads: int) -> None:
        compared = first = 0
        while compared < entries / len(THREADS):
            block = _block(dtypes, seed, threads, first, size, int(layers))
            compared += block.total().compared
            first += size
            campaign.tally.add(block)
            campaign.cases += size
            campaign.seconds = time.monotonic() - begin
            if told:
                told(campaign)

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(share, THREADS))
    return campaign


def _block(dtypes: Sequence[str], seed: int, threads: int, *which: int) -> Tally:
    """The tally of one process; `which`, see `judge_cases`."""
    words = [sys.executable, "-m", "reports.soundness.worker", *map(str, (seed, threads, *which)), ",".join(dtypes)]
    done = subprocess.run(words, env=with_threads(threads), capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words[1:])} ended with {done.returncode}: {done.stderr.decode()[-2000:]}")
    return msgspec.msgpack.decode(done.stdout, type=Tally)


SAYS = "The command: run a campaign, or one case again, and print what was counted."
ENTRIES = 10_000_000
MOST_ALARMS = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Exit with 0 if nobody was called wrong, with 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m reports.soundness", description=SAYS)
    parser.add_argument("--entries", type=int, default=ENTRIES, help="entries to compare (default: 10 million)")
    parser.add_argument("--seed", type=int, default=0, help="of all cases")
    parser.add_argument("--layers", action="store_true", help="graphs of layers of every kind alone, no chains")
    dtypes = ",".join(WIDE)
    parser.add_argument("--dtypes", default=dtypes, help=f"in which to judge, with commas (default: {dtypes})")
    parser.add_argument("--case", type=int, help="judge this case of the seed again, and nothing else")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    options = parser.parse_args(arguments)
    if options.case is not None:
        sys.exit(again(options.seed, options.case, options.layers, options.dtypes))
    told = None if options.json else _progress
    campaign = run(options.entries, options.seed, told, layers=options.layers, dtypes=options.dtypes.split(","))
    print(as_json(campaign) if options.json else as_text(campaign))
    sys.exit(0 if campaign.sound else 1)


def _progress(campaign: Campaign) -> None:
    compared, alarms = campaign.tally.total().compared, len(campaign.tally.alarms)
    print(f"{campaign.seconds:5.0f} s, {campaign.cases} cases, {compared:,} entries, {alarms} alarms", file=sys.stderr)


def again(seed: int, number: int, layers: bool = False, dtypes: str = ",".join(WIDE)) -> int:
    """Judge one case again, with its number of threads; 1 if there is an alarm."""
    threads = threads_of(number)
    which = map(str, (seed, threads, number // 2, 1, int(layers)))
    words = [sys.executable, "-m", "reports.soundness.worker", *which, dtypes]
    done = subprocess.run(words, env=with_threads(threads), stdout=subprocess.PIPE, check=True)
    tally = msgspec.msgpack.decode(done.stdout, type=Tally)
    drawn = graph_case(seed, number) if layers else case(seed, number)
    print(f"case {number} of seed {seed}, {threads} threads: {drawn.network!r}")
    print(_counts(tally))
    for alarm in tally.alarms:
        print(told(alarm))
    return 1 if tally.alarms else 0


def as_text(campaign: Campaign) -> str:
    """Everything that was counted, alarms last."""
    tally = campaign.tally
    parts = [_counts(tally), _rules(tally)]
    parts += [f"{fault.name}: met {tally.known.get(fault.name, 0)} times, {fault.reason}" for fault in KNOWN_FAULTS]
    parts += [f"not comparable, {times} times: {what}" for what, times in sorted(tally.lacking.items())]
    parts += [told(alarm) for alarm in tally.alarms[:MOST_ALARMS]]
    if (cut := len(tally.alarms) - MOST_ALARMS) > 0:
        kinds = Counter(", ".join(alarm.what) for alarm in tally.alarms).most_common()
        parts.append("\n".join([f"{cut} more alarms; all of them:", *(f"  {times} x {kind}" for kind, times in kinds)]))
    parts += [f"stale: {name} is listed in reports/soundness/tally.py and was never met" for name in campaign.stale]
    return "\n\n".join([*parts, headline(campaign)])


def headline(campaign: Campaign) -> str:
    """One line: how much was compared, how fast, how many alarms."""
    compared, alarms = campaign.tally.total().compared, len(campaign.tally.alarms)
    return (
        f"{compared:,} entries compared in {campaign.cases} cases, {compared / campaign.seconds:,.0f} a second, "
        f"seed {campaign.seed}: {alarms} alarms"
    )


def _counts(tally: Tally) -> str:
    """Entries by check, dtype and implementation."""
    groups: dict[tuple[str, str, str], Count] = {}
    for key, count in tally.counts.items():
        groups.setdefault((key.check, key.dtype, key.against), Count()).add(count)
    lines = [
        [*group, *(f"{n:,}" for n in (c.compared, c.powerless, c.unbounded, c.unjudged)), f"{100 * c.used:.0f} %"]
        for group, c in sorted(groups.items())
    ]
    headers = ("check", "dtype", "against", "compared", "no power", "unbounded", "not judged", "most used")
    return tabulate(lines, headers, disable_numparse=True, colalign=("left",) * 3 + ("right",) * 5)


def _rules(tally: Tally) -> str:
    """The largest share of an allowance that anybody used, by rule."""
    groups: dict[tuple[str, str, str], Count] = {}
    for key, count in tally.counts.items():
        if key.check in ("rounding", "update"):
            groups.setdefault((key.rule, key.dtype, key.against), Count()).add(count)
    best: dict[tuple[str, str], tuple[str, Count]] = {}
    for (rule, dtype, against), count in groups.items():
        if count.used >= best.get((rule, dtype), ("", Count()))[1].used:
            best[rule, dtype] = (against, count)
    lines = [[*key, f"{100 * c.used:.0f} %", against, c.where] for key, (against, c) in sorted(best.items())]
    headers = ("rule", "dtype", "most used", "by", "where")
    return tabulate(lines, headers, disable_numparse=True, colalign=("left", "left", "right", "left", "left"))


def told(alarm: Alarm) -> str:
    """An alarm, with the line that repeats it."""
    what = f"{alarm.what.rule}, {alarm.what.check}, {alarm.what.dtype}, {alarm.what.against}"
    layers = "" if alarm.network.startswith("Network") else " --layers"
    dtypes = "" if alarm.what.dtype in ("", *WIDE) else f" --dtypes {alarm.what.dtype}"
    repeat = f"python -m reports.soundness{layers}{dtypes} --seed {alarm.seed} --case {alarm.number}"
    return f"ALARM {what}\n  {alarm.text}\n  {alarm.network}, {alarm.point}\n  again: {repeat}"


def as_json(campaign: Campaign) -> str:
    """The counts, one object for each check, rule, dtype and implementation, and the alarms."""
    tally = campaign.tally
    counts = [key._asdict() | msgspec.structs.asdict(count) for key, count in sorted(tally.counts.items())]
    alarms = [msgspec.structs.asdict(alarm) | {"what": alarm.what._asdict()} for alarm in tally.alarms]
    result = {"seed": campaign.seed, "cases": campaign.cases, "seconds": campaign.seconds, "counts": counts}
    result |= {"seen": tally.seen, "known": tally.known, "lacking": tally.lacking, "alarms": alarms}
    return msgspec.json.encode(result | {"stale": campaign.stale, "sound": campaign.sound}).decode()
