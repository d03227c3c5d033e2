"""Names and messages of others are shown, never obeyed: by a terminal, a log, a table or a JSON reader."""

import json
import os
import re
import sys

import pytest
from click.testing import CliRunner

import harness
from harness.cli.commands import harness as command
from harness.usage import visible
from impls.contract import CannotCompareError, Pass
from impls.hand_numpy import Hand

HOSTILE = "\x1b[31mred\x07\r\n::error::out\u202etxt.\u2028%0A|`*<b>_\udcff"
"""An escape, a bell, line ends, a workflow command, a turned direction, markup, a byte that is no text."""

FORMATS = {
    "table": [],
    "verbose": ["--verbose"],
    "quiet": ["--quiet"],
    "markdown": ["--format", "markdown"],
    "github": ["--format", "github"],
    "json": ["--json"],
    "jsonl": ["--format", "jsonl"],
}


def typed(*words):
    return CliRunner().invoke(command, ["run", "--steps", "1", *words])


def tame(text):
    """Nothing but printable characters in lines, and no line that is a workflow command but our own."""
    assert all(c == "\n" or c.isprintable() for c in text)
    assert all(line.startswith(("::notice title=", "::error title=")) for line in text.split("\n") if line[:2] == "::")
    assert "\udcff" not in text


def hostile_csv(folder):
    name = os.fsdecode(os.fsencode(HOSTILE).replace(b"/", b"")) + ".csv"
    if sys.platform == "darwin":  # its file systems refuse bytes that are no text
        name = name.replace("\udcff", "")
    header = HOSTILE.replace("\udcff", "").replace("\r\n", "\n")
    (folder / name).write_text(f'"{header}",b,c\n1,2,"{header}"\n2,3,"{header}"\n', encoding="utf-8", newline="")
    return str(folder / name)


@pytest.mark.parametrize("style", FORMATS)
def test_a_file_and_a_class_with_a_hostile_name_in(style, tmp_path):
    record = tmp_path / "run.jsonl"
    done = typed("2-1", "--against", "hand", "--data", hostile_csv(tmp_path), "--output", str(record), *FORMATS[style])
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    tame(done.stdout)
    assert r"target 1 for \x1b[31mred\x07" in harness.read_run(record).head.data
    if style == "json":
        assert r"\x1b[31mred\x07" in json.loads(done.stdout)["data"]
    if style in ("table", "verbose"):
        assert r"\x1b[31mred\x07" in done.stdout
    if style == "markdown":
        assert re.search(r"(?<!\\)[|`*<_]", done.stdout.split(" · ")[2]) is None


@pytest.mark.parametrize("style", FORMATS)
def test_an_implementation_with_a_hostile_version_setting_message_and_tensor_in(style, register, tmp_path):
    class Names(Hand):
        """Returns a tensor that the network does not have, under a hostile name."""

        def __init__(self, network, dtype):
            super().__init__(network, dtype)
            self.version = HOSTILE

        def environment(self):
            return {HOSTILE: HOSTILE, 3: 4}

        def differentiate(self, weights, x, y, *, tap=True):
            result = super().differentiate(weights, x, y, tap=tap)
            return Pass(result.loss, {**result.gradients, HOSTILE: result.loss}, result.activations)

    class Raises(Hand):
        def differentiate(self, weights, x, y, *, tap=True):
            raise RuntimeError(HOSTILE)

    class Lacks(Hand):
        def __init__(self, network, dtype):
            super().__init__(network, dtype)
            if dtype == "float64":
                raise CannotCompareError(HOSTILE)

    for name, build in {"names": Names, "raises": Raises, "lacks": Lacks}.items():
        register(name, build)
    record = tmp_path / "run.jsonl"
    done = typed("--against", "names,raises,lacks", "--output", str(record), *FORMATS[style])
    assert done.exit_code == 1, done.output
    assert done.stderr == ""
    tame(done.stdout)
    assert len(harness.read_run(record).findings) == 2
    if style == "markdown":
        tables = [block.splitlines() for block in done.stdout.split("\n\n") if block.startswith("|")]
        assert len(tables) == 2
        for table in tables:  # every row has as many cells as the header
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1


def test_hostile_words_are_shown_by_their_escapes(tmp_path):
    for words in (
        ["--data", HOSTILE], ["--data", f"{HOSTILE}.csv"], ["--output", f"{HOSTILE}/x"], ["--target", HOSTILE],
        ["--loss", HOSTILE], ["--against", HOSTILE], [HOSTILE], ["--data", hostile_csv(tmp_path), "--target", "z"],
    ):  # fmt: skip
        done = typed(*words)
        assert (done.exit_code, done.stdout) == (2, "")
        tame(done.stderr)
        assert done.stderr.count("\n") == 1
        assert r"\x1b[31mred" in done.stderr


def test_what_is_printable_stays_as_it_is():
    assert visible("naïve Größe, 데이터, עברית · dW1 4×3 → ∂L") == "naïve Größe, 데이터, עברית · dW1 4×3 → ∂L"
    assert visible("a\tb\nc\u202ed\udcff\x7f") == r"a\tb\nc\u202ed\udcff\x7f"
