"""No power: where most entries of a tensor would pass at half their size, whatever the rest would do."""

import numpy as np
import pytest

import harness
from harness.comparison.judge import judge
from impls.contract import CannotCompareError, Pass
from impls.hand_numpy import Hand


def judged(expected, allowed):
    expected, allowed = np.array(expected), np.array(allowed)
    return judge("formula", "dW1", "mine", 1, actual=expected, expected=expected, allowed=allowed)


@pytest.mark.parametrize(
    ("expected", "allowed", "verdict"),
    [
        ([1.0, 1.0, 1.0], [0.4, 0.4, 0.4], "ok"),
        ([1.0, 1.0, 1.0], [0.4, 0.4, 9.0], "ok"),
        ([1.0, 1.0, 1.0], [0.4, 0.6, 0.6], "no power"),  # a third of it tells, and `sees` is above 100 %
        ([1.0, 1.0], [0.4, 0.6], "no power"),  # `sees` is the larger of the middle two
        ([1.0, 1.0, 0.0, 0.0], [0.4, 0.4, 9.0, 9.0], "ok"),
        ([1.0, 0.0, 0.0, 0.0], [0.6, 0.1, 0.1, 0.1], "no power"),
        ([0.0, 0.0], [1.0, 1.0], "ok"),
        ([1.0, 1.0, 1.0], [np.inf, np.inf, 0.4], "ok"),  # where nothing is bounded nothing is to be seen
        ([1.0, 1.0, 1.0], [np.inf, np.inf, 0.6], "no power"),
        ([1.0, 1.0], [np.inf, np.inf], "no power"),
    ],
)
def test_a_tensor_with(expected, allowed, verdict):
    row = judged(expected, allowed)
    assert row.verdict == verdict
    if verdict == "ok" and row.sees is not None:
        assert row.sees < 1
    assert judged([-e for e in expected], allowed).verdict == verdict


DEEP = {  # layers of six sigmoids, of which only gradients of weights are shown
    "x 1.1, 16 layers, float32": (16, "float32", 1.1),
    "right, 40 layers, float64": (40, "float64", 1.0),
    "right, 16 layers, float32": (16, "float32", 1.0),
}


@pytest.mark.parametrize("what", DEEP)
def test_a_check_of_what_could_not_be_seen_does_not_pass(what):
    layers, dtype, factor = DEEP[what]
    network = harness.load_network("-".join(["4", *["6"] * layers, "1"]))
    gradients = network.gradients

    def backward(weights, x, y):
        found = Hand(network, dtype).differentiate(weights, x, y).gradients
        return {name: found[name] * found[name].dtype.type(factor if name == "dW1" else 1) for name in gradients}

    found = harness.check(backward, network, "iris", dtype=dtype, batch=20)
    assert (found.verdict, found.exit) == ("NO POWER", 0)
    assert "would have passed at half their size too" in found.reason
    assert all(row.verdict == "no power" for row in found.rows if row.sees is not None and row.sees > 1)
    assert found.to_dict()["verdict"] == "NO POWER"


def test_a_run_in_which_nobody_could_have_seen_it_does_not_pass(register):
    network = harness.load_network("-".join(["4", *["6"] * 16, "1"]))

    class InSingle(Hand):
        """Shows the gradients of weights alone, of a pass in float32 even where float64 is asked for."""

        def differentiate(self, weights, x, y, *, tap=True):
            found = super().differentiate(weights, x, y, tap=tap)
            slips = {name: found.gradients[name].copy() for name in network.gradients}
            slips["dW1"] *= 1.1 if slips["dW1"].dtype == np.float32 else 1
            return Pass(found.loss, slips)

        def __init__(self, network, dtype):
            if dtype == "float64":
                raise CannotCompareError("it has none")
            super().__init__(network, dtype)

    register("single", InSingle)
    run = harness.run(network, "iris", ["single"], steps=1, batch=20)
    assert (run.verdict, run.to_dict()["verdict"]) == ("NO POWER", "NO POWER")
