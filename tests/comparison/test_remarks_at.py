import numpy as np

import harness
from impls.hand import Dense, Network, Relu, SumSquaredError

NETWORK = Network([Dense(4, 3), Relu(), Dense(3, 1)], SumSquaredError())


def backward(weights, x, y):
    z1 = x @ weights["W1"] + weights["b1"]
    a1 = np.maximum(z1, 0)
    dz2 = 2 * (a1 @ weights["W2"] + weights["b2"] - y)
    dz1 = dz2 @ weights["W2"].T * (z1 > 0)
    return {"dW1": x.T @ dz1, "db1": dz1.sum(0), "dW2": a1.T @ dz2, "db2": dz2.sum(0)}


def checked(x):
    return harness.check(backward, NETWORK, (x, np.ones((len(x), 1))))


def test_units_that_are_dead_on_every_row_are_pointed_out():
    alive = np.random.default_rng(0).normal(size=(20, 4))
    assert "at 0 throughout" not in str(checked(alive))
    # Every z1 is −1 for this row.
    row = np.linalg.lstsq(NETWORK.init(0)["W1"].T, -np.ones(3), rcond=None)[0]
    found = checked(np.tile(row, (20, 1)))
    assert found.verdict == "PASS", str(found)
    (remark,) = [finding.message for finding in found.findings if finding.kind == "network"]
    assert remark == "leave dW1, db1, dW2 at 0 throughout, where no mistake is seen: another --seed draws others"
    assert f"note  these weights {remark}" in str(found)
