"""A job: the settings of one run, under a name that they decide; and what became of it, with its record.

A job runs what its kind says: ``harness run``, unless its settings name a campaign, which another package offers in the
entry-point group `CAMPAIGNS`.
"""

from __future__ import annotations

import pickle
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from harness.lockstep.asked import run_asked
from harness.lockstep.evidence import StepEvidence
from harness.lockstep.judging import judged
from harness.results.record import Step, Verdict
from harness.results.run import Run, read_run
from harness.results.steps import Steps
from harness.usage import UsageError, told, visible


class Option(NamedTuple):
    """What an option of ``harness run`` takes, and what it is where it is not given."""

    kind: Any
    default: Any = None


OPTIONS: Mapping[str, Option] = {
    "network": Option(str, "4-3-2-1"),
    "against": Option(str),
    "data": Option(str, "iris"),
    "target": Option(str),
    "raw": Option(bool, False),
    "activation": Option(str),
    "output-activation": Option(str),
    "loss": Option(str),
    "l2": Option(float),
    "l1": Option(float),
    "steps": Option(int),
    "epochs": Option(int),
    "batch": Option(int),
    "dtype": Option(str, "float32"),
    "device": Option(str, "cpu"),
    "optimizer": Option(str, "gradient-descent"),
    "lr": Option(float),
    "seed": Option(int, 0),
    "check-every": Option(int),
    "check": Option(Literal["schedule", "full"], "schedule"),
    "exact": Option(bool, False),
    "free-run": Option(bool, False),
}
"""The options of ``harness run`` that say what is run, the network in the place of its argument."""

T = TypeVar("T")

MOST_SENT = 2**28
"""Bytes of what was run in one job that are judged elsewhere."""

CAMPAIGN, CAMPAIGNS = "campaign", "harness.campaigns"
LONGEST = 80
"""Characters of a name in front of its digest."""


@dataclass(frozen=True)
class Job:
    """One run of a matrix.

    Attributes:
        settings: what is not at its default, by the names of the kind's options, in their order.
        files: SHA-256 of the files that the settings name, by setting.
        places: where in the matrix each setting stands.
    """

    settings: Mapping[str, Any]
    files: Mapping[str, str]
    places: Mapping[str, str]

    @property
    def kind(self) -> Kind:
        """What it runs."""
        return kind_of(self.settings.get(CAMPAIGN))

    @cached_property
    def name(self) -> str:
        """The same wherever the job is run, and another for other settings and for files with other contents."""
        told = dict.fromkeys([*self.kind.shown, *self.settings])
        shown = {key: self.settings.get(key, self.kind.options[key].default) for key in told}
        words = [str(v) if isinstance(v, str) else k if v is True else f"{k}-{v}" for k, v in shown.items()]
        start = re.sub(r"[^A-Za-z0-9.]+", "-", " ".join(words)).strip("-.")[:LONGEST].rstrip("-.")
        digest = sha256(msgspec.json.encode([dict(self.settings), dict(self.files)])).hexdigest()[:12]
        return "-".join(filter(None, [start, digest]))

    @cached_property
    def given(self) -> dict[str, Any]:
        """Every option of its kind."""
        return {key: self.settings.get(key, option.default) for key, option in self.kind.options.items()}

    @cached_property
    def options(self) -> dict[str, Any]:
        """What `harness.lockstep.asked` takes."""
        given = dict(self.given)
        model = given.pop("network")
        return {"model": model} | {key.replace("-", "_"): value for key, value in given.items()}

    @property
    def against(self) -> list[str] | None:
        """Names of implementations; None for all."""
        text = self.settings.get("against")
        return None if text is None else [name.strip() for name in text.split(",") if name.strip()]

    @property
    def command(self) -> str:
        """The same run by itself."""
        words = list(self.kind.command)
        for key, value in self.settings.items():
            if key == CAMPAIGN:
                continue
            if key != "network":
                words.append(f"--{key}")
            words += [] if value is True else [str(value)]
        return visible(shlex.join(words))


class Result(msgspec.Struct, frozen=True):
    """What became of a job.

    Attributes:
        exit: the status that the run by itself ends with; 2 where it was refused, 3 where it raised or its process
            ended.
        used: the largest share of its allowance that any weight gradient used, of those within theirs.
    """

    verdict: Verdict
    exit: int
    reason: str
    steps: int = 0
    used: float | None = None


class Finished(NamedTuple):
    """A result, and the record of the run, where there is one."""

    result: Result
    record: bytes | None = None


class Collected(NamedTuple):
    """Everything that was run in a job, none of it judged, packed."""

    packed: bytes


class Kind(NamedTuple):
    """What jobs run.

    Attributes:
        options: what is not at its default in them is their settings; ``seed`` is one of them.
        shown: options that are always told, at their defaults too.
        command: the words that run one by itself, its settings behind them.
        perform: runs a job; raises whatever goes wrong.
        read: the result in a record, None where that is damaged or not whole.
        collect: runs a job and judges nothing of it; None where that is one thing.
    """

    options: Mapping[str, Option]
    shown: Sequence[str]
    command: Sequence[str]
    perform: Callable[[Job], Finished]
    read: Callable[[Path], Result | None]
    collect: Callable[[Job], Collected] | None = None


def kind_of(campaign: str | None) -> Kind:
    """The kind of jobs of a campaign, by its name; training runs if None.

    Raises:
        UsageError: no package offers a campaign of that name.
    """
    return RUNS if campaign is None else _campaign(campaign)


@lru_cache
def _campaign(name: str) -> Kind:
    found = {point.name: point for point in entry_points(group=CAMPAIGNS)}
    if name not in found:
        raise UsageError(
            f"Cannot run campaign = {name!r}, because no package offers it; choose from {', '.join(found) or 'none'}."
        )
    kind: Kind = found[name].load()
    return kind._replace(options={CAMPAIGN: Option(str), **kind.options})


def performed(job: Job) -> Finished:
    """Run a job in this process; what it raises is its result."""
    return _guarded(lambda: job.kind.perform(job))


def collected(job: Job) -> Finished | Collected:
    """Run a job in this process and judge nothing, if that can be done apart; what it raises is its result."""
    collect = job.kind.collect
    return performed(job) if collect is None else _guarded(lambda: collect(job))


def _guarded(call: Callable[[], T]) -> T | Finished:
    try:
        return call()
    except UsageError as error:
        return Finished(Result("NOT COMPARED", 2, str(error)))
    except Exception as error:  # of the harness, of a framework: the other jobs go on
        return Finished(Result("NOT COMPARED", 3, visible(f"raised {told(error)}")))


def _run(job: Job) -> Finished:
    return _finished(run_asked(job.options, job.against, command=job.command))


def _finished(run: Run) -> Finished:
    return Finished(result_of(run), b"".join(line + b"\n" for line in run.lines()))


def _collect(job: Job) -> Collected:
    steps, size = list[bytes | Step](), 0

    def judge(ran: StepEvidence) -> Step:
        nonlocal size
        packed = pickle.dumps(ran, pickle.HIGHEST_PROTOCOL)
        size += len(packed)
        # What is too much to be sent is judged where it ran; a run goes on by what was run.
        steps.append(packed if size <= MOST_SENT else judged(ran))
        return judged(replace(ran, checked="none"))

    run = run_asked(job.options, job.against, command=job.command, judge=judge)
    return Collected(pickle.dumps((run.head, run.how, run.power, steps), pickle.HIGHEST_PROTOCOL))


def judged_apart(evidence: Collected) -> Finished:
    """The result and the record of a run that was collected, wherever that was."""
    head, how, power, steps = pickle.loads(evidence.packed)
    made = (judged(pickle.loads(each)) if isinstance(each, bytes) else each for each in steps)
    return _finished(Run(head, Steps(made), how, power=power))


def _read(path: Path) -> Result | None:
    run = read_run(path)
    return None if run.lost or run.how == "cut off" else result_of(run)


RUNS = Kind(OPTIONS, ("network", "dtype", "optimizer", "seed"), ("harness", "run"), _run, _read, _collect)


def result_of(run: Run) -> Result:
    """The result of a run, made or read."""
    named = set(run.gradients)
    used = [row.used for row in run.rows if row.verdict == "ok" and row.gradient in named and row.used is not None]
    return Result(run.verdict, run.exit, run.reason, len(run.steps), max(used, default=None))


def digest_of_file(text: str) -> str | None:
    """SHA-256 of the file that a setting names; None where it names none."""
    path = Path(text.removeprefix("text:"))
    try:
        return sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    except (OSError, ValueError):
        return None
