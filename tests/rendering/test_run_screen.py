"""The end of a run's screen: what was missed, where the record is, and what to type next."""

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.cli.commands import harness as command
from tests.helpers.command import typed

SHORT = ["run", "3-2-1", "--data", "random", "--against", "hand", "--steps", "3"]


def screen(*arguments):
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False).output


def ending(text, word):
    return [line.removeprefix(f"{word}  ") for line in text.splitlines() if line.startswith(f"{word}  ")]


@pytest.fixture
def saturating(tmp_path):
    """Inputs of 1e20, so that what is left of some gradients is rounding."""
    path = tmp_path / "large_values.npz"
    np.savez(path, x=1e20 * np.ones((5, 4)), y=np.ones((5, 1)))
    return str(path)


def test_next_repeats_what_was_typed():
    typed = "harness run 3-2-1 --against hand --data random --steps 3 --batch 5 --lr 0.5"
    (told,) = ending(screen(*SHORT, "--batch", "5", "--lr", "0.5"), "next")
    assert told == f"{typed} --output run.jsonl    {typed} --verbose    harness doctor"


def test_what_was_asked_is_not_proposed_and_the_record_is_named(tmp_path):
    path = tmp_path / "a_run.jsonl"
    text = screen(*SHORT, "--output", str(path), "--verbose", "--format", "markdown")
    assert ending(text, "next") == ["harness doctor"]
    assert ending(text, "record") == [f"{path}, {len(path.read_text().splitlines())} lines"]


def test_what_was_missed_is_listed_and_power_is_next(saturating, tmp_path):
    options = ["run", "4-3-1", "--data", saturating, "--raw", "--against", "hand", "--steps", "1"]
    text = screen(*options, "--verbose", "--format", "markdown")
    missed = ending(text, "missed")
    assert len(missed) > 3
    assert "computed in float32 at dW2" in missed
    power = f"harness power 4-3-1 --against hand --data {saturating} --raw"
    assert ending(text, "next")[0].split("    ")[0] == power
    run = harness.run("4-3-1", saturating, ["hand"], raw=True, steps=1, output=tmp_path / "run.jsonl")
    assert harness.read_run(tmp_path / "run.jsonl").power.which == run.power.which == missed
    assert not ending(screen(*options), "missed")


def test_str_of_a_run_is_the_text_and_proposes_nothing_that_is_not_true():
    run = harness.run("3-2-1", "random", ["hand"], steps=3)
    assert ending(str(run), "next") == ["harness doctor"]
    assert str(run).splitlines()[:-1] == screen(*SHORT).splitlines()[:-1]


def test_str_of_an_explanation_is_the_text():
    told = harness.explain("W1[1,1]", "3-2-1", data="random", against=["hand"])
    printed = typed("explain", "W1[1,1]", "3-2-1", "--data", "random", "--against", "hand").stdout
    assert str(told).split("\n\n")[:-1] == printed.strip("\n").split("\n\n")[:-1]


def test_the_worst_share_is_said_to_be_of_a_weight_gradient():
    run = harness.run("3-2-1", "random", ["hand"], steps=3)
    assert "worst used of a weight gradient: " in run.outcome.reason

    def backward(weights, x, y):
        return dict(harness.reference("3-2-1", weights, x, y).gradients)

    checked = harness.check(backward, "3-2-1", "random")
    assert "worst used of a weight gradient: " in checked.reason
