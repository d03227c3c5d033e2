"""What the pages in docs/ and README.md show is what the commands print.

A page shows a command behind ``$`` in an indented block, and below it its output, of which ``...`` leaves out
lines. Every other line stands there verbatim, its numbers included. What the installed libraries and the processor
may round otherwise is compared as it can be, see `same` and `outline`. The files in docs/examples/ lie where the
command runs. What README.md lists is what the code takes.
"""

import re
import shlex
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from shutil import copytree

import pytest
from click.testing import CliRunner

from harness import from_toml
from harness.cli.commands import harness as command
from harness.faults.catalogue import CAUSES
from impls.hand.notation import ACTIVATIONS, LOSSES, OPTIMIZERS
from tests.golden.normalising import MASKS, masked

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
BLOCK = re.compile(r"^    \$ ((?:harness|pytest) .*)\n((?:    .*\n|\n(?=    ))*)", re.MULTILINE)
FRACTION = r"\d+\.\d+(e-\d+)?"
ROUNDING = re.compile(r"(?<=reproduces your numbers )(exactly|to \de-\d\d)|(?<= used of a weight gradient: ).*")
WAY = re.compile(r"  (\S.*?)(?:, h=\S+)? {2,}(-?[\d.]+(?:e-\d+)?) +([+-][\d.]+e-\d+|0) +(~?)([\d.]+e-\d+)")


def shown_in(page):
    text = page.read_text(encoding="utf-8")
    return [(line, [row[4:] for row in rows.rstrip("\n").split("\n")]) for line, rows in BLOCK.findall(text)]


EXAMPLES = [(page.name, *example) for page in PAGES for example in shown_in(page)]


def true_derivative(value, minus_exact):
    """The derivative that was printed less its error, and by how much rounding the error for the screen moves it."""
    error = Decimal(minus_exact)
    return Decimal(float(value)) - error, Decimal(1).scaleb(error.as_tuple().exponent) / 2


def same(shown, printed):
    """Is it the same line, or the same derivative by the same way?

    How well a cause reproduces numbers, and how much roundings use, is not compared. The last digits of a derivative
    are other ones elsewhere, as is the h of a central difference, which is chosen by its error: compared is the true
    derivative that a line tells, its value less its error. That the error is within what is allowed, for a bound.
    """
    if ROUNDING.sub("", shown) == ROUNDING.sub("", printed):
        return True
    ours, theirs = WAY.fullmatch(shown), WAY.fullmatch(printed)
    if not ours or not theirs or ours[1] != theirs[1] or ours[4] != theirs[4]:
        return False
    if not ours[4] and any(abs(float(way[3])) > float(way[5]) for way in (ours, theirs)):
        return False
    (one, by), (other, by_other) = true_derivative(ours[2], ours[3]), true_derivative(theirs[2], theirs[3])
    return abs(one - other) <= by + by_other


NOISE = [
    (r"digest [0-9a-f]+", "digest"),  # of weights after 200 steps in float32
    (r"[\d.]+e-\d+ +(?:[\d.]+ %|(no power))$", r"\1"),  # how far two float32 results are apart
    (r"[\d.]+ %", "%"),  # the share of an allowance that rounding used
    (r"\S+ × +\S+(?=  \S.* measured)", "×"),  # what is measured, with its allowance
    (r"step \d+ (?:[\w.]+\[[\d,]+\]|[wb](_\d+)?)", ""),  # where that was
    (r"\(\w+, \w+, step \d+\)", ""),
    (r"-{3,}", "---"),
]
"""What a run prints of its rounding errors, which are other ones on another processor."""


def outline(line):
    """The words and numbers of a line that a run prints, without versions and its rounding errors."""
    return masked(line, [*MASKS, *NOISE]).split()


def same_in_a_run(shown, printed):
    """Is it the same line but for rounding errors? What is not whole may differ by one in its last digit."""
    ours, theirs = outline(shown), outline(printed)
    return len(ours) == len(theirs) and all(map(_same_word, ours, theirs))


def _same_word(shown, printed):
    if shown == printed:
        return True
    if not (re.fullmatch(FRACTION, shown) and re.fullmatch(FRACTION, printed)):
        return False
    last = Decimal(1).scaleb(Decimal(shown).as_tuple().exponent)
    return abs(Decimal(shown) - Decimal(printed)) <= last


def missing(shown, printed, same=same):
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
    compared = same_in_a_run if words[0] in ("run", "sweep", "program", "compare-programs") else same
    assert missing(shown, printed.rstrip("\n").split("\n"), compared) is None


PYTHON = re.compile(r"^```python\n((?:(?!```).*\n)*)```\n\n((?:    .*\n)+)", re.MULTILINE)
PROGRAMS = [
    (page.name, code, printed) for page in PAGES for code, printed in PYTHON.findall(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("page", "code", "shown"), PROGRAMS, ids=[page for page, *_ in PROGRAMS])
def test_a_program_prints_what_stands_below_it(page, code, shown, capsys):
    exec(compile(code, page, "exec"), {"__name__": page})
    assert capsys.readouterr().out.splitlines() == [line[4:] for line in shown.splitlines()]


def test_every_page_has_examples_and_every_command_is_tried():
    assert {page for page, *_ in EXAMPLES} == {page.name for page in PAGES}
    pages = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    commands = [line for page in pages for line in page.read_text(encoding="utf-8").splitlines() if "    $ " in line]
    assert [line.removeprefix("    $ ") for line in commands] == [line for _, line, _ in EXAMPLES]


def test_a_changed_number_is_missed():
    jax = "  jax grad  -0.0003027048105642745     +1.11e-19   2.27e-17"
    shown = ["a 1.5", "...", "  jax grad  -0.00030270481056427444    +1.65e-19   2.27e-17", "b"]
    printed = ["a 1.5", "x", jax, "b"]
    assert missing(shown, printed) is None
    assert missing(["a 1.6", *shown[1:]], printed) == "a 1.6"
    assert missing(shown[2:], printed[1:]) == shown[2]
    assert missing([*shown[:2], shown[2].replace("3027", "3028"), "b"], printed) is not None
    assert missing(shown[:-1], printed) == "b"


CENTRAL = "  central difference, h=2e-4  -0.0003027048099966123     +5.68e-13  ~9.41e-13"


@pytest.mark.parametrize(
    ("printed", "right"),
    [
        ("  central difference, h=6e-5  -0.00030270481192928855    -1.37e-12  ~5.00e-13", True),
        ("  central difference, h=6e-5  -0.00030270481192928855    -1.77e-12  ~5.00e-13", False),
        ("  central difference, h=6e-5  -0.00030270491192928855    -1.37e-12  ~5.00e-13", False),
        ("  jax grad                    -0.00030270481192928855    -1.37e-12  ~5.00e-13", False),
        ("  central difference, h=6e-5  -0.00030270481192928855    -1.37e-12   5.00e-13", False),
    ],
)
def test_a_derivative_is_compared_by_the_true_one_that_its_line_tells(printed, right):
    assert same(CENTRAL, printed) is right


POWER = "power  331 faults planted at 12 links (5 change nothing on this data), 0 missed"
ROW = "db1 3       hand                0.0 %  2.9e-12                          7.1 %  2.2e-04  step 112 b_1"
DIFFERENT = "            torch       1.7 %  2.9e-12  step 40 b_3     1.5 %  2.2e-04  step 167 b_1   1.1e-07   1.8 %"


@pytest.mark.parametrize(
    ("shown", "printed", "right"),
    [
        (POWER, POWER, True),
        (POWER, POWER.replace("331", "339"), False),
        (ROW, ROW.replace("7.1 %", "16.4 %").replace("112 b_1", "50 b_3"), True),
        (ROW, ROW.replace("2.2e-04", "2.1e-04"), True),
        (ROW, ROW.replace("2.2e-04", "2.4e-04"), False),
        (ROW, ROW.replace("hand", "jax"), False),
        (DIFFERENT, DIFFERENT.replace("1.1e-07", "9.9e-07"), True),
        (DIFFERENT, DIFFERENT.replace("2.9e-12", "9.9e-12"), False),
        ("loss  hand 38.43745 → 3.026408", "loss  hand 38.43745 → 3.026407", True),
        ("loss  hand 38.43745 → 3.026408", "loss  hand 38.43745 → 3.026428", False),
    ],
)
def test_a_run_is_compared_but_for_its_rounding_errors(shown, printed, right):
    assert same_in_a_run(shown, printed) is right


README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_name_and_the_toml_file_are_what_the_code_takes():
    for table, first in [(ACTIVATIONS, "| activations |"), (LOSSES, "| losses |"), (OPTIMIZERS, "| optimizers |")]:
        line = next(line for line in README.splitlines() if line.startswith(first))
        listed = re.sub(r" \([a-z0-9_, ]+\)|, all with.*", "", line.removeprefix(first).strip(" |"))
        assert listed.split(", ") == list(table)
    network = from_toml(README.split("```toml\n")[1].split("```")[0])
    assert repr(network.layers) == "(Dense(4, 3), LeakyRelu(slope=0.1))"


def test_the_changes_count_the_causes_that_there_are():
    assert f"its catalogue of {len(CAUSES)} reproduces" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
