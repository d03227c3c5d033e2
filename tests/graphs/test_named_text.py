"""Networks by name on a text: ten steps in lockstep within every bound, mistakes through time located."""

import numpy as np
import pytest

import harness
from harness.arithmetic import profile_of
from harness.comparison.checks import rounding
from harness.evaluation.point import Point
from impls import registry
from impls.hand.named import named
from tests.helpers.evident import checked

SMALL = [
    "rnn-char:width=3,context=4", "lstm-char:width=3,context=3", "gru-char:width=3,context=3",
    "gpt:layers=1,width=4,context=4", "llama-tiny:layers=1,width=8,context=4",
]  # fmt: skip


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("abac adaba cab " * 10, encoding="utf-8")
    return f"text:{path}"


@pytest.mark.parametrize("name", SMALL)
def test_it_trains_in_lockstep(text, name):
    """JAX compiles a network for many seconds, and meets them in the test below and in `test_gpt`."""
    run = harness.run(name, text, steps=10, batch=5, optimizer="adamw(lr=0.01)", against=["hand", "torch"])
    assert (run.verdict, run.exit) == ("PASS", 0), run.reason
    assert {row.verdict for row in run.rows if row.check == "rounding"} == {"ok"}
    assert {row.verdict for row in run.rows if row.check == "formula"} == {"ok"}
    assert "mean over samples and positions" in str(run)
    assert "node.W is a weight of a node" in str(run)


@pytest.mark.parametrize("wrong", ["width=12", "heads=3,width=12", "heads=2,groups=4"])
def test_heads_that_do_not_share_the_width_are_refused(wrong):
    with pytest.raises(ValueError, match=r"^Cannot build llama-tiny with .*, because every head takes pairs"):
        named(f"llama-tiny:{wrong}")


@pytest.mark.parametrize(
    "name", ["lstm-char:width=3,context=3,tokens=5", "llama-tiny:layers=1,width=8,context=3,tokens=5"]
)
def test_every_link_of_a_step_of_jax_is_within_its_bound(name):
    network = named(name)
    rng = np.random.default_rng(0)
    tokens = {name: rng.integers(0, 5, (4, 3)) for name in "xy"}
    point = Point(network, network.init(0, "float32"), tokens["x"], tokens["y"], 1)
    shown = registry.load("jax")(network, "float32").differentiate(point.weights, point.x, point.y)
    assert {row.verdict for row in rounding(point, "jax", shown, profile_of("float32"))} == {"ok"}


MISTAKES = {
    "the gradient of a step is not carried back": (
        "rnn-char", "t1.h.da", "part overwritten", lambda t: +t["t1.h.da:t1.outputs.dq"],
    ),
    "only the last step counts for W": (
        "rnn-char", "t0.h.x.dW", "part overwritten", lambda t: +t["t0.h.x.dW:t3.h.x.dW"],
    ),
    "the cell's path is forgotten": (
        "lstm-char", "t0.new.ds", "part overwritten", lambda t: +t["t0.new.ds:t0.squashed.dz"],
    ),
    "the forget gate for the input gate": (
        "lstm-char", "t1.i.da", "own factor for the other", lambda t: t["t1.new.ds"] * t["t1.i.a"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_located_and_named(mistake):
    name, at, cause, line = MISTAKES[mistake]
    network = named(f"{name}:width=3,context=4,tokens=5")
    rng = np.random.default_rng(0)
    data = rng.integers(0, 5, (6, 4)), rng.integers(0, 5, (6, 4))
    check = checked({at: line}, network=network, data=data)
    assert check.wrong == [at]
    assert cause in {found.cause for found in check.diagnoses[0].causes}
