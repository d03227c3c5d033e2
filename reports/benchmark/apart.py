"""Rounds that a process of its own takes, one for each line that it reads, and answers with a line of what they took.

Only then does the other go on, so that one of them computes at a time. What runs in a process alone finds the memory of
a new process, as with whoever runs nothing else in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile

ASLEEP = 0.04
"""Seconds after which idle threads sleep that nobody told to; those of NumPy's OpenBLAS spin for 0.026."""

Round = dict[str, float]


@contextmanager
def apart(module: str, name: str, environment: Mapping[str, str]) -> Iterator[Callable[[], Round]]:
    """What takes a round of a case by a module of the benchmark, in a process that ends with the context.

    Raises:
        RuntimeError: the process ended before it answered.
    """
    words = [sys.executable, "-m", f"reports.benchmark.{module}", name]
    with (
        TemporaryFile("w+") as told,
        subprocess.Popen(
            words, bufsize=0, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answers = process.stdin, process.stdout

        def take() -> Round:
            time.sleep(ASLEEP)  # threads of whoever computed before are not to take the cores
            with suppress(BrokenPipeError):  # it has ended, and what it told says why
                asked.write(b"take a round\n")
            if line := answers.readline():
                found: Round = json.loads(line)
                return found
            told.seek(0)
            raise RuntimeError(f"{module} steps of {name} ended with {process.wait()}: {told.read()[-2000:]}")

        try:
            yield take
        finally:
            process.kill()


def answer(rounds: Iterable[Round]) -> None:
    """Take one for each line of the standard input."""
    for _, taken in zip(sys.stdin, rounds, strict=False):
        print(json.dumps(taken), flush=True)
