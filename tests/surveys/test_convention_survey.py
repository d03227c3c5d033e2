"""The survey of conventions: one that fails at a topic is only noted; wrong use, missing frameworks, the command."""

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.cli.commands import harness as command
from harness.usage import UsageError
from impls.hand_numpy import Hand


def words(result, name):
    return {each.topic.name: each.words[name] for each in result.answers if name in each.words}


def lone(register, **experiments):
    """Another implementation, with these experiments (spaces for underscores), and what is said about it."""

    class Lone(Hand):
        def conventions(self):
            return {name.replace("_", " "): measure for name, measure in experiments.items()}

    register("lone", Lone)
    return harness.conventions(["lone"])


def fails():
    raise RuntimeError("out\x1b[31m\nof order")


def test_one_that_fails_at_a_topic_is_noted_and_the_others_go_on(register):
    result = lone(register, relu_at_0=fails, gelu=lambda: "tanh", elu_alpha=lambda: 2.0)
    assert words(result, "lone") == {"gelu": "tanh", "elu alpha": "2"}
    assert result.notes == ["relu at 0: lone raised RuntimeError: out\\x1b[31m of order"]
    assert (result.exit, words(result, "hand")["relu at 0"]) == (0, "0")
    assert "note  relu at 0: lone raised" in str(result)


BAD = {
    "None": (lambda: None, None, "raised TypeError"),
    "an array": (lambda: np.zeros(3), "0, 0, 0", "0, 0, 0 of lone is none of the answers known so far"),
    "a new number": (lambda: 0.75, "0.75", "0.75 of lone is none of the answers known so far (0 | 0.5 | 1)"),
    "hostile words": (lambda: "\x1b[31m|\n" * 99, "\\x1b[31m|\\n", "none of the answers known so far"),
    "an exit": (lambda: sys.exit(3), None, "raised SystemExit"),
}


@pytest.mark.parametrize("what", BAD)
def test_an_answer_that_is(what, register):
    measure, answer, note = BAD[what]
    result = lone(register, relu_at_0=measure)
    found = words(result, "lone").get("relu at 0")
    assert found is None if answer is None else found.startswith(answer)
    assert note in result.notes[0]
    assert all(c == "\n" or c.isprintable() for c in str(result))


def test_topics_that_nobody_knows_are_noted(register):
    result = lone(register, relu_at_7=lambda: 1.0)
    assert result.notes == ["lone answers what is no topic: relu at 7"]


def test_an_implementation_that_tells_nothing(register):
    class Silent(Hand):
        conventions = None

    register("silent", Silent)
    named = harness.conventions(["silent"])
    assert (named.exit, list(named.implementations)) == (3, ["hand"])
    assert "silent" in named.reason


def test_a_missing_framework_is_noted_and_if_named_could_not_be_compared(uninstall):
    uninstall("jax")
    unnamed = harness.conventions()
    assert (unnamed.exit, list(unnamed.implementations)) == (0, ["hand", "torch"])
    assert "note  Cannot compare with jax, because the package 'jax' is not installed" in str(unnamed)
    named = harness.conventions(["jax"])
    assert named.exit == 3
    assert named.reason.startswith("Cannot compare with jax")


def test_an_interrupt_keeps_what_was_finished(register):
    def interrupted():
        raise KeyboardInterrupt

    result = lone(register, relu_at_0=lambda: 0.0, elu_at_0=interrupted)
    assert (result.exit, result.how) == (130, "interrupted")
    assert [each.topic.name for each in result.answers] == ["relu at 0", "leaky relu at 0"]
    assert result.reason.endswith("(interrupted: what was finished)")


@pytest.mark.parametrize(
    ("options", "said"),
    [({"against": ["trch"]}, "did you mean torch"), ({"against": [3]}, "3"), ({"dtype": "flaot32"}, "mean float32?"),
     ({"dtype": "tf32"}, "tf32")],
    ids=str,
)  # fmt: skip
def test_wrong_use(options, said):
    with pytest.raises(UsageError, match=r"^Cannot .*because .*; .*\.$") as told:
        harness.conventions(**options)
    assert said in str(told.value)


def typed(*line):
    return CliRunner().invoke(command, ["conventions", *line])


def test_the_command_as_json_and_markdown():
    done = typed("--against", "torch", "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert list(told["implementations"]) == ["hand", "torch"]
    relu = told["topics"][0]
    assert (relu["topic"], relu["answers"], relu["differ"]) == ("relu at 0", {"hand": "0", "torch": "0"}, False)
    assert typed("--against", "torch", "--format", "json").stdout == done.stdout
    markdown = typed("--against", "torch", "--format", "markdown").stdout
    assert "| topic " in markdown
    assert "derivative of \\|z\\| at 0" in markdown


@pytest.mark.parametrize("line", [["--against", " , "], ["--against", "trch"], ["--dtype", "half"]], ids=str)
def test_the_command_with_wrong_words(line):
    done = typed(*line)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("harness conventions: Cannot ")
    assert done.stderr.count("\n") == 1


def test_the_function_stays_one_after_the_survey_and_neither_imports_a_framework():
    code = (
        "import sys, harness, harness.surveys.conventions; assert callable(harness.conventions); "
        "harness.conventions(['hand']); assert callable(harness.conventions); "
        "assert not {'torch', 'jax', 'optax'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
