"""A job: the settings of one run, under a name that they decide; and what became of it, with its record."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from harness.lockstep.asked import run_asked
from harness.results.record import Verdict
from harness.results.run import Run
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
    "optimizer": Option(str, "gradient-descent"),
    "lr": Option(float),
    "seed": Option(int, 0),
    "check-every": Option(int),
    "check": Option(Literal["schedule", "full"], "schedule"),
    "exact": Option(bool, False),
    "free-run": Option(bool, False),
}
"""The options of ``harness run`` that say what is run, the network in the place of its argument."""

SHOWN = ("network", "dtype", "optimizer", "seed")
"""Always told, at their defaults too."""
LONGEST = 80
"""Characters of a name in front of its digest."""


@dataclass(frozen=True)
class Job:
    """One run of a matrix.

    Attributes:
        settings: what is not at its default, by the names of `OPTIONS`, in their order.
        files: SHA-256 of the files that the settings name, by setting.
        places: where in the matrix each setting stands.
    """

    settings: Mapping[str, Any]
    files: Mapping[str, str]
    places: Mapping[str, str]

    @cached_property
    def name(self) -> str:
        """The same wherever the job is run, and another for other settings and for files with other contents."""
        shown = {key: self.settings.get(key, OPTIONS[key].default) for key in dict.fromkeys([*SHOWN, *self.settings])}
        words = [str(v) if isinstance(v, str) else k if v is True else f"{k}-{v}" for k, v in shown.items()]
        start = re.sub(r"[^A-Za-z0-9.]+", "-", " ".join(words)).strip("-.")[:LONGEST].rstrip("-.")
        digest = sha256(msgspec.json.encode([dict(self.settings), dict(self.files)])).hexdigest()[:12]
        return "-".join(filter(None, [start, digest]))

    @cached_property
    def options(self) -> dict[str, Any]:
        """What `harness.lockstep.asked` takes."""
        given = {key: self.settings.get(key, option.default) for key, option in OPTIONS.items()}
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
        words = ["harness", "run"]
        for key, value in self.settings.items():
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


def performed(job: Job) -> Finished:
    """Run a job in this process; what it raises is its result."""
    try:
        run = run_asked(job.options, job.against, command=job.command)
        return Finished(result_of(run), b"".join(line + b"\n" for line in run.lines()))
    except UsageError as error:
        return Finished(Result("NOT COMPARED", 2, str(error)))
    except Exception as error:  # of the harness, of a framework: the other jobs go on
        return Finished(Result("NOT COMPARED", 3, visible(f"raised {told(error)}")))


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
