"""gpt by name on a text: in lockstep, and somebody's backward pass of it, right and with one mistake."""

import copy
import os
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

import harness
from harness.arithmetic import profile_of
from harness.comparison.checks import formula, rounding
from harness.evaluation.point import Point
from harness.inputs.batches import batches_of
from harness.inputs.datasets import load_data
from impls import registry
from impls.hand import (
    AdamW,
    CausalSoftmax,
    Embedding,
    GraphBuilder,
    LayerNorm,
    Positions,
    SplitHeads,
    SumSquaredError,
)
from impls.hand.named import named

backward = run_path(str(Path(__file__).parents[2] / "docs" / "examples" / "gpt.py"))["backward"]
SMALL = "gpt:layers=1,width=8,context=6"

MISTAKES = {
    "mean": ("h0.res2.ds", "mean term missing"),
    "gain": ("h0.res2.ds", "gain left out"),
    "residual": ("h0.res1.ds", "part overwritten"),
    "softmax": ("h0.attn.scores.ds", "function in place of its derivative"),
    "mask": ("h0.attn.scores.ds", "mask missing"),
    "scale": ("h0.attn.heads.dk", "divided by D for its root"),
    "head": ("h0.attn.heads.dv", "heads mixed up"),
    "repeat": ("wte.dW", "repeated index overwritten"),
    "tied": ("wte.dW", "part overwritten"),
}
"""The first wrong link and the cause, of gradients of the weights alone."""


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("the quick brown fox jumps over the lazy dog, " * 12, encoding="utf-8")
    return f"text:{path}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_hand_torch_and_jax_train_it_in_lockstep(text, dtype):
    network = named("gpt:width=8,context=6,tokens=28")
    batches = batches_of(network, load_data(text, network=network), dtype, 4, 0)
    weights = network.init(0, dtype)
    passes = {name: registry.load(name)(network, dtype) for name in ("hand", "torch", "jax")}
    updater = passes["hand"].start(AdamW(), weights)
    for step in range(1, 4):
        point = Point(network, weights, *batches.at(step), step)
        for name, made in passes.items():
            result = made.differentiate(point.weights, point.x, point.y)
            profile = profile_of(dtype, getattr(made, "eager", False))
            assert {row.verdict for row in rounding(point, name, result, profile)} == {"ok"}
            assert "FAULT" not in {row.verdict for row in formula(point, name, result)}
            if name == "hand":
                weights = updater.update(point.weights, result.gradients).weights


def test_a_right_backward_pass_is_right(text):
    found = harness.check(backward(), SMALL, text, batch=4)
    assert (found.verdict, found.exit) == ("PASS", 0)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_located_and_named(text, mistake):
    at, cause = MISTAKES[mistake]
    found = harness.check(backward(mistake), SMALL, text, batch=4)
    assert found.verdict == "FAIL"
    assert at in str(found).split("FAIL  first wrong link: ")[1].split("\n")[0]
    assert cause in {each.cause for diagnosis in found.diagnoses for each in diagnosis.causes}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "holds nothing"),
        ("\ufeff", "holds nothing"),
        ("aaaa" * 20, "one character only, 'a'"),
        ("\0", r"one character only, '\\x00'"),
        ("abcab", "holds 5 characters and a window of 6 with the one after it takes 7"),
    ],
)
def test_a_text_that_holds_too_little_is_refused(tmp_path, content, match):
    path = tmp_path / "text.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(harness.UsageError, match=match):
        harness.run(SMALL, f"text:{path}")


def test_what_is_no_text_is_refused_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.inputs.datasets.text.LARGEST", 99)
    (tmp_path / "latin").write_bytes("abc käse".encode("latin-1"))
    (tmp_path / "long").write_bytes(b"ab" * 50)
    os.mkfifo(tmp_path / "pipe")
    told = {
        "": "Cannot read 'text:', because it names no file; write text:FILE.",
        "latin": "byte 5 is not text in UTF-8; save it as text in UTF-8.",
        "long": "it holds more than 99 bytes; give a shorter one.",
        "pipe": "it is no ordinary file; give a text file that can be read.",
        "/dev/zero": "it is no ordinary file; give a text file that can be read.",
        ".": "it is a directory; give a text file that can be read.",
        "nowhere": "there is no such file; give a text file that can be read.",
        "a\0b": "embedded null byte; give a text file that can be read.",
    }
    for name, said in told.items():
        with pytest.raises(harness.UsageError) as raised:
            harness.run(SMALL, f"text:{tmp_path / name if name else name}")
        assert str(raised.value).endswith(said)
        assert str(raised.value).count("Cannot") == str(raised.value).count("because") == 1


def test_a_text_that_was_changed_is_read_anew(tmp_path):
    path, network = tmp_path / "text.txt", named("gpt:context=4,tokens=3")
    for content, classes in (("bca" * 5, ("a", "b", "c")), ("x\0\U0001f600" * 5, ("\0", "x", "\U0001f600"))):
        path.write_text(content, encoding="utf-8")
        assert load_data(f"text:{path}", network=network).classes == classes


def test_windows_follow_one_another_and_targets_are_one_token_later(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("bca" * 5 + "b", encoding="utf-8")
    data = load_data(f"text:{path}", network=named("gpt:context=4,tokens=3"))
    assert data.classes == ("a", "b", "c")
    assert data.x["i"].tolist() == [[1, 2, 0, 1], [2, 0, 1, 2], [0, 1, 2, 0]]
    assert data.y.tolist() == [[2, 0, 1, 2], [0, 1, 2, 0], [1, 2, 0, 1]]


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("gtp", r"did you mean gpt:layers=2,heads=2,width=32,context=32,tokens=65\?"),
        ("gpt:layer=2", "'layer=2' is no option of it; write gpt:layers=2"),
        ("gpt:layers=two", "layers='two' is not a whole number from 1 to 999999"),
        ("gpt:layers=0", "layers='0' is not a whole number"),
        ("gpt:layers=1,layers=2", "layers stands there twice"),
        ("gpt:heads=5", "make the width a multiple of 5"),
        ("gpt:tokens=3", "28 different characters and the network knows 3 tokens"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(text, name, match):
    with pytest.raises(harness.UsageError, match=match):
        harness.run(name, text)


def test_layers_that_do_not_fit_are_told_by_node_and_shapes():
    net = GraphBuilder()
    x = net("emb", Embedding(3, 6), net.input("i", (5,), choices=3))
    wrong = [
        ("short", Positions(4, 6), "of shape \\(N, 5, 6\\), and it has 4 positions only"),
        ("heads", SplitHeads(4), "of shape \\(N, 5, 6\\), and it cuts rows into queries"),
        ("norm", LayerNorm(5), "it normalises rows of 5 numbers"),
        ("causal", CausalSoftmax(), "each of its queries sees the keys up to its own"),
    ]
    for name, layer, match in wrong:
        other = copy.deepcopy(net)
        other(name, layer, x)
        with pytest.raises(ValueError, match=f"^Cannot connect {name}, .*{match}"):
            other.loss(SumSquaredError(), x)


def test_tokens_out_of_range_are_refused():
    x = np.full((2, 6), 28)
    with pytest.raises(harness.UsageError, match="give numbers from 0 to 27"):
        harness.run(named(f"{SMALL},tokens=28"), ({"i": x}, 0 * x), against=["hand"])
    with pytest.raises(harness.UsageError, match="the target of sample 1 at position 1 is 28;"):
        harness.run(named(f"{SMALL},tokens=28"), ({"i": 0 * x}, x), against=["hand"])
