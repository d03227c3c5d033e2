"""`harness program`: what a build function returns, and what is printed of it.

Asked in this process: that the command asks in a process apart is `tests/candidates`' affair.
"""

from __future__ import annotations

import json
from textwrap import dedent

import pytest

from harness.cli.answers import answered

HEAD = "import torch\nfrom torch import nn\nmodel = nn.Sequential(nn.Linear(3, 2), nn.Tanh())\nx = torch.ones(4, 3)\n"
USUAL = {
    "function": "mine.py", "modules": (), "seed": 0, "timeout": 60, "report": None, "style": "table", "quiet": False,
    "verbose": False, "require_power": False, "command": "harness program mine.py", "what": "program",
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
    "return {'model': model}": "because a dictionary holds program, arguments and loss, and not model",
    "return 1 / 0": "because mine.py:build raises ZeroDivisionError: division by zero",
    "return model, x": "because what the program returns has the shape (4, 2) and dtype float32",
    "return model, x[:, :2]": "because it raises RuntimeError: mat1 and mat2 shapes cannot be multiplied",
    "return model, 'x'": "because it raises TypeError",
}


@pytest.mark.parametrize("body", REFUSED)
def test_what_build_cannot_return(program, body, capsys):
    done, told = program(body), capsys.readouterr().err
    assert done == (2, "")
    assert told.startswith("harness program: Cannot check ")
    assert REFUSED[body] in told
    assert told.count("\n") == 1


def test_modules_that_are_none(program, capsys):
    body = 'return {"program": model, "arguments": x, "loss": lambda y: y.sum()}'
    assert program(body, modules=["h.3"]).status == 2
    assert "because no operation ran in one of them; choose from 0, 1" in capsys.readouterr().err
