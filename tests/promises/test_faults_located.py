"""Every fault of the catalogue, planted at every link: located at that link, and named.

A fault is left out, and counted, where it changes nothing on this data: where every tensor with it is still within
what is expected without it; and where it makes a number that is not finite, which is told as such and not by cause.
A number fitted to fewer than three entries is no evidence, so such a fault is located and not named.
"""

from collections import Counter

import numpy as np
import pytest

from harness.arithmetic import profile_of
from harness.diagnosis import diagnose
from harness.faults import faults_at
from impls.hand import from_text
from impls.hand.notation import LOSSES
from tests.faults.test_fault_catalogue import ACTIVATED
from tests.helpers.diagnosing import faulty, point_of, tensors_with

TALLY: Counter[str] = Counter()


def shown_of(network, tensors, weights_only):
    return {n: t for n, t in tensors.items() if n in network.gradients} if weights_only else tensors


def sweep(network, *, weights_only=False, rows=7, links=None, dtype="float64"):
    """Plant each fault; how many were located and named, and those that were not."""
    point, tally, missed = point_of(network, rows), Counter(), []
    for link in network.links if links is None else links:
        for fault in faults_at(network, link):
            shown = shown_of(network, tensors_with(point, {fault.at: fault.rule}), weights_only)
            if not all(np.isfinite(tensor).all() for tensor in shown.values()):
                tally["not finite"] += 1
                continue
            wrong = faulty(point, shown)
            if not wrong:
                tally["changes nothing"] += 1
                continue
            diagnoses = diagnose(point, shown, profile_of(dtype), wrong)
            assert {name for d in diagnoses for name in d.explains} == set(wrong), fault
            (diagnosis,) = diagnoses
            places = {diagnosis.at, *(cause.at for cause in diagnosis.causes)}
            named = (fault.cause, fault.at) in {(cause.cause, cause.at) for cause in diagnosis.causes}
            tally.update(planted=1, located=fault.at in places, named=named)
            if not weights_only:
                assert diagnosis.at == diagnosis.shown_at == fault.at, fault
            if not named:
                missed.append(fault)
    TALLY.update(tally)
    print(network, dict(tally), f"named {tally['named'] / tally['planted']:.1%}")
    assert tally["located"] == tally["planted"] > 0
    assert tally["named"] >= 0.95 * tally["planted"], missed
    return missed


@pytest.mark.parametrize("sizes", ["3-2", "4-3-2-1", "5-4-3-2-2"])
def test_every_fault_at_every_link_with_everything_shown(sizes):
    missed = sweep(from_text(sizes))
    too_few = {"learning rate multiplied in", "weight decay added"}
    assert {fault.cause for fault in missed} <= too_few, missed


@pytest.mark.parametrize("sizes", ["3-2", "4-3-2-1", "3-3-3"])
def test_every_fault_at_every_link_with_gradients_of_the_weights_only(sizes):
    sweep(from_text(sizes), weights_only=True)


@pytest.mark.parametrize("activation", ACTIVATED)
def test_every_fault_at_every_activation(activation):
    network = from_text("3-3-2", activation=activation)
    sweep(network, links=[link for link in network.links if link.output.startswith("dz")])


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "softmax"])
def test_every_fault_at_an_activation_that_is_not_shown(activation):
    network = from_text("3-3-2", activation=activation)
    sweep(network, links=[link for link in network.links if link.output == "dz1"], weights_only=True)


@pytest.mark.parametrize("loss", [*LOSSES, 'binary-cross-entropy(clamp="torch")', "huber(delta=0.3)"])
def test_every_fault_at_every_loss(loss):
    network = from_text("3-3-3", activation="tanh", loss=loss)
    links = [link for link in network.links if link.output in ("loss", "d" + network.output)]
    sweep(network, links=links)


def test_the_share_that_is_named():
    """Over everything that ran before in this file; run alone, there is nothing to judge."""
    print(dict(TALLY))
    if TALLY["planted"]:
        assert TALLY["named"] >= 0.95 * TALLY["planted"]
        assert TALLY["located"] == TALLY["planted"]
        assert TALLY["changes nothing"] + TALLY["not finite"] < 0.2 * TALLY["planted"]
