"""``harness check --chain``: what a function returns is checked in a process apart; wrong input is told."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import answers
from harness.cli.commands import harness as command
from harness.usage import UsageError
from tests.helpers.command import typed

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def checked(*words, cwd=EXAMPLES, **options):
    return typed("check", *words, cwd=cwd, **options)


def test_a_wrong_chain_its_record_and_its_page(tmp_path):
    pytest.importorskip("latex2mathml")
    page = tmp_path / "page.html"
    done = checked("chain.py", "--chain", "--json", "--report", page)
    told = json.loads(done.stdout)
    assert (done.returncode, told["exit"], told["first_wrong"], told["wrong"]) == (1, 1, "ddiff", ["ddiff", "dC"])
    text = page.read_text()
    for words in (
        "check of a chain",
        "chain.py --chain",
        "✗ FAULT",
        "repeated index overwritten",
        "ddiff (chain.py:43)",
    ):
        assert words in text, words


def test_a_function_that_went_through_both_passes_itself(tmp_path):
    (tmp_path / "mine.py").write_text(ITSELF)
    done = checked("mine.py:exercise", "--chain", "--format", "github", cwd=tmp_path, apart=True)
    assert done.returncode == 1
    assert done.stdout.startswith("::error title=FAIL::dz is wrong: dz is the right one times 1/2")
    assert "::error title=wrong gradient dz::" in done.stdout


ITSELF = """
import torch

def exercise():
    x = torch.randn(5, 3)
    w = torch.randn(3, 2, requires_grad=True)
    z = x @ w
    h = torch.tanh(z)
    loss = (h**2).sum()
    with torch.no_grad():
        dh = 2 * h
        dz = dh * (1 - h**2) / 2
        dw = x.T @ dz
    return locals()
"""
FUNCTIONS = """
def nothing():
    pass

def raising():
    raise ValueError("no data")

def weights():
    return {"W1": 1.0}

def half():
    return {"forward": weights}

def needing(p):
    return {}

def slow():
    while True:
        pass

number = 3
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "it returns nothing; .* is called without arguments, and returns what harness.check_chain takes"),
        ("raising", "it raises ValueError: no data;"),
        (
            "weights",
            "a dictionary of W1; return some of forward, backward, inputs, tensors, gradients, loss, arrays, or all",
        ),
        ("needing", "missing 1 required positional argument"),
        ("number", "it is a builtins.int;"),
        ("slow", "it did not answer within 0.2 s;"),
        ("missing", "has no function missing"),
    ],
)
def test_a_function_that_gives_no_chain_is_told_what_to_give(name, message, tmp_path):
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    with pytest.raises(UsageError, match=message):
        answers._returned(f"{tmp_path / 'mine.py'}:{name}", 0.2)


def test_what_is_half_there_is_told_by_the_check(tmp_path, capfd):
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    options = {"function": f"{tmp_path / 'mine.py'}:half", "timeout": 1.0, "report": None, "what": "chain"}
    assert answers.answered(options).status == 2
    assert "Cannot check a chain, because it takes backward, or gradients" in capfd.readouterr().err


@pytest.mark.parametrize(
    "option", ["--lr 0.1", "--seed 1", "--dtype float32", "--reference tanh", "--optimizer adam", "--update", "--l2 1"]
)
def test_options_of_something_else_are_refused(option):
    done = CliRunner().invoke(command, ["check", "chain.py", "--chain", *option.split()])
    assert done.exit_code == 2
    assert f"Cannot use {option.split()[0]} here, because with --chain TARGET returns everything" in done.output
