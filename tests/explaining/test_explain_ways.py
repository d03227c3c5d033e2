"""One derivative explained: every way gives the same, and what implementations do wrong is told."""

import json

import numpy as np

import harness
from impls import registry
from impls.hand import from_text
from impls.hand_numpy import Hand
from tests.helpers.explaining import hand_only, text_of, typed


def test_every_way_agrees_and_the_true_one_is_certified():
    told = harness.explain("w_21^(1)", from_text("4-5-3-3", activation="gelu", loss="cross-entropy"), sample=100)
    ways = {way.way.partition(",")[0]: way for way in told.ways}
    assert list(ways) == [
        "paths", "matrix backward (NumPy)", "torch autograd", "jax grad", "central difference",
        "128-bit ball arithmetic",
    ]  # fmt: skip
    for way in list(ways.values())[:4]:
        assert abs(way.difference) <= way.allowed
        assert way.outside is False
    difference = ways["central difference"]
    assert difference.estimate
    assert 0 < difference.allowed < 1e-8 * abs(told.total)
    assert abs(difference.difference) <= 10 * difference.allowed  # an estimate, and of the right size
    assert told.exit == 0


def test_a_piecewise_linear_network_has_an_exact_rational_derivative():
    told = hand_only("w_21^(1)", from_text("4-3-2-1", activation="leaky-relu"), sample=3)
    assert told.ways[-1].way == "exact rational arithmetic"
    assert told.ways[-1].allowed == 0


def test_a_wrong_implementation_is_outside_and_ends_with_1(register):
    class Wrong(Hand):
        def differentiate(self, weights, x, y, *, tap=True):
            result = super().differentiate(weights, x, y, tap=tap)
            result.gradients["dW2"][0, 0] += result.gradients["dW2"][0, 1]
            return result

    class Raises(Hand):
        def differentiate(self, weights, x, y, *, tap=True):
            raise RuntimeError("out of cheese")

    register("wrong", Wrong)
    register("raises", Raises)
    done = typed("w_11^(2)", "--against", "wrong,raises")
    assert done.exit_code == 1
    assert "FAULT  wrong is further off than rounding allows" in done.stdout
    assert "raises: raised RuntimeError: out of cheese" in done.stdout
    assert typed("w_12^(2)", "--against", "wrong").exit_code == 0


def test_a_hostile_name_and_message_are_shown_and_not_obeyed(register):
    def build(network, dtype):
        raise RuntimeError("\x1b[31mred\x07\u202e")

    register("\x1b[31mevil", build)
    for words in ([], ["--json"]):
        done = typed("w_11^(2)", "--against", "\x1b[31mevil", *words)
        assert done.exit_code == 0
        assert all(c == "\n" or c.isprintable() for c in done.stdout)
        assert r"\x1b[31mevil" in done.stdout.replace("\\\\", "\\")


def test_what_is_missing_says_so(monkeypatch):
    load = registry.load

    def without(name):
        if name == "torch":
            raise registry.NotInstalledError("Cannot compare with torch, because it is not installed; install it.")
        return load(name)

    monkeypatch.setattr(registry, "load", without)
    monkeypatch.setattr("harness.evaluation.truth.find_spec", lambda name: None)
    told = harness.explain("w_21^(1)", sample=0, against=["torch"])
    shown = " ".join(text_of(told).split())
    assert "torch autograd: Cannot compare with torch, because it is not installed" in shown
    assert "ball arithmetic: Cannot find the true values of this network, because exp is irrational" in shown
    assert "minus matrix" in shown
    assert told.reference.way == "matrix backward (NumPy)"
    assert told.ways[0].outside is False


def test_counts_of_any_size_are_whole_numbers_in_json(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the heading names the file as it was named, and has room for a short path
    (tmp_path / "deep.toml").write_text(
        'loss = "mean-squared-error"\nlayers = ["dense(inputs=3, outputs=40)", "tanh",\n'
        + '"dense(inputs=40, outputs=40)", "tanh",\n' * 14 + '"dense(inputs=40, outputs=2)"]\n'
    )  # fmt: skip
    np.savez("mine.npz", x=np.random.default_rng(0).normal(size=(3, 3)), y=np.ones((3, 2)))
    words = ["w_11^(1)", "deep.toml", "--data", "mine.npz", "--against", "hand"]
    found = json.loads(typed(*words, "--json").stdout)
    assert found["routes_count"] == 40**14 * 2
    assert found["count"] == 3 * 40**14 * 2
    assert found["ways"][0]["way"] == "paths, added layer by layer"
    assert found["routes"] is None
    shown = typed(*words).stdout
    assert "5.36871e+22 paths from w to L in each of 3 samples: 1.61061e+23 in all" in shown
    assert "··· 13 more levels ···" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_labels_and_the_neuron_of_a_class_are_told_apart():
    told = hand_only("O22", from_text("4-3-3", loss="cross-entropy"), sample=60)
    assert told.target == 1
    assert told.factors[0].formula == "softmax(O2)[2] − [y = 1]"
    assert told.factors[0].numbers.endswith(" − 1")
    assert "Labels count from 0: output neuron k stands for label k - 1." in told.notes


def test_the_next_command_repeats_what_was_typed():
    done = typed("w_21^(1)", "4-3-1", "--against", "hand")
    assert 'next  harness explain "w_21^(1)" 4-3-1 --against hand --sample ' in done.stdout
    assert '      harness explain "w_21^(1)" 4-3-1 --against hand --nudge 0.01\n' in done.stdout
