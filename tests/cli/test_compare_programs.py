"""`harness compare-programs`: what is typed, what is printed, and how it ends.

Asked in this process: that the command asks in a process apart is `tests/candidates`' affair.
"""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copy

import pytest

from harness.cli.answers import answered

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
USUAL = {
    "map": None, "seed": 0, "timeout": 60, "record": None, "report": None, "style": "table", "quiet": False,
    "verbose": False, "require_power": False, "command": "harness compare-programs", "what": "pair",
}  # fmt: skip
SAME = "PASS  the same function up to rounding: loss and 6 more tensors end to end"


@pytest.fixture
def compare(tmp_path, monkeypatch):
    """The answer to the command, where the examples lie."""
    monkeypatch.chdir(tmp_path)
    for name in ("port_torch.py", "port_jax.py"):
        copy(EXAMPLES / name, tmp_path)

    def run(first, second, **options):
        return answered(USUAL | {"first": first, "second": second, "function": f"{first} and {second}"} | options)

    return run


def test_records_are_compared_one_framework_at_a_time(compare, tmp_path, capsys):
    program = {
        "modules": (),
        "demand": (),
        "function": "port_torch.py",
        "what": "program",
        "command": "harness program",
    }
    done = answered(USUAL | program | {"record": "torch.npz", "quiet": True})
    assert (done.status, done.text[:19]) == (0, "PASS  8 operations ")
    assert compare("torch.npz", "port_jax.py:mended", record="jax.npz", quiet=True).text.startswith(SAME)
    assert compare("torch.npz", "jax.npz", quiet=True).text.startswith(SAME)
    sizes = {name: f"{(tmp_path / name).stat().st_size / 1e6:.1f} MB" for name in ("torch.npz", "jax.npz")}
    assert capsys.readouterr().err == (
        f"harness program: wrote torch.npz, {sizes['torch.npz']}\n"
        f"harness compare-programs: wrote jax.npz, {sizes['jax.npz']}\n"
    )
    again = compare("torch.npz", "port_torch.py", record="jax.npz")
    assert again.status == 2
    assert "Cannot write the record to 'jax.npz', because the file exists" in capsys.readouterr().err


def test_what_differs_is_told_in_every_form(compare, tmp_path):
    done = compare("port_torch.py", "port_jax.py", style="json", report="page.html")
    told = json.loads(done.text)
    assert (done.status, told["exit"], told["verdict"], told["difference"]["part"]) == (1, 1, "FAIL", "forward")
    assert [(at["module"], Path(at["file"]).name) for at in told["difference"]["at"]] == [
        ("norm", "port_torch.py"), ("norm", "port_jax.py"),
    ]  # fmt: skip
    page = (tmp_path / "page.html").read_text()
    assert all(
        word in page for word in ("comparison of two programs", "native_layer_norm", "from here on, port_jax.py")
    )
    lines = compare("port_torch.py", "port_jax.py", style="github").text.split("\n")
    assert lines[0].startswith("::error file=port_jax.py,line=")
    assert lines[1].startswith("::error file=port_torch.py,line=")


def test_a_map_is_read_from_a_file(compare, tmp_path):
    lines = [f'"{layer}.kernel" = "{layer}.weight.T"' for layer in ("up", "down")]
    (tmp_path / "map.toml").write_text("\n".join(lines))
    told = json.loads(compare("port_torch.py", "port_jax.py:mended", map="map.toml", style="json").text)
    assert told["verdict"] == "PASS"
    assert sorted(pair["source"] for pair in told["weights"] if pair["how"] == "map") == ["down.weight", "up.weight"]


REFUSED = {
    "up.kernel = 3": "because up holds no name in quotation marks",
    "up.kernel": "because it is no TOML",
    '"up.kernel" = "sideways"': "Cannot map 'sideways' of port_torch.py, because there is no such array",
    '"left.kernel" = "up.weight"': "Cannot map 'left.kernel' of port_jax.py, because there is no such array",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_map_that_says_nothing_is_refused(compare, tmp_path, capsys, text):
    (tmp_path / "map.toml").write_text(text)
    assert compare("port_torch.py", "port_jax.py", map="map.toml") == (2, "")
    told = capsys.readouterr().err
    assert REFUSED[text] in told
    assert (told.count("\n"), told[:26]) == (1, "harness compare-programs: ")


TARGETS = {
    ("none.py", "port_jax.py"): "Cannot check none.py",
    ("none.npz", "port_jax.py"): "Cannot read none.npz, because there is no such file",
    ("port_torch.py", "port_torch.py:none"): "has no function none",
    ("port_torch.py:forgotten", "port_torch.py:Net"): "Cannot check port_torch.py:Net, because it raises TypeError",
}


@pytest.mark.parametrize("targets", TARGETS, ids=str)
def test_what_is_no_program_is_refused(compare, capsys, targets):
    assert compare(*targets).status == 2
    told = capsys.readouterr().err
    assert TARGETS[targets] in told
    assert told.count("\n") == 1


def test_a_program_that_takes_too_long_is_refused(compare, tmp_path, capsys):
    (tmp_path / "slow.py").write_text(
        "import time\nfrom port_torch import build as fast\n"
        "def build():\n    net, *data = fast()\n    return (lambda *d: time.sleep(9) or net(*d)), *data\n"
    )
    assert compare("port_torch.py", "slow.py", timeout=1).status == 2
    assert "takes longer than 1 s to run; give it smaller arguments" in capsys.readouterr().err
