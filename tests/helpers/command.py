"""The command in this process, as if it were typed: its exit status, stdout and stderr as text."""

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from io import TextIOWrapper
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

from harness.candidates.isolated import Answer
from harness.cli import main

ROOT = Path(__file__).parents[2]
APART = "harness.cli.checking.apart"
"""What checks a file in a process of its own; most cases do without one, which would take a second each."""


OF_THE_OUTER_RUN = {"CI", "BUILD_NUMBER", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "FORCE_COLOR", "GITHUB_ACTIONS"}
"""Variables that change what the command, or a pytest that it starts, prints."""


def typed(*words: object, cwd: Path | None = None, apart: bool = False, **environment: str) -> CompletedProcess[str]:
    """`harness` with these words, as if they were typed: exit status, and what it prints.

    Args:
        words: after `harness`.
        cwd: the folder that it is typed in; this process's own if None.
        apart: somebody's code is run in a process of its own, as it is for users.
        environment: variables.
    """
    given = tuple(map(str, words))
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with (
            chdir(cwd or Path.cwd()), as_if_typed(given), mock.patch.dict(os.environ, environment),
            redirected(1, "stdout", out), redirected(2, "stderr", err),
        ):  # fmt: skip
            try:
                if apart:
                    main()
                else:
                    with mock.patch(APART, here):
                        main()
                status = 0
            except SystemExit as ended:
                status = ended.code
        return CompletedProcess(given, status, *(read(file) for file in (out, err)))


def told(done: CompletedProcess[str]) -> str:
    """One command in an expected file."""
    parts = [f"$ harness {' '.join(map(quoted, done.args))}", f"exit {done.returncode}"]
    parts += [f"--- {name}\n{text}" for name, text in (("stdout", done.stdout), ("stderr", done.stderr)) if text]
    return "\n".join(part.rstrip("\n") for part in parts) + "\n"


def quoted(word: str) -> str:
    return f'"{word}"' if not word or set(word) & set(" ()[]^*\n") else word


def here(function: str, options: dict, *, partly: bool = False) -> Answer:
    """The answer of `module:function` from this process."""
    module, _, name = function.partition(":")
    return getattr(__import__(module, fromlist=[name]), name)(options)


@contextmanager
def as_if_typed(words: tuple[str, ...]) -> Iterator[None]:
    """Nothing that the command or a candidate changes in the process outlives it."""
    modules, folder = set(sys.modules), Path.cwd()
    started = mock.patch.object(sys.modules["__main__"], "__package__", None, create=True)  # usage lines name it
    path = mock.patch.object(sys, "path", list(sys.path))
    with (
        started, path, mock.patch.object(sys, "argv", ["harness", *words]), mock.patch.dict(os.environ),
        warnings.catch_warnings(action="ignore"),
    ):  # fmt: skip
        os.environ["COLUMNS"] = "80"
        for name in OF_THE_OUTER_RUN & set(os.environ):
            del os.environ[name]
        yield
    if folder in (ROOT, *ROOT.parents):  # what lies below is the project, or what it needs: that stays loaded
        return
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(f"{folder}{os.sep}"):
            del sys.modules[name]


@contextmanager
def redirected(number: int, name: str, file) -> Iterator[None]:
    """A stream of this process, its descriptor included, to a file."""
    kept = os.dup(number)
    sys.__dict__[name].flush()
    os.dup2(file.fileno(), number)
    stream = TextIOWrapper(os.fdopen(os.dup(number), "wb"), encoding="utf-8")
    try:
        with mock.patch.object(sys, name, stream):
            yield
    finally:
        stream.close()
        os.dup2(kept, number)
        os.close(kept)


def read(file) -> str:
    file.seek(0)
    return file.read().decode()
