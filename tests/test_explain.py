"""One derivative explained: what is said, that text and JSON agree, and that every way gives the same."""

import json
import math
import re
from inspect import signature

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.cli.commands import harness as command
from harness.cli.explaining import PRODUCTS
from harness.explaining.screen import blocks
from impls import registry
from impls.hand import GeluTanh, Scaled, from_text
from impls.hand.notation import ACTIVATIONS, LOSSES, OPTIMIZERS, made
from impls.hand_numpy import Hand, HandUpdater


def typed(*words):
    return CliRunner().invoke(command, ["explain", *map(str, words)])


def text_of(told):
    return "\n\n".join(blocks(told))


def hand_only(reference, *arguments, **options):
    return harness.explain(reference, *arguments, against=["hand"], **options)


CASES = {
    "one sample": ("w_21^(1)", {"sample": 0}),
    "a batch": ("w_21^(1)", {"nudge": 0.01}),
    "one path": ("w_11^(2)", {"sample": 7, "nudge": -0.5}),
    "a bias": ("b_2^(1)", {"step": 30, "optimizer": "adam"}),
    "an input": ("x3", {"nudge": 0.25}),
    "an output": ("O21", {"sample": 149, "nudge": 1e-3}),
    "the last output": ("O31", {}),
    "many paths": ("w_21^(1)", {"network": from_text("4-20-30-1", activation="tanh"), "sample": 3, "nudge": 0.1}),
    "a wide batch": ("w_2,11^(1)", {"network": from_text("4-20-30-3", activation="relu", loss="cross-entropy")}),
    "deep": ("w_21^(1)", {"network": "4-3-3-3-3-3-3-3-3-1", "sample": 2}),
    "softmax": ("w_21^(2)", {"network": from_text("4-3-2-3", output_activation="softmax"), "sample": 7}),
    "softmax inside": ("w_21^(1)", {"network": from_text("4-3-3-3", activation="softmax", loss="cross-entropy")}),
    "a constant": ("w_21^(1)", {"network": from_text("4-3-3-1", activation="softmax"), "nudge": 0.1}),
    "one-hot": ("b1[1]", {"network": from_text("4-3", activation="silu", loss="one-hot-cross-entropy"), "sample": 1}),
    "mini-batches": ("W1[1,1]", {"batch": 8, "step": 25, "optimizer": "momentum", "seed": 3}),
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES)
def told(request):
    reference, options = CASES[request.param]
    return hand_only(reference, **options)


def test_json_holds_what_is_promised(told):
    found = json.loads(json.dumps(told.to_dict(), allow_nan=False))
    assert {"weight", "value", "paths", "total", "cancellation", "ways"} <= set(found)
    for path in found["paths"]:
        assert {"route", "factors", "product"} <= set(path)
        assert len(path["factors"]) == len(path["route"]) - 1 == len(found["columns"])
        assert math.prod(path["factors"]) == path["product"]
        assert path["route"][0] == found["short"]
        assert path["route"][-1] == "L"
    assert found["exit"] == 0


def test_listed_and_others_are_all_paths(told):
    listed = math.fsum(path.product for path in told.paths)
    assert len(told.paths) + told.others.count == told.count == told.routes_count * told.batch
    # Each sum is a float64 sum of `count` terms at most, of which the magnitudes are known.
    assert abs(listed + told.others.sum - told.total) <= 2 * told.count * 2.0**-53 * told.magnitude
    for rows, rest in ((told.routes, told.other_routes), (told.dominant, told.other_samples)):
        if rows:
            total = math.fsum(row.sum for row in rows) + rest.sum
            assert abs(total - told.total) <= 2 * told.count * 2.0**-53 * told.magnitude
    assert told.cancellation == (max(1.0, told.magnitude / abs(told.total)) if told.total else None)


def numbers_in(value):
    """Every number of a JSON value, those inside its strings too."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for part in value for number in numbers_in(part)]
    if isinstance(value, str):
        return [float(word.replace(",", "")) for word in re.findall(NUMBER, value)]
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]\d+)?"


def is_rounding(word, numbers):
    """Is the printed number one of the numbers, rounded to the digits printed?"""
    mantissa, exponent, _ = word.replace(",", "").partition("e")
    decimals = len(mantissa.partition(".")[2])
    style = f".{decimals}e" if exponent else f".{decimals}f"
    return any(float(f"{abs(n):{style}}") == float(word.replace(",", "")) or f"{abs(n):.4g}" == word for n in numbers)


def test_every_number_printed_is_one_of_the_json_rounded(told):
    numbers = numbers_in(told.to_dict())
    numbers += [100 * (row.share or 0) for row in told.dominant] + [told.samples - 1]
    numbers += range(1, len(told.paths) + 1)  # the paths are numbered
    if told.nudge:
        numbers.append(sum(told.nudge.along_paths))
    shown = text_of(told).partition("\nnext ")[0]
    words = re.findall(rf"(?<![\w.^\[(]){NUMBER}(?![\w\]])", shown)
    assert len(words) > 10
    assert [word for word in words if not is_rounding(word, numbers)] == []


def test_the_text_is_at_most_80_columns_wide_and_has_its_parts(told):
    shown = text_of(told)
    assert max(map(len, shown.split("\n"))) <= 80
    for part in (
        f"∂L/∂{told.short} = ", f"from {told.short} to L", "product", "where each factor comes from",
        "same derivative, four ways", "i = source, j = destination", "next  ",
    ):  # fmt: skip
        assert part in shown
    assert ("the update by" in shown) == (told.kind in ("weight", "bias"))


def test_everything_has_an_ascii_stand_in(told):
    plain = text_of(told).translate(PRODUCTS)
    assert plain.isascii()
    assert max(map(len, plain.split("\n"))) <= 80


def test_in_ascii_nothing_is_lost():
    done = CliRunner(charset="ascii").invoke(command, ["explain", "w_21^(1)", "--against", "hand", "--nudge", "0.01"])
    assert done.exit_code == 0
    assert done.stdout.isascii()
    assert "?" not in done.stdout
    assert "x2 --w--> O11 -+-> O21 -+-> O31 ---> L" in done.stdout
    assert "dL/dw = sum_samples dL/dO31 * ( dO31/dO21*dO21/dO11 + dO31/dO22*dO22/dO11 )" in done.stdout
    assert "4-3-2-1 sigmoid | L = sum over samples" in done.stdout


def test_the_running_example_is_explained_as_it_is_taught():
    shown = text_of(harness.explain("w_21^(1)", sample=0))
    assert shown.startswith("w_21^(1) = W1[2,1] = -0.895217    from input x2 to neuron O11")
    assert "x2 ──w──▶ O11 ─┬─▶ O21 ─┬─▶ O31 ───▶ L        2 paths from w to L\n" in shown
    assert "∂L/∂w = ∂L/∂O31 · ( ∂O31/∂O21·∂O21/∂O11 + ∂O31/∂O22·∂O22/∂O11 ) · ∂O11/∂w\n" in shown
    assert "      = ∂L/∂O31·∂O31/∂O21·∂O21/∂O11·∂O11/∂w\n" in shown
    assert "      + ∂L/∂O31·∂O31/∂O22·∂O22/∂O11·∂O11/∂w\n" in shown
    assert re.search(r"path +∂O11/∂w +∂O2k/∂O11 +∂O31/∂O2k +∂L/∂O31 +product\n", shown)
    assert "  1 w▸O11▸O21▸O31▸L  +0.098455  -0.160452  +0.103920  +1.039031  -1.705744e-03\n" in shown
    assert "∂O31/∂O21 = O31(1 − O31)·w_11^(3) = 0.249619 · 0.416315    = +0.103920\n" in shown
    ways = shown.partition("same derivative, six ways")[2]
    names = ["paths, added", "matrix backward", "torch autograd", "jax grad", "central difference, h=", "128-bit ball"]
    assert [line.strip().startswith(name) for line, name in zip(ways.splitlines()[1:], names, strict=False)] == [
        True
    ] * 6


def test_the_slip_of_a_second_term_is_answered():
    told = hand_only("w_11^(2)")
    assert told.routes_count == 1
    assert told.notes == ["w_11^(2) feeds O21 only: a term through O22 belongs to w_12^(2), not to it."]
    assert hand_only("w_11^(3)").notes == []  # there is no other neuron


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


def test_after_steps_the_weights_are_those_of_a_run():
    run = harness.run(against=["hand"], dtype="float64", steps=20, batch=32, seed=5)
    told = hand_only("w_32^(1)", step=19, batch=32, seed=5)
    assert told.value == run.weights_at(20)["W1"][2, 1]
    assert told.loss_value == run.losses["hand"][19]
    assert told.batch == 22  # the fourth epoch's last batch is short: 150 = 4 * 32 + 22
    assert all(row.sample < 150 for row in told.dominant)


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_update_is_the_optimizers_own(name, decay):
    optimizer = made("optimizer", OPTIMIZERS, name, weight_decay=decay)
    told = hand_only("w_32^(1)", step=3, optimizer=optimizer)
    network = from_text("4-3-2-1")
    data = harness.load_data("iris")
    x, y = data.x, data.targets(network)
    weights = network.init(0)
    updater = HandUpdater(optimizer, weights)
    for step in range(4):
        gradients = network.backward(weights, x, y, network.forward(weights, x))
        if step == 3:
            assert told.update.old == weights["W1"][2, 1]
            gradients["dW1"][2, 1] = told.total
        weights = updater.update(weights, gradients).weights
    assert told.update.new == told.update.rows[-1].value == weights["W1"][2, 1]
    assert told.update.rows[-1].name == "w_new"
    assert repr(told.update.new) in text_of(told)
    for row in told.update.rows:  # the formula with its numbers gives the value, to the digits that are printed
        code = row.numbers.replace("·", "*").replace("²", "**2").replace("−", "-").replace("^", "**")
        code = re.sub(r"√(\([^()]*\)|[\d.e-]+)", r"math.sqrt(\1)", code)
        assert eval(code) == pytest.approx(row.value, rel=1e-3, abs=1e-6)


def test_a_third_partys_optimizer_has_no_formula_and_a_new_weight():
    class Halved:
        state = ()

        def W(self, W, dW):
            return W - dW / 2

    told = hand_only("w_32^(1)", optimizer=Halved())
    assert told.update.new == told.value - told.total / 2
    assert f"the update by Halved\n  w_new = {told.update.new!r}\n" in text_of(told)
    assert [row.formula for row in told.update.rows] == [""]


def moved_loss(reference, amount, sample):
    network = from_text("4-3-2-1")
    data = harness.load_data("iris")
    weights, x, y = network.init(0), data.x[[sample]], data.targets(network)[[sample]]
    if reference == "x3":
        x = x.copy()
        x[0, 2] += amount
    else:
        weights["W1"][1, 0] += amount
    activations = network.forward(weights, x)
    return float(network.loss_of(activations, y)), activations


@pytest.mark.parametrize("reference", ["w_21^(1)", "x3"])
def test_a_nudge_moves_what_it_moves_and_the_paths_add_up(reference):
    amount, told = 1e-3, hand_only(reference, sample=4, nudge=1e-3)
    nudge = told.nudge
    before, after = moved_loss(reference, 0.0, 4), moved_loss(reference, amount, 4)
    assert (nudge.loss.before, nudge.loss.after) == (before[0], after[0])
    for node in nudge.nodes:
        layer, j = int(node.name[1]), int(node.name[2]) - 1
        assert (node.before, node.after) == (before[1][f"a{layer}"][0, j], after[1][f"a{layer}"][0, j])
        assert node.first_order == pytest.approx(node.change, rel=1e-2)
    assert nudge.first_order == amount * told.total
    assert nudge.along_paths == [amount * path.product for path in told.paths]
    assert math.fsum(nudge.along_paths) == pytest.approx(nudge.first_order, rel=1e-13)
    assert nudge.remainder == nudge.loss.change - nudge.first_order
    assert 3.9 < nudge.remainder / nudge.remainder_at_half < 4.1  # second order: a quarter, and little more
    assert nudge.rounding < abs(nudge.remainder_at_half)


def test_an_output_is_moved_behind_its_neuron():
    told = hand_only("O21", sample=4, nudge=0.5)
    network, data = from_text("4-3-2-1"), harness.load_data("iris")
    weights = network.init(0)
    a2 = network.forward(weights, data.x[[4]])["a2"].copy()
    a2[0, 0] += 0.5
    (step,) = [link for link in network.forward_links if link.output == "z3"]
    a3 = 1 / (1 + np.exp(-step({**weights, "a2": a2})))
    assert told.nudge.loss.after == pytest.approx(float(np.sum((a3 - data.targets(network)[4]) ** 2)), rel=1e-14)
    assert [node.name for node in told.nudge.nodes] == ["O31"]


def test_a_dead_relu_says_that_nothing_arrives():
    network = from_text("2-1-1", activation="relu")
    told = hand_only("w_11^(1)", network, (np.array([[-50.0, -50.0], [-60.0, -70.0]]), np.ones(2)))
    assert (told.total, told.magnitude, told.cancellation) == (0, 0, None)
    assert "Nothing arrives: every path is 0." in text_of(told)
    assert told.ways[-1].digits == "0 ± 0"


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
    monkeypatch.setattr("harness.truth.find_spec", lambda name: None)
    told = harness.explain("w_21^(1)", sample=0, against=["torch"])
    shown = " ".join(text_of(told).split())
    assert "torch autograd: Cannot compare with torch, because it is not installed" in shown
    assert "ball arithmetic: Cannot find the true values of this network, because exp is irrational" in shown
    assert "minus matrix" in shown
    assert told.reference.way == "matrix backward (NumPy)"
    assert told.ways[0].outside is False


def test_counts_of_any_size_are_whole_numbers_in_json(tmp_path):
    (tmp_path / "deep.toml").write_text(
        'loss = "mean-squared-error"\nlayers = ["dense(inputs=3, outputs=40)", "tanh",\n'
        + '"dense(inputs=40, outputs=40)", "tanh",\n' * 14 + '"dense(inputs=40, outputs=2)"]\n'
    )  # fmt: skip
    np.savez(tmp_path / "mine.npz", x=np.random.default_rng(0).normal(size=(3, 3)), y=np.ones((3, 2)))
    words = ["w_11^(1)", tmp_path / "deep.toml", "--data", tmp_path / "mine.npz", "--against", "hand"]
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


TEXTS = {
    "−": "-", "·": "*", "²": "**2", "[": "(", "]": ")", "{z}": "z", "{a}": "a", "exp z": "exp(z)",
    "gelu_tanh'": "gelu_tanh",
}  # fmt: skip


def evaluated(text, **values):
    """A derivative's text as a number: sums and products as they are read, brackets multiplied."""
    for sign, code in TEXTS.items():
        text = text.replace(sign, code)
    text = re.sub(r"(?<=[\d)az])\(", "*(", text)  # a(1 - a) is a product, s(z) is not
    functions = {
        "s": lambda z: 1 / (1 + math.exp(-z)), "exp": math.exp, "sign": np.sign, "min": min, "max": max,
        "Φ": lambda z: 0.5 * math.erfc(-z / math.sqrt(2)), "φ": lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
        "gelu_tanh": lambda z: float(GeluTanh().dz(np.ones(1), np.array([z]))[0]),
    }  # fmt: skip
    return eval(text, {"__builtins__": {}}, {**functions, **values})


@pytest.mark.parametrize("name", [*ACTIVATIONS, "leaky-relu(slope=0.2)", "elu(alpha=0.5)", "softplus(threshold=1)"])
def test_the_text_of_every_activations_derivative_is_true(name):
    layer = made("activation", ACTIVATIONS, name)
    z = np.array([[-2.0, -0.5, 0.5, 2.0, 4.0]])
    a = layer.forward(z)
    one = np.eye(5) if not layer.elementwise else np.ones_like(z)
    read = {"z": np.repeat(z, len(one), axis=0), "a": np.repeat(a, len(one), axis=0)}
    needs = [parameter for parameter in signature(layer.dz).parameters if parameter != "da"]
    slopes = layer.dz(one, *[read[parameter] for parameter in needs])
    for k, row in enumerate(slopes):
        for i, slope in enumerate(row):
            text = layer.derivative.format(a="a", z="z", b="b", same=int(k == i), **layer.parameters())
            at = {"a": a[0, k], "b": a[0, i]} if not layer.elementwise else {"a": a[0, i], "z": z[0, i]}
            assert evaluated(text, **at) == pytest.approx(slope, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("name", [*LOSSES, "huber(delta=0.1)", "binary-cross-entropy(clamp='torch')", "scaled"])
def test_the_text_of_every_losses_derivative_is_true(name):
    loss = Scaled(made("loss", LOSSES, "huber"), 8) if name == "scaled" else made("loss", LOSSES, name)
    a = np.array([[0.2, 0.7, 0.4], [0.9, 0.1, 0.6]])
    y = np.array([2, 0]) if loss.labels else np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    gradient, p = loss.da(a, y), np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
    inner = getattr(loss, "loss", loss)
    for n, k in np.ndindex(a.shape):
        target = float(y[n] == k) if loss.labels else y[n, k]
        text = loss.derivative.format(a="a", y="y", p="p", total="total", rows=2, entries=6, **inner.parameters())
        assert evaluated(text, a=a[n, k], y=target, p=p[n, k], total=1.0) == pytest.approx(gradient[n, k], rel=1e-12)


@pytest.mark.parametrize("x", [1e200, 1e308])
def test_what_is_not_finite_is_refused(x):
    network = from_text("2-2-1", activation="identity")
    with pytest.raises(harness.UsageError, match="the loss or a derivative on the way is not finite"):
        hand_only("w_11^(1)", network, (np.array([[x, -x / 3]]), np.array([1.0])))


def test_products_that_overflow_are_refused_and_those_that_underflow_are_0():
    def chain(weight, last):
        network = from_text("-".join("1" * 70), activation="identity", loss="mean-absolute-error")
        weights = {name: np.full(s, weight if name[0] == "W" else 0.0) for name, s in network.weights.items()}
        network.init = lambda seed, dtype=np.float64: {**weights, "W69": np.full((1, 1), last)}
        return network

    data = (np.zeros((1, 1)), np.ones(1))  # all outputs are 0, all local derivatives are weights
    told = hand_only("w_11^(3)", chain(1e-6, 1.0), data)
    assert (told.total, told.count) == (0, 1)
    with pytest.raises(harness.UsageError, match="the loss or a derivative on the way is not finite"):
        hand_only("b1[1]", chain(1e9, 1.0), data)


@pytest.mark.parametrize(
    ("activation", "loss"), [(a, "huber") for a in ACTIVATIONS] + [("tanh", loss) for loss in LOSSES]
)
def test_every_activation_and_loss_is_explained(activation, loss):
    network = from_text("4-3-3-3", activation=activation, loss=loss)
    for reference in ("w_21^(1)", "b3[2]"):
        for sample in (None, 60):
            told = hand_only(reference, network, sample=sample, nudge=1e-3)
            assert told.exit == 0
            assert all(factor.formula for factor in told.factors)
            assert max(map(len, text_of(told).translate(PRODUCTS).split("\n"))) <= 80
            json.dumps(told.to_dict(), allow_nan=False)


def test_torchs_wrong_constant_is_found_here_too():
    told = harness.explain("w_21^(1)", from_text("4-3-1", activation="hard-sigmoid"), against=["torch"])
    assert told.exit == 1
    assert "FAULT  torch autograd is further off than rounding allows" in text_of(told)
