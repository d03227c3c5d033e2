"""``harness check`` of one operation: from the command line to its verdict, page and annotations; wrong input."""

import json
from pathlib import Path

import pytest

from harness import Constant, Flags, Indices, OneOf, Probabilities, Reals, UsageError
from harness.inputs.declared import declared
from tests.helpers.command import typed

USERS = Path(__file__).parents[1] / "users"
RIGHT = ("operations.py", "--reference", "tanh", "--backward", "operations.py")
WRONG = ("operations.py", "--reference", "tanh", "--backward", "operations.py:unsquared")

NAIVE = ("operations.py:naive", "--reference", "softmax", "--backward", "operations.py:naive_backward")


def command(*arguments, cwd=USERS, **options):
    return typed("check", *arguments, cwd=cwd, **options)


def test_a_right_operation_passes():
    done = command(*RIGHT, apart=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "PASS  dz of forward (numpy) and hand Tanh() agree up to rounding" in done.stdout
    assert f"harness check {' '.join(RIGHT)} --dtype float32" in done.stdout


def test_a_wrong_one_fails_and_its_cause_is_named():
    done = command(*WRONG, "--quiet")
    assert done.returncode == 1
    assert done.stdout == "FAIL  dz is wrong in 22 of 22 cases: 1 − a is written for 1 − a²: da · (1 − a), in dz\n"


def test_a_layer_in_a_file_is_a_reference_too():
    done = command("operations.py:forward", "--reference", "operations.py", "--backward", "operations.py", "--quiet")
    assert done.stdout.startswith("PASS  dz of forward (numpy) and hand Tanh()"), done.stderr


def test_json_and_annotations():
    told = json.loads(command(*WRONG, "--json", "--seed", "3").stdout)
    assert (told["verdict"], told["exit"], told["seed"], told["causes"][0]["gradient"]) == ("FAIL", 1, 3, "dz")
    first = command(*WRONG, "--format", "github").stdout.splitlines()[0]
    line = (USERS / "operations.py").read_text().splitlines().index(
        "    dz = upstream * (1 - a)  # and not 1 - a^2"
    ) + 1
    assert first.startswith(f"::error file=operations.py,line={line},title=FAIL::dz is wrong in 22 of 22 cases")


def test_a_page(tmp_path):
    pytest.importorskip("latex2mathml")
    page = tmp_path / "page.html"
    assert command(*WRONG, "--report", page).returncode == 1
    text = page.read_text()
    for told in ("check of an operation", "✗ FAULT", "dz (operations.py:", "1 − a is written for", "--reference tanh"):
        assert told in text, told


def test_what_does_not_answer_ends():
    done = command("operations.py", "--reference", "tanh", "--backward", "operations.py:never", "--timeout", "1")
    assert done.returncode == 1
    assert "timeout: backward did not answer within 1 s (case ordinary)" in done.stdout


def test_who_leaves_is_told():
    done = command("operations.py", "--reference", "tanh", "--backward", "operations.py:leaves", "--quiet")
    assert (done.returncode, done.stdout.split(":")[0]) == (1, "FAIL  raises")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((*RIGHT, "--model", "4-3"), "Cannot use --model here, because with --reference one operation is checked"),
        (("operations.py", "--inputs", "x=N"), "Cannot use --inputs here, because it is about one operation"),
        (("operations.py", "--reference", "tanx"), "Cannot use the reference 'tanx', because there is none"),
        ((*RIGHT, "--inputs", "x"), "Cannot use --inputs 'x', because 'x' is no NAME=SIZES"),
        ((*RIGHT, "--inputs", "z=N; z=M"), "because 'z=M' names an input twice"),
        ((*RIGHT, "--inputs", "q=N,M"), "Cannot use inputs q with hand Tanh(), because it reads z"),
        ((*RIGHT, "--inputs", "z=N,0"), "Cannot use the size 0 of the input 'z'"),
        (("operations.py:nothing", "--reference", "tanh"), "has no function nothing"),
        ((*RIGHT, "--dtype", "float8"), "Cannot use dtype='float8'"),
        ((*RIGHT, "--timeout", "-1"), "Cannot use timeout=-1.0, because it is a time"),
    ],
)
def test_wrong_input_is_one_message(arguments, told):
    done = command(*arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("harness check: Cannot ")
    assert told in done.stderr


def test_inputs_are_declared_in_words():
    found = declared("x=N,M; W = (M, 3); y=N below K; p=N,K probabilities; c=()")
    assert found == {
        "x": ("N", "M"), "W": ("M", 3), "y": Indices(("N",), below="K"), "p": Probabilities(("N", "K")), "c": (),
    }  # fmt: skip
    found = declared("x=N from 0 to 6; y=N from 1 below K; m=N,M flags; r=M constant; how in mean, 2, True")
    assert found == {
        "x": Reals(("N",), 0, 6), "y": Indices(("N",), "K", 1), "m": Flags(("N", "M")), "r": Constant(("M",)),
        "how": OneOf("mean", 2, True),
    }  # fmt: skip
    assert declared("p.W=M,K; p.b=K; h[0]=N; h[1]=N") == {"p": {"W": ("M", "K"), "b": ("K",)}, "h": [("N",), ("N",)]}
    with pytest.raises(UsageError, match="stands inside another input"):
        declared("p=N; p.W=M")
    with pytest.raises(UsageError, match="because it names none"):
        declared(" ; ")


def test_range_strict_and_what_is_left_out():
    done = command(*NAIVE, "--quiet")
    assert done.stdout.startswith("PASS  right; overflows from |z| > 710 on: dz of naive (numpy)"), done.stderr
    for further in (["--strict"], ["--range", "-800", "800"]):
        done = command(*NAIVE, *further, "--quiet")
        assert (done.returncode, done.stdout[:13]) == (1, "FAIL  right; "), done.stderr
    done = command(*RIGHT, "--leave-out", "kinks", "--leave-out", "offset")
    assert "not tried  kinks, offset: you left it out" in done.stdout


def test_what_cannot_be_drawn_is_told_as_it_is_typed():
    done = command("operations.py", "--reference", "operations.py:naive", "--backward", "operations.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'nothing says what it reads; say it, a letter for each size: --inputs "' in done.stderr


@pytest.mark.parametrize(
    ("reference", "instead"),
    [("softmax", "give a layer, impls.hand.Softmax()"), ("nonsense", "give a function, or a layer, impls.hand.Tanh()")],
)
def test_a_name_is_no_reference_in_python(reference, instead):
    from harness import check_vjp

    with pytest.raises(
        UsageError, match=rf"Cannot use reference='{reference}', because names are for the command line"
    ):
        check_vjp(abs, abs, reference=reference)
    with pytest.raises(UsageError) as told:
        check_vjp(abs, abs, reference=[abs, reference])
    assert str(told.value).endswith(f"{instead}.")
