"""Derivatives of a loss with a penalty: the paths without it, what it adds beside, and an update with both."""

import re

import pytest

import harness
from impls.hand import from_text

PLAIN = from_text("4-3-2-1")
PENALISED = from_text("4-3-2-1", l2=0.01)


def test_the_paths_are_those_of_the_loss_without_its_penalty_and_the_update_has_both():
    plain, told = (harness.explain("w_21^(1)", network) for network in (PLAIN, PENALISED))
    assert (told.total, told.loss_value, told.loss) == (plain.total, plain.loss_value, plain.loss)
    assert not any(way.outside for way in told.ways)
    added = 0.02 * told.value
    assert told.update.new == pytest.approx(told.value - told.update.lr * (told.total + added), rel=1e-15)
    assert told.update.new != plain.update.new
    (note,) = [note for note in told.notes if "penalty" in note]
    assert "it adds 0.02·w = " in note
    amount, whole = (float(number) for number in re.findall(r"(-?0\.\d+)(?: to|  in| in)", note))
    assert amount == pytest.approx(added, rel=1e-4)
    assert whole == pytest.approx(told.total + added, rel=1e-4)
    assert not any("penalty" in note for note in plain.notes)


@pytest.mark.parametrize("reference", ["b1[2]", "x3", "O21"])
def test_of_what_has_no_penalty_none_is_added(reference):
    plain, told = (harness.explain(reference, network) for network in (PLAIN, PENALISED))
    assert told.total == plain.total
    assert (told.update and told.update.new) == (plain.update and plain.update.new)
    assert "L is told without its penalty, which does not read this." in told.notes


def test_training_before_has_the_penalty():
    plain, told = (harness.explain("w_21^(1)", network, step=3) for network in (PLAIN, PENALISED))
    assert told.value != plain.value


def test_an_allowance_holds_the_penaltys_part():
    told = harness.why("dW1[2,1]", PENALISED)
    assert "dW1:loss.dw" in [term.link for term in told.terms]
    assert sum(term.amount for term in told.terms) == pytest.approx(told.allowed, rel=1e-12)
