"""Conventions: what is measured is what the frameworks document, and one that fails at a topic is only noted."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.choices.topics import GROUPS, TOPICS
from harness.cli.main import harness as command
from harness.usage import UsageError
from impls import hand, hand_conventions
from impls.hand_numpy import Hand

HAND = {
    "relu at 0": "0",
    "leaky relu at 0": "0.25",
    "elu at 0": "0.25",
    "hard sigmoid at -3": "0",
    "hard sigmoid at 3": "0",
    "abs at 0": "0",
    "gelu": "erf",
    "leaky relu slope": "0.01",
    "elu alpha": "1",
    "huber delta": "1",
    "squared error": "mean",
    "squared error, factor": "1",
    "cross-entropy": "mean",
    "binary cross-entropy": "inf",
}
# As the documentation of torch 2.13 and the sources that it links have it.
TORCH = {
    "relu at 0": "0",
    "leaky relu at 0": "0.25",
    "relu6 at 0": "0",
    "relu6 at 6": "0",
    "hard tanh at -1": "0",
    "hard tanh at 1": "0",
    "clip at its lower bound": "1",
    "clip at its upper bound": "1",
    "abs at 0": "0",
    "sign at 0": "0",
    "maximum of equals": "0.5, 0.5",
    "minimum of equals": "0.5, 0.5",
    "max of all": "0, 0.5, 0.5",
    "max over an axis": "0, 1, 0",
    "amax over an axis": "0, 0.5, 0.5",
    "median of four": "lower",
    "argmax of equals": "first",
    "repeated index": "2, 1",
    "norm at 0": "0, 0",
    "sqrt at 0": "inf",
    "where, NaN not taken": "NaN",
    "product with a zero": "0, 6, 0",
    "cumulative product with a zero": "1, 8, 0",
    "gelu": "erf",
    "leaky relu slope": "0.01",
    "elu alpha": "1",
    "squared error": "mean",
    "cross-entropy": "mean",
    "binary cross-entropy": "100",
    "huber delta": "1",
    "smooth L1 beta": "1",
    "std": "n - 1",
    "var": "n - 1",
    "layer norm eps": "1e-05",
    "batch norm eps": "1e-05",
    "batch norm momentum": "of the new",
    "batch norm variance": "n",
    "batch norm running variance": "n - 1",
}
# As the documentation of JAX 0.10 and optax and the sources that it links have it.
JAX = {
    "relu at 0": "0",
    "leaky relu at 0": "1",
    "relu6 at 0": "0",
    "relu6 at 6": "0",
    "hard tanh at 1": "1",
    "clip at its lower bound": "0.5",
    "clip at its upper bound": "0.5",
    "sign at 0": "0",
    "maximum of equals": "0.5, 0.5",
    "minimum of equals": "0.5, 0.5",
    "max of all": "0, 0.5, 0.5",
    "max over an axis": "0, 0.5, 0.5",
    "median of four": "mean of both",
    "argmax of equals": "first",
    "repeated index": "2, 1",
    "norm at 0": "NaN, NaN",
    "sqrt at 0": "inf",
    "where, NaN not taken": "NaN",
    "product with a zero": "0, 6, 0",
    "gelu": "tanh",
    "leaky relu slope": "0.01",
    "elu alpha": "1",
    "squared error": "per entry",
    "L2 loss, factor": "0.5",
    "cross-entropy": "per row",
    "huber delta": "1",
    "std": "n",
    "var": "n",
    "layer norm eps": "1e-05",
}


@pytest.fixture(scope="module", params=["float64", "float32"])
def surveyed(request):
    return harness.conventions(dtype=request.param)


def words(result, name):
    return {each.topic.name: each.words[name] for each in result.answers if name in each.words}


@pytest.mark.parametrize(("name", "documented"), [("hand", HAND), ("torch", TORCH), ("jax", JAX)])
def test_what_is_documented_is_measured(surveyed, name, documented):
    measured = words(surveyed, name)
    assert {topic: measured.get(topic) for topic in documented} == documented


def test_every_topic_is_answered_and_every_answer_is_a_known_choice(surveyed):
    assert [each.topic.name for each in surveyed.answers] == list(TOPICS)
    assert (surveyed.notes, surveyed.missing, surveyed.exit) == ([], {}, 0)
    assert list(surveyed.implementations) == ["hand", "torch", "jax"]


def test_softplus_of_torch_is_cut_off_where_float64_shows_it(surveyed):
    measured = [words(surveyed, name)["softplus"] for name in ("hand", "torch", "jax")]
    assert measured == (["33", "20", "33"] if surveyed.dtype == "float64" else ["14", "14", "14"])


def test_where_they_differ_is_marked_and_counted(surveyed):
    differing = {each.topic.name for each in surveyed.answers if each.differ}
    assert {"leaky relu at 0", "clip at its upper bound", "max over an axis", "norm at 0", "gelu", "std"} <= differing
    assert not {"relu at 0", "maximum of equals", "repeated index", "L2 loss, factor"} & differing
    assert f": {len(differing)} differ (" in surveyed.reason
    marked = [line for line in str(surveyed).split("\n") if "  differs  " in line]
    assert len(marked) == len(differing)
    counted = sum(len([t for t in topics if t.name in differing]) for topics in GROUPS.values())
    assert counted == len(differing)


def test_the_hand_layers_are_between_their_own_limits():
    kinks = {
        "relu at 0": (hand.Relu(), 0.0, 1.0),
        "leaky relu at 0": (hand.LeakyRelu(slope=0.25), 0.0, 1.0),
        "elu at 0": (hand.Elu(alpha=0.25), 0.0, 1.0),
    }
    measured = hand_conventions.measures(np.float64)
    for topic, (layer, z, da) in kinks.items():
        on_kink, left, right = layer.one_sided(np.array([[da]]), np.array([[z]]))
        assert on_kink.all()
        assert left[0, 0] <= measured[topic]() <= right[0, 0]
        assert list(TOPICS[topic].choices.values()) == [left[0, 0], (left[0, 0] + right[0, 0]) / 2, right[0, 0]]
    on_kink, left, right = hand.MeanAbsoluteError().one_sided(np.zeros((1, 1)), np.zeros((1, 1)))
    assert left[0, 0] < measured["abs at 0"]() < right[0, 0]


def test_numbers_are_read_in_their_dtype():
    assert TOPICS["leaky relu slope"].read(float(np.float32(0.01)), "float32") == "0.01"
    assert TOPICS["std"].read(float(np.sqrt(np.float32(2))), "float32") == "n - 1"
    assert TOPICS["std"].read(1.25, "float64") == "1.25"
    assert TOPICS["x/|x| at 0"].read(math.nan, "float64") == "NaN"
    assert TOPICS["norm at 0"].read([-0.0, math.inf], "float64") == "0, inf"


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
     ({"dtype": "float16"}, "float16")],
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
        "import sys, harness, harness.choices.survey; assert callable(harness.conventions); "
        "harness.conventions(['hand']); assert callable(harness.conventions); "
        "assert not {'torch', 'jax', 'optax'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
