"""Records that say what cannot be are refused in one line; numbers at the end of the range are not."""

# ruff: noqa: E402 - what the imports need is asked for first

import json

import pytest

from tests.helpers import browsing

browsing.required("jinja2", "latex2mathml", "click")

import harness
from reports.command import report
from reports.page.rendering import page


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run.jsonl"
    harness.run(steps=2, against=["hand"], output=path)
    return path.read_text().splitlines()


def written(tmp_path, lines, number, change):
    """A record of which one line is changed."""
    told = json.loads(lines[number - 1])
    change(told)
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join([*lines[: number - 1], json.dumps(told), *lines[number:]]) + "\n")
    return path


STEPS = [
    (3, lambda step: step["rows"][0].__setitem__(7, -1.0), "used = -1.0"),
    (3, lambda step: step["rows"][0].__setitem__(3, 55), "is step 2 and has a row of step 55"),
    (2, lambda step: step["weights"].update(W1=[1.0]), "weights that do not have the shapes of line 1"),
    (2, lambda step: step["doubles"].update(torch={"dW1": [1.0]}), "gradients that do not have the shapes of line 1"),
]


def head_with(**values):
    return lambda head: head.update(values)


@pytest.mark.parametrize(
    ("number", "change", "told"),
    [
        (1, head_with(dtype="float31"), "the dtype 'float31'"),
        (1, head_with(dtype="int8"), "the dtype 'int8'"),
        (1, head_with(weights={"W1": [4, 3]}), "weights and gradients that do not belong together"),
        (1, head_with(weights={}), "weights and gradients that do not belong together"),
        (1, head_with(implementations={}), "names no implementation"),
        (1, head_with(steps=-1), "steps = -1"),
        (1, head_with(batch=-3), "batch = -3"),
    ],
)
def test_a_record_that_says_what_cannot_be_is_refused(number, change, told, lines, tmp_path, capsys):
    path = written(tmp_path, lines, number, change)
    with pytest.raises(SystemExit) as ended:
        report.main([str(path), "-o", str(tmp_path / "page.html")], standalone_mode=False)
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert f"Cannot read {path}, because line {number} " in error
    assert told in error
    assert error.count("\n") == 1
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(("number", "change", "told"), STEPS)
def test_a_step_that_says_what_cannot_be_is_left_out_and_told(number, change, told, lines, tmp_path):
    lost = harness.read_run(written(tmp_path, lines, number, change)).lost
    ((line, why),) = lost.lines
    assert (line, lost.steps) == (number, (number - 1,))
    assert told in why


def test_numbers_at_the_end_of_the_range_give_a_page_without_a_warning(lines, tmp_path):
    def large(step):
        step["losses"] = {"hand": 1e308}
        step["weights"] = {name: [1e308] * len(flat) for name, flat in step["weights"].items()}
        for row in step["rows"]:
            row[5:10] = [1e308] * 5

    assert page(harness.read_run(written(tmp_path, lines, 2, large))).startswith("<!DOCTYPE html>")
