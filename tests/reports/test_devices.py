"""The record of a device: everything is tried there, what is wrong shows, and no other device is invented."""

from __future__ import annotations

import pytest

import harness
import reports.devices.__main__
from reports.devices.__main__ import main

SMALL = ["--network", "4-3-2-1", "--dtype", "bfloat16"]


@pytest.fixture(autouse=True)
def one_function(monkeypatch):
    """All of them take a minute."""
    pytest.importorskip("torch")
    measured = reports.devices.__main__.calibrate
    monkeypatch.setattr(
        reports.devices.__main__, "calibrate", lambda names, _, *rest, **where: measured(names, ["exp"], *rest, **where)
    )


def test_what_is_right_on_the_cpu_is_recorded_with_the_machines_name(tmp_path, capsys):
    assert main(["--device", "cpu", "--name", "this one", "--folder", str(tmp_path), *SMALL]) == 0
    folder = tmp_path / "this-one-cpu"
    assert f"wrote {folder}" in capsys.readouterr().out
    page = (folder / "README.md").read_text()
    assert page.startswith("# this-one-cpu\n")
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| torch")
    ]
    assert [row[2:4] for row in rows[:2]] == [["4-3-2-1", "PASS"], ["elementary functions", "PASS"]]
    assert ["torch", "bfloat16", "meetings", "measured", "8 digits, one after the other"] in rows
    assert harness.read_run(folder / "torch-4-3-2-1-bfloat16.jsonl").verdict == "PASS"
    assert main(["--device", "cpu", "--name", "this one", "--folder", str(tmp_path), *SMALL]) == 2
    assert "because it is there already" in capsys.readouterr().err


def test_what_is_wrong_there_ends_in_a_failure(tmp_path, monkeypatch):
    from impls.torch_autograd import gradients

    right = gradients.array_of
    monkeypatch.setattr(gradients, "array_of", lambda tensor: right(tensor) * 2)
    assert main(["--device", "cpu", "--name", "wrong", "--folder", str(tmp_path), *SMALL]) == 1
    assert "FAIL" in (tmp_path / "wrong-cpu" / "README.md").read_text()


@pytest.mark.parametrize(
    ("device", "why"), [("cuda:7", "because no framework has it: torch has cpu"), ("tpu", "cpu and cuda alone")]
)
def test_a_device_that_is_not_there_leaves_nothing(tmp_path, capsys, device, why):
    assert main(["--device", device, "--folder", str(tmp_path)]) == 2
    assert why in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
