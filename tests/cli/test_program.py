"""`harness program`: what a build function returns, and what is printed of it."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest
from click.testing import CliRunner

from harness.cli.commands import harness as command

HEAD = "import torch\nfrom torch import nn\nmodel = nn.Sequential(nn.Linear(3, 2), nn.Tanh())\nx = torch.ones(4, 3)\n"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """What the command prints and its exit status, of a build function with this body."""
    monkeypatch.chdir(tmp_path)

    def run(body, *options):
        lines = dedent(body).strip().replace("\n", "\n    ")
        (tmp_path / "mine.py").write_text(f"{HEAD}def build():\n    {lines}\n")
        return CliRunner().invoke(command, ["program", "mine.py", *options])

    return run


def test_a_program_that_passes(program):
    done = program('return {"program": model, "arguments": (x,), "loss": lambda y: y.sum()}', "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["verdict"], told["coverage"]) == (0, "PASS", {"derived": 4})
    assert told["operations"][0]["line"] == 6
    assert "PASS  4 operations are right" in program('return (lambda a: model(a).sum()), x', "--quiet").stdout


def test_the_page_has_every_operation(program, tmp_path):
    body = 'return {"program": model, "arguments": [x], "loss": lambda y: y.sum()}'
    done = program(body, "--report", "page.html", "--quiet")
    page = (tmp_path / "page.html").read_text()
    assert done.exit_code == 0
    assert all(word in page for word in ("addmm", "check of a program", "4 derived"))
    assert "harness program mine.py" in page


REFUSED = {
    "return 3": "what mine.py:build returns, because it is a int, and no program with its arguments; return model, x, y",
    "return None": "because it is nothing, and no program",
    "return {'model': model}": "because a dictionary holds program, arguments and loss, and not model",
    "return 1 / 0": "because mine.py:build raises ZeroDivisionError: division by zero",
    "return model, x": "because what the program returns has the shape (4, 2) and dtype float32",
    "return model, x[:, :2]": "because it raises RuntimeError: mat1 and mat2 shapes cannot be multiplied",
    "return model, 'x'": "because it raises TypeError",
}


@pytest.mark.parametrize("body", REFUSED)
def test_what_build_cannot_return(program, body):
    done = program(body)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("harness program: Cannot check ")
    assert REFUSED[body] in done.stderr
    assert done.stderr.count("\n") == 1


def test_modules_that_are_none(program):
    done = program('return {"program": model, "arguments": x, "loss": lambda y: y.sum()}', "--modules", "h.3")
    assert done.exit_code == 2
    assert "because no operation ran in one of them; choose from 0, 1" in done.stderr
