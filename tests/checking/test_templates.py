"""Templates: a dump to fill, filled by hand, by the page's example in Python and by the one in C."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from click.testing import CliRunner

from harness.arithmetic import profile_of
from harness.candidates.containers import container_of
from harness.candidates.dumps import read_dump
from harness.checking.templates import write_template
from harness.cli.commands import harness as command
from harness.evaluation.expected import walk
from harness.evaluation.point import Point
from harness.inputs.networks import load_network
from harness.usage import UsageError
from tests.helpers.full_disk import typed_with_little_room

PAGE = Path(__file__).parents[2] / "docs" / "dumps.md"
NETWORK = load_network("4-3-2", activation="tanh")
LABELLED = load_network("4-3-2", activation="tanh", loss="cross-entropy")


def safetensors():
    return pytest.importorskip("safetensors.numpy", reason="the package safetensors is not installed")


def typed(*words):
    return CliRunner().invoke(command, ["template", *map(str, words)])


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
@pytest.mark.parametrize(("network", "data"), [(NETWORK, "random"), (LABELLED, "random"), (LABELLED, "iris")])
def test_a_template_that_is_filled_is_read(suffix, network, data, tmp_path):
    if suffix == "safetensors":
        safetensors()
    if data == "iris":
        network = load_network("4-3-3", loss="cross-entropy")
    path = tmp_path / f"new.{suffix}"
    write_template(path, network, rows=7, seed=3, dtype="float32", data=data)
    with pytest.raises(UsageError, match=r"not filled \(every entry is NaN\): d"):
        read_dump(path, network)
    held = dict(np.load(path)) if suffix == "npz" else safetensors().load_file(path)
    assert {name for name, array in held.items() if np.isnan(array).any()} == set(network.gradients)
    given = {name: held[name] for name in network.weights}
    filled = network.backward(given, held["x"], held["y"], network.forward(given, held["x"]))
    held |= {name: filled[name] for name in network.gradients}
    path.write_bytes(container_of(str(path)).packed(held))
    dump = read_dump(path, network)
    assert (len(dump.x), dump.dtype, list(dump.shown)) == (7, "float32", [n for n in filled if n in network.gradients])
    assert all(np.array_equal(w, network.init(3, "float32")[name]) for name, w in dump.weights.items())


def test_a_template_overwrites_nothing(tmp_path):
    done = typed("4-3-2", "-o", tmp_path / "a.npz")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "next  harness check" in done.stdout
    before = (tmp_path / "a.npz").read_bytes()
    done = typed("4-3-2", "-o", tmp_path / "a.npz")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "it exists and may hold somebody's numbers" in done.stderr
    assert (tmp_path / "a.npz").read_bytes() == before


BAD = {
    "rows": (["--rows", "0"], "rows=0"),
    "more rows than there are": (["--rows", "129"], "it has 128"),
    "seed": (["--seed", "-1"], "seed=-1"),
    "dtype": (["--dtype", "tf32"], "tf32"),
    "data": (["--data", "irsi"], "did you mean iris?"),
    "data that does not fit": (["--data", "diabetes"], "begin the model with 10"),
    "a parameter": (["--dtype", "float32", "--activation", "leaky-relu(slope=1e39)"], "overflows"),
    "activation": (["--activation", "tahn"], "did you mean tanh?"),
    "ending": (["-o", "dump.txt"], "neither in .npz"),
    "folder": (["-o", "no/such/dump.npz"], "there is no such file"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_template_with_a_wrong(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words, said = BAD[what]
    done = typed("4-3-2", *([] if "-o" in words else ["-o", "dump.npz"]), *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("harness template: Cannot ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_no_part_of_a_template_stays_where_the_disk_is_full(tmp_path):
    done = typed_with_little_room("template", "100-100-1", "-o", tmp_path / "new.npz")
    assert (done.returncode, done.stdout) == (2, "")
    assert "file too large" in done.stderr
    assert not list(tmp_path.iterdir())


# -- the examples of the page ----------------------------------------------------------------------------------


def example(language, of=0):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)[of]


def all_right(path, network):
    dump = read_dump(path, network)
    walked = walk(Point(network, dump.weights, dump.x, dump.y, 1), dump.shown, profile_of(dump.dtype))
    return {name: walked.expected[name].holds(array) for name, array in dump.shown.items()}


def test_the_example_in_python(tmp_path):
    network = load_network("4-1", activation="identity")
    write_template(tmp_path / "dump.npz", network)
    subprocess.run([sys.executable, "-c", example("python")], cwd=tmp_path, check=True)
    assert all_right(tmp_path / "dump.npz", network) == {"dz1": True, "dW1": True, "db1": True}


def test_the_example_of_a_graph(tmp_path, monkeypatch):
    monkeypatch.chdir(copytree(PAGE.parent / "examples", tmp_path / "page"))
    written = typed("residual.toml", "-o", "residual.npz").stdout
    subprocess.run([sys.executable, "-c", example("python", of=1)], check=True)
    words = shlex.split(written.splitlines()[-1].removeprefix("next  harness "))
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 1
    printed = [line for line in done.stdout.splitlines() if line in example("text").splitlines()]
    assert printed == example("text").splitlines()


def test_the_example_in_c(tmp_path):
    safetensors()
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    (tmp_path / "fill.c").write_text(example("c"))
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, "fill.c", "-o", "fill"], cwd=tmp_path, check=True)
    network = load_network("4-1", activation="identity")
    write_template(tmp_path / "dump.safetensors", network)
    subprocess.run(["./fill", "dump.safetensors"], cwd=tmp_path, check=True)
    assert all_right(tmp_path / "dump.safetensors", network) == {"dW1": True, "db1": True}
