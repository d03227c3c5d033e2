"""`harness program`: what a build function returns, and what is printed of it.

Asked in this process, but for what ends it: that the command asks in a process apart is `tests/candidates`' affair.
"""

from __future__ import annotations

import json
from textwrap import dedent

import pytest

from harness.candidates.isolated import Ended
from harness.cli.answers import answered
from harness.cli.checking import print_answer
from harness.processes import End, Program

HEAD = "import torch\nfrom torch import nn\nmodel = nn.Sequential(nn.Linear(3, 2), nn.Tanh())\nx = torch.ones(4, 3)\n"
USUAL = {
    "function": "mine.py", "record": None, "modules": (), "demand": (), "seed": 0, "timeout": 60, "report": None,
    "style": "table", "quiet": False, "verbose": False, "require_power": False, "command": "harness program mine.py",
    "what": "program",
}  # fmt: skip


@pytest.fixture
def program(tmp_path, monkeypatch):
    """The answer to the command, of a build function with this body."""
    monkeypatch.chdir(tmp_path)

    def run(body, **options):
        lines = dedent(body).strip().replace("\n", "\n    ")
        (tmp_path / "mine.py").write_text(f"{HEAD}def build():\n    {lines}\n")
        return answered(USUAL | options)

    return run


def test_a_program_that_passes(program):
    done = program('return {"program": model, "arguments": (x,), "loss": lambda y: y.sum()}', style="json")
    told = json.loads(done.text)
    assert (done.status, told["verdict"], told["coverage"]) == (0, "PASS", {"derived": 4})
    assert told["operations"][0]["line"] == 6
    assert "PASS  4 operations are right" in program("return (lambda a: model(a).sum()), x", quiet=True).text


def test_arguments_by_name(program):
    body = """
    def loss(x, shift=1.0, *, scale=2.0, targets=None):
        return (scale * (model(x) + shift) - targets).square().sum()
    return {"program": loss, "arguments": x, "keywords": {"shift": 0.5}}
    """
    refused = program(body.replace("*, ", "").replace("targets=None", "targets"), style="json")
    assert refused.status == 2  # what is not given is missing
    done = program(body.replace("*, ", "").replace("0.5}", '0.5, "targets": x[:, :2]}'), style="json")
    assert json.loads(done.text)["verdict"] == "PASS"


def test_the_page_has_every_operation(program, tmp_path):
    body = 'return {"program": model, "arguments": [x], "loss": lambda y: y.sum()}'
    done = program(body, report="page.html")
    page = (tmp_path / "page.html").read_text()
    assert done.status == 0
    assert all(word in page for word in ("addmm", "check of a program", "4 derived"))
    assert "harness program mine.py" in page


REFUSED = {
    "return 3": "what mine.py:build returns, because it is a int, and no program with its arguments; return model, x",
    "return None": "because it is nothing, and no program",
    "return {'model': model}": "because a dictionary holds program, arguments, keywords and loss, and not model",
    "return {'program': lambda x, *, y: x, 'keywords': {'y': 1}, 'arguments': [x]}": (
        "Cannot call what mine.py:build returns with the keywords y, because it does not take them in places"
    ),
    "return 1 / 0": "because mine.py:build raises ZeroDivisionError: division by zero",
    "return model, x": "because what the program returns has the shape (4, 2) and dtype float32",
    "return model, x[:, :2]": "because it raises RuntimeError: mat1 and mat2 shapes cannot be multiplied",
    "return model, 'x'": "because it raises TypeError",
}


@pytest.mark.parametrize("body", REFUSED)
def test_what_build_cannot_return(program, body, capsys):
    done, told = program(body), capsys.readouterr().err
    assert done == (2, "")
    assert told.startswith("harness program: Cannot ")
    assert REFUSED[body] in told
    assert told.count("\n") == 1


def test_modules_that_are_none(program, capsys):
    body = 'return {"program": model, "arguments": x, "loss": lambda y: y.sum()}'
    assert program(body, modules=["h.3"]).status == 2
    assert "because no operation ran in one of them; choose from 0, 1" in capsys.readouterr().err


@pytest.mark.skipif(not Program.supervised, reason="nothing is run in a process apart")
def test_a_program_that_ends_its_process(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("import os\n\n\ndef build():\n    os._exit(7)\n")
    assert print_answer(USUAL | {"as_json": False, "style": None}) == 2
    told = "Cannot check mine.py, because it ended the process with status 7; give a program that returns"
    assert told in capfd.readouterr().err


def test_a_program_that_swallows_every_interrupt(monkeypatch, capsys):
    ended = Ended(End("signal", 15), "being called", overdue=True)
    monkeypatch.setattr("harness.cli.checking.apart", lambda *_, **__: ended)
    assert print_answer(USUAL | {"as_json": False, "style": None}) == 2
    assert "because it did not answer within 60 s, and could not be interrupted; give" in capsys.readouterr().err
