"""Annotations keep the format of workflow commands, whatever is in them."""

import re

import pytest

import harness
from harness.rendering.github import Annotation, of_run, workflow_commands
from tests.broken import faults

COMMAND = re.compile(
    r"::(?P<level>error|warning|notice)"
    r" (?:file=(?P<file>[^,:]*),(?:line=(?P<line>\d+),)?)?title=(?P<title>[^,:]*)::(?P<message>.*)"
)


def read(line):
    """What a runner makes of a line: properties parted at commas, then every escape undone."""
    found = COMMAND.fullmatch(line)
    assert found, line
    told = {name: value for name, value in found.groupdict().items() if value is not None}
    for escape, character in {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}.items():
        told = {name: value.replace(escape, character) for name, value in told.items()}
    return told


def test_file_and_line_come_first_and_only_where_they_are_known():
    assert workflow_commands(
        [
            Annotation("error", "FAIL", "first wrong link: dz2", "src/my_nn.py", 41),
            Annotation("warning", "inherited", "dW2", "src/my_nn.py"),
            Annotation("notice", "PASS", "6 gradients, worst 31 %", line=3),
        ]
    ) == [
        "::error file=src/my_nn.py,line=41,title=FAIL::first wrong link: dz2",
        "::warning file=src/my_nn.py,title=inherited::dW2",
        "::notice title=PASS::6 gradients, worst 31 %25",
    ]


@pytest.mark.parametrize("text", ["a:b,c", "100 %", "50%25", "two\nlines", "a\r\nb", "::error::x", "%0A", "ж ∂L"])
def test_any_text_comes_back_as_it_was(text):
    (line,) = workflow_commands([Annotation("error", text, text, text, 1)])
    assert line.isprintable()
    told = read(line)
    assert told == {"level": "error", "file": text, "line": "1", "title": text, "message": text}


def test_what_could_steer_a_terminal_is_shown_by_its_escape():
    (line,) = workflow_commands([Annotation("error", "\x1b[31m", "\x07\u202e\u2028", "a\x1b.py")])
    assert line == r"::error file=a\x1b.py,title=\x1b[31m::\x07\u202e\u2028"


def test_a_file_below_the_working_directory_is_named_from_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inside, outside = workflow_commands(
        [Annotation("error", "FAIL", "x", str(tmp_path / "a" / "nn.py")), Annotation("error", "FAIL", "x", "/b/nn.py")]
    )
    assert read(inside)["file"] == "a/nn.py"
    assert read(outside)["file"] == "/b/nn.py"


def test_at_most_ten_are_written():
    lines = workflow_commands(Annotation("notice", "n", str(number)) for number in range(30))
    assert [read(line)["message"] for line in lines] == [str(number) for number in range(10)]


def test_a_run_that_passes_is_one_notice():
    (line,) = workflow_commands(of_run(harness.run(against=[], steps=1)))
    told = read(line)
    assert (told["level"], told["title"]) == ("notice", "PASS")
    assert "agrees with its float64 centre" in told["message"]


def test_a_run_that_fails_tells_its_verdict_then_its_wrong_tensors(register):
    register("broken", faults.in_layer(faults.Sign))
    told = [read(line) for line in workflow_commands(of_run(harness.run(against=["broken"], steps=2)))]
    assert [(t["level"], t["title"]) for t in told] == [("error", "FAIL"), *[("error", "FAULT")] * 3]
    assert "first wrong link dW2" in told[0]["message"]
    assert told[1]["message"] == "formula: dW2 of broken at step 1, 12 of 12 outside"
