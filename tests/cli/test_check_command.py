"""``harness check`` on real files: what is printed, exit statuses, wrong input of every kind."""

import json
from pathlib import Path

import numpy as np
import pytest

import harness
from tests.helpers.command import typed

USERS = Path(__file__).parents[1] / "users"


def command(*arguments, cwd=USERS, **options):
    return typed("check", *arguments, cwd=cwd, **options)


def test_a_right_file_passes_and_says_what_it_could_have_seen():
    done = command("right.py", apart=True)
    assert done.returncode == 0, done.stderr
    assert "PASS  right.py:backward is right up to rounding: 6 gradients and 13 intermediates" in done.stdout
    assert "sees" in done.stdout
    assert "next  " in done.stdout
    assert done.stderr == ""


def test_json_is_the_same_result():
    done = command("right.py:loops", "--json", "--batch", "9")
    told = json.loads(done.stdout)
    assert (told["verdict"], told["exit"], told["rows"][0]["gradient"]) == ("PASS", 0, "dW3")


def test_what_a_function_prints_stays_out_of_the_result():
    done = command("misbehaving.py:prints", "--json")
    assert json.loads(done.stdout)["verdict"] == "PASS"
    assert "a word on stdout" in done.stderr


def test_a_module_is_found_from_the_working_directory(tmp_path):
    # A name that no other test of the same process imports.
    package = tmp_path / "found_here"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "net.py").write_text((USERS / "right.py").read_text())
    assert command("found_here.net:backward", "--quiet", cwd=tmp_path).stdout.startswith(
        "PASS  found_here.net:backward"
    )
    assert command("found_here.net", "--quiet", cwd=tmp_path).returncode == 0


def test_a_file_may_import_its_neighbours_and_be_called_like_a_package(tmp_path):
    (tmp_path / "right.py").write_text((USERS / "right.py").read_text())
    (tmp_path / "numpy_.py").write_text("from right import backward")
    (tmp_path / "statistics.py").write_text("from right import backward")
    assert command(tmp_path / "numpy_.py", cwd="/").returncode == 0
    assert command(tmp_path / "statistics.py", cwd="/").returncode == 0


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("none.py:f", "the file none.py does not exist; give the path of a Python file."),
        (".py:f", "the file .py does not exist"),
        ("right.py:nothing", "right.py has no function nothing; name one that it has"),
        ("right.py:backwards", "(did you mean backward?)"),
        ("misbehaving.py", "misbehaving.py has no function backward"),
        ("misbehaving.py:no_function", "it is of type int and no function"),
        ("misbehaving.py:takes_other_arguments", "it takes (a, b) and is called with (weights, x, y)"),
        ("no_such_module:f", "there is no module no_such_module here"),
        ("no.such.module:f", "there is no module no here"),
        ("right.py:", "it names no function"),
        (":f", "it names no function"),
        ("", "it names no function"),
    ],
)
def test_what_cannot_be_loaded_is_wrong_usage(target, said):
    done = command(target)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("harness check: Cannot check ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def backward(:\n", "line 1 of"),
        ("import no_such_package_at_all\n", "raises ModuleNotFoundError: No module named 'no_such_package_at_all'"),
        ("raise RuntimeError('broken\\x1b[31m')\n", r"raises RuntimeError: broken\x1b[31m"),
        ("import sys\nsys.exit(0)\n", "raises SystemExit: 0"),
        ("while True: pass\n", "loading it takes longer than 1 s"),
        ("\x00", "source code"),
    ],
)
def test_a_file_that_does_not_load_is_wrong_usage(tmp_path, text, said):
    (tmp_path / "mine.py").write_text(text)
    done = command("mine.py", "--timeout", "1", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_function_that_does_not_answer_is_ended():
    done = command("misbehaving.py:never_ends", "--timeout", "0.5", "--quiet")
    assert done.returncode == 1
    assert done.stdout == "FAIL  misbehaving.py:never_ends did not answer within 0.5 s\n"


@pytest.mark.parametrize("name", ["swallows_everything", "cannot_be_interrupted"])
def test_a_function_that_cannot_be_interrupted_is_ended_with_its_process(name):
    done = command(f"misbehaving.py:{name}", "--timeout", "0.5", "--json", apart=True)
    assert done.returncode == 1
    told = f"misbehaving.py:{name} did not answer within 0.5 s, and could not be interrupted"
    assert json.loads(done.stdout) == {"verdict": "FAIL", "exit": 1, "reason": told}
    assert name in done.stderr  # the trace of where it was


@pytest.mark.parametrize(("name", "how"), [("ends_the_process", "with status 0"), ("kills_the_process", "by SIGKILL")])
def test_a_function_that_ends_the_process_fails(name, how):
    done = command(f"misbehaving.py:{name}", apart=True)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == f"FAIL  misbehaving.py:{name} ended the process {how} before there was an answer\n"
    assert command(f"misbehaving.py:{name}", "--format", "github", apart=True).stdout.startswith(
        "::error title=FAIL::misbehaving.py"
    )


def test_what_goes_past_pythons_stdout_stays_out_of_the_result_too():
    done = command("misbehaving.py:writes_past_python", "--json", apart=True)
    assert json.loads(done.stdout)["verdict"] == "PASS"
    assert "{not JSON" in done.stderr


@pytest.mark.parametrize(
    ("name", "status"),
    [("returns_nothing", 1), ("raises", 1), ("one_nan", 1), ("names_of_another_network", 1), ("last_layer_only", 3)],
)
def test_exit_status(name, status):
    assert command(f"misbehaving.py:{name}", "--quiet").returncode == status


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "4-x"], "Cannot"),
        (["--data", "none.csv"], "Cannot"),
        (["--dtype", "tf32"], "nobody computes in it"),
        (["--batch", "0"], "it is a count"),
        (["--timeout", "0"], "it is a time; give seconds, more than 0"),
        (["--arrays", "tensor"], "there is no framework of that name"),
        (["--model", "784-2-1", "--data", "iris"], "it has 4 features"),
    ],
)
def test_options_that_cannot_be_used(options, said):
    done = command("right.py", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_the_function_of_another_network_is_told_by_its_shapes():
    done = command("right.py", "--model", "4-5-2-1")
    assert done.returncode == 0  # right.py asks the weights for their sizes
    done = command("right.py", "--model", "4-2-1")
    assert done.returncode == 1
    assert "raised KeyError: 'W3' (line 11)" in done.stdout


def test_github_annotations_name_file_and_line():
    done = command("misbehaving.py:one_nan", "--format", "github")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert 1 <= len(lines) <= 10
    number = next(
        n for n, line in enumerate((USERS / "misbehaving.py").read_text().splitlines(), 1) if "np.nan" in line
    )
    assert lines[0].startswith(f"::error file=misbehaving.py,line={number},title=FAIL::first wrong link: dW2")


def test_numbers_from_elsewhere(tmp_path):
    network = harness.load_network("4-3-2-1")
    data = harness.load_data("iris")
    weights, y = network.init(3), data.targets(network)
    gradients = network.backward(weights, data.x, y, network.forward(weights, data.x))
    shown = {name: gradients[name] for name in network.gradients}
    np.savez(tmp_path / "right.npz", x=data.x, y=y, **weights, **shown)
    np.savez(tmp_path / "wrong.npz", x=data.x, y=y, **weights, **shown | {"dW1": -shown["dW1"]})
    done = command("right.npz", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS  right.npz is right up to rounding: 6 gradients" in done.stdout
    done = command(tmp_path / "wrong.npz", "--quiet")
    assert done.returncode == 1
    assert "first wrong link: dW1" in done.stdout
    np.savez(tmp_path / "lacking.npz", x=data.x, y=y, **shown)
    done = command(tmp_path / "lacking.npz")
    assert done.returncode == 2
    assert "W1" in done.stderr
    assert command("none.npz").returncode == 2
    assert command(tmp_path / "right.npz", "--data", "iris").returncode == 2


def test_python_takes_the_same_text():
    assert harness.check(str(USERS / "right.py")).verdict == "PASS"
    with pytest.raises(harness.UsageError, match="it is of type int and no function"):
        harness.check(3)
