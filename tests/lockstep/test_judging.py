"""Judging: a function of what a step has run, which can be done later, and again."""

import pytest

from harness.candidates.implementation import admit
from harness.inputs.arguments import as_data, as_optimizer
from harness.inputs.batches import batches_of
from harness.inputs.schedule import Schedule
from harness.lockstep.judging import judged, power_of
from harness.lockstep.session import Session
from impls.hand import from_text


@pytest.mark.parametrize("free", [False, True], ids=["lockstep", "free run"])
def test_what_a_step_has_run_is_judged_alike_after_the_run_has_gone_on(free):
    network = from_text("5-4-3", activation="tanh", loss="cross-entropy")

    def steps(late):
        session = Session(
            network=network, batches=batches_of(network, as_data("random", network, 0, raw=False, target=None),
            "float32", 16, 0), optimizer=as_optimizer("adam"), dtype="float32", seed=0,
            schedule=Schedule(full=True, every=0, last=3, seed=0), free=free,
            admission=admit(("hand",), network, "float32", named=False),
        )  # fmt: skip
        run = [session.step(number) if late else judged(session.step(number)) for number in (1, 2, 3)]
        return [judged(each) for each in run] if late else run

    at_once, later = steps(late=False), steps(late=True)
    assert later == at_once
    assert [len(step.rows) > 10 for step in later] == [True] * 3


def test_a_step_that_is_not_judged_has_no_power():
    network = from_text("3-2")
    session = Session(
        network=network, batches=batches_of(network, as_data("random", network, 0, raw=False, target=None),
        "float32", None, 0), optimizer=as_optimizer("gradient-descent"), dtype="float32", seed=0,
        schedule=Schedule(full=True, every=2, last=4, seed=0), free=False,
        admission=admit(("hand",), network, "float32", named=False),
    )  # fmt: skip
    judged_steps = [power_of(session.step(number), dict) is not None for number in (1, 2, 3, 4)]
    assert judged_steps == [True, True, False, True]
