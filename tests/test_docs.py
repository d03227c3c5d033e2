"""What the pages in docs/ and README.md show is what the commands print.

A page shows a command behind ``$`` in an indented block, and below it its output, of which ``...`` leaves out
lines. Every other line stands there verbatim. Only the last digits of a derivative, which the installed libraries
and the processor may round otherwise, are compared as numbers: within what that very line allows; and how well a cause
reproduces numbers, some roundings, is not compared at all. The files in docs/examples/ lie where the command runs.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest
from click.testing import CliRunner

from harness.cli.commands import harness as command

ROOT = Path(__file__).parent.parent
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
BLOCK = re.compile(r"^    \$ ((?:harness|pytest) .*)\n((?:    .*\n|\n(?=    ))*)", re.MULTILINE)
RESIDUAL = re.compile(r"(?<=reproduces your numbers )(exactly|to \de-\d\d)")
WAY = re.compile(r"  (\S.*?)(?:, h=\S+)? {2,}(-?[\d.]+(?:e-\d+)?) +([+-][\d.]+e-\d+|0) +(~?)([\d.]+e-\d+)")


def shown_in(page):
    text = page.read_text(encoding="utf-8")
    return [(line, [row[4:] for row in rows.rstrip("\n").split("\n")]) for line, rows in BLOCK.findall(text)]


# What README.md shows of `harness run` depends on the machine in more than last digits: see test_readme.py.
EXAMPLES = [
    (page.name, *example) for page in PAGES for example in shown_in(page) if not example[0].startswith("harness run")
]


def same(shown, printed):
    """Is it the same line, or the same derivative by the same way within what is allowed?"""
    if RESIDUAL.sub("", shown) == RESIDUAL.sub("", printed):
        return True
    ours, theirs = WAY.fullmatch(shown), WAY.fullmatch(printed)
    if not ours or not theirs or ours[1] != theirs[1] or ours[4] != theirs[4]:
        return False
    return abs(float(ours[2]) - float(theirs[2])) <= float(ours[5]) + float(theirs[5])


def missing(shown, printed):
    """The first line shown that is not printed where it should be, or None."""
    at, anywhere = 0, False
    for line in shown:
        if line == "...":
            anywhere = True
            continue
        found = next((n for n in range(at, len(printed)) if same(line, printed[n])), None)
        if found is None or (found != at and not anywhere):
            return line
        at, anywhere = found + 1, False
    return None if anywhere or at == len(printed) else printed[at]


@pytest.mark.parametrize(("page", "line", "shown"), EXAMPLES, ids=[line for _, line, _ in EXAMPLES])
def test_a_page_shows_what_is_printed_by(page, line, shown, tmp_path, monkeypatch):
    copytree(ROOT / "docs" / "examples", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)  # what a command writes, it writes here
    program, *words = shlex.split(line)
    if program == "pytest":
        words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
        status, printed = (done := subprocess.run(words, capture_output=True, text=True)).returncode, done.stdout
    else:
        status, printed = (done := CliRunner().invoke(command, words)).exit_code, done.stdout
    assert status == any("FAIL  " in row for row in shown), printed
    assert missing(shown, printed.rstrip("\n").split("\n")) is None


PYTHON = re.compile(r"^```python\n((?:(?!```).*\n)*)```\n\n((?:    .*\n)+)", re.MULTILINE)
PROGRAMS = [
    (page.name, code, printed) for page in PAGES for code, printed in PYTHON.findall(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("page", "code", "shown"), PROGRAMS, ids=[page for page, *_ in PROGRAMS])
def test_a_program_prints_what_stands_below_it(page, code, shown, capsys):
    exec(compile(code, page, "exec"), {"__name__": page})
    assert capsys.readouterr().out.splitlines() == [line[4:] for line in shown.splitlines()]


def test_every_page_has_examples_and_a_changed_number_is_missed():
    assert {page for page, *_ in EXAMPLES} == {page.name for page in PAGES}
    assert len(EXAMPLES) >= 7
    shown = ["a 1.5", "...", "  torch autograd  3.25e-06  +1.0e-20  5.6e-17", "b"]
    printed = ["a 1.5", "x", "  torch autograd  3.25e-06  -2.0e-20  5.6e-17", "b"]
    assert missing(shown, printed) is None
    assert missing(["a 1.6", *shown[1:]], printed) == "a 1.6"
    assert missing(shown[2:], printed[1:]) == shown[2]
    assert missing([*shown[:2], shown[2].replace("3.25", "3.26"), "b"], printed) is not None
    assert missing(shown[:-1], printed) == "b"
