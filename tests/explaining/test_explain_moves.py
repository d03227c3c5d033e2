"""One derivative explained after steps, with an update, and with a nudge."""

import math
import re

import numpy as np
import pytest

import harness
from impls.hand import from_text
from impls.hand.notation import OPTIMIZERS
from impls.hand.parsing import made
from impls.hand_numpy import HandUpdater
from tests.helpers.explaining import hand_only, text_of


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
