"""What `harness explain` can be asked, and what it answers to a wrong question."""

import numpy as np
import pytest

import harness
from impls.hand import from_text
from tests.helpers.explaining import hand_only, typed


@pytest.mark.parametrize(
    "name", ["W1[2,1]", "dW1[2,1]", "w_21^1", "w_{21}^{(1)}", "w_2,1^(1)", "∂L/∂w_21^(1)", " w21^(1) "]
)
def test_a_weight_has_several_spellings(name):
    told = hand_only(name, sample=0)
    assert (told.weight, told.name) == ("w_21^(1)", "W1[2,1]")
    assert told.value == from_text("4-3-2-1").init(0)["W1"][1, 0]


def test_every_weight_is_found_under_both_names():
    from harness.explaining.references import parse

    network = from_text("12-11-3-13")
    for name, shape in network.weights.items():
        for index in np.ndindex(shape):
            place = ",".join(str(i + 1) for i in index)
            found = parse(f"{name}[{place}]", network)
            assert (found.tensor, found.index) == (name, index)
            assert parse(found.symbol, network) == found
            assert parse(found.name, network) == found
    assert parse("w_121^(1)", network).index == (11, 0)  # w_1,21 does not exist
    with pytest.raises(harness.UsageError, match=r"two ways; write w_1,11\^\(1\) or w_11,1\^\(1\)\.$"):
        parse("w_111^(1)", network)


WRONG = {
    "a neuron": (["w_99^(1)"], "W1 has 4 rows (i) and 3 columns (j); choose w_11^(1) to w_43^(1), w_11^(2) to"),
    "a layer": (["W7[0,0]"], "there is no layer 7; choose w_11^(1) to w_43^(1)"),
    "an index from 0": (["W1[0,1]"], "indices count from 1"),
    "a layer from 0": (["w_11^(0)"], "there is no layer 0"),
    "a weight of one index": (["w_1^(1)"], "W1 has 4 rows"),
    "words": (["the first one"], "names no weight, bias, input or output; write w_21^(1) or W1[2,1]"),
    "nothing": ([""], "names no weight"),
    "half a bracket": (["W1[2,1"], "names no weight"),
    "code": (["W1[__import__('os')]"], "names no weight"),
    "other digits": (["w_٢١^(1)"], "names no weight"),
    "a long number": ([f"w_{'9' * 5000}^(1)"], "names no weight"),
    "an output": (["O99"], "choose O11 to O13, O21 to O22, O31"),
    "a layer's outputs": (["O2"], "it names no layer and neuron of it"),
    "an input": (["x5"], "there are 4 inputs; choose x1 to x4"),
    "input 0": (["x0"], "they count from 1"),
    "a bias": (["b2[3]"], "b2 has 2 entries; choose b1[1] to b1[3], b2[1] to b2[2], b3[1]"),
    "bias 0": (["b_0^(2)"], "indices count from 1"),
    "a bias of no layer": (["b9[1]"], "there is no layer 9"),
    "a sample": (["x1", "--sample", 150], "iris has 150 of them, counted from 0; choose one from 0 to 149"),
    "a negative sample": (["x1", "--sample", -1], "sample=-1"),
    "a negative step": (["x1", "--step", -1], "step=-1"),
    "no nudge": (["x1", "--nudge", 0], "nudge by 0.0"),
    "an endless nudge": (["x1", "--nudge", "inf"], "nudge by inf"),
    "a nudge that is none": (["x1", "--nudge", "nan"], "nudge by nan"),
    "a nudge too small": (["w_21^(1)", "--nudge", 1e-30], "moves -0.895217 to the same float64"),
    "an implementation": (["x1", "--against", "trch"], "did you mean torch?"),
    "no implementation": (["x1", "--against", " , "], "--against names none"),
    "a model": (["x1", "4-"], "write for example 4-3-2-1"),
    "a data set": (["x1", "--data", "irsi"], "did you mean iris?"),
    "a rate that diverges": (["x1", "--loss", "sum-squared-error", "--output-activation", "identity", "--lr", 9e99,
                              "--step", 50], "the training diverges at step"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_is(what):
    words, said = WRONG[what]
    done = typed(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("harness explain: Cannot ")
    assert said in done.stderr
    assert ", because " in done.stderr
    assert "; " in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [["--sample", "1.5"], ["--sample", "first"], ["--nudge", "far"], ["--stpe", "1"], []])
def test_what_is_no_number_or_no_option_ends_with_2(words):
    done = typed(*(["x1", *words] if words else []))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


CALLS = {
    "no text": ({"reference": 3}, "it is no text"),
    "half a sample": ({"reference": "x1", "sample": 1.5}, "sample=1.5"),
    "a true sample": ({"reference": "x1", "sample": True}, "sample=True"),
    "a nudge of text": ({"reference": "x1", "nudge": "far"}, "nudge by 'far'"),
    "a true nudge": ({"reference": "x1", "nudge": True}, "nudge by True"),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_call_with(what):
    options, said = CALLS[what]
    with pytest.raises(harness.UsageError, match=r"^Cannot .*, because .*; .*\.$") as told:
        harness.explain(**options)
    assert said in str(told.value)


def test_a_bias_that_a_layer_has_not_is_told():
    from impls.hand import Dense, Network, SumSquaredError

    network = Network([Dense(4, 1, bias=False)], SumSquaredError())
    with pytest.raises(harness.UsageError, match="layer 1 has no bias; choose a weight, an input or an output"):
        harness.explain("b1[1]", network)
