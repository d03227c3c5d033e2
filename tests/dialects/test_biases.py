"""Biases that a program does not train, or does not have."""

import numpy as np

from tests.dialects import programs
from tests.dialects.named import check, written


def test_biases_that_are_not_trained():
    def without(weights, x, y, **options):
        found = programs.in_rows(weights, x, y, **options)
        return {name: a for name, a in found.items() if not name.startswith("db")}

    found = check(without)
    assert (found.verdict, found.exit) == ("PASS", 0)
    assert found.reason.endswith("; biases are not trained: no db returned")
    assert "returned no db1, db2: read as biases that are not trained" in str(found)
    found = check(without, strict=True)
    assert (found.verdict, found.exit) == ("FAIL", 1)
    assert check(lambda *given: without(*given, slope=programs.slope_of_z)).first_wrong == "dz1"
    called = check(lambda *given: without(*given) | {"bias_step": np.ones(3)})
    assert (called.verdict, called.exit) == ("NOT COMPARED", 3)
    assert "returned bias_step (3,) too; expected db1 (3,), db2 (2,)" in str(called)
    one = check(written(lambda g: {"dW1": g["dW1"], "dW2": g["dW2"], "db2": g["db2"]}))
    assert (one.verdict, one.exit) == ("NOT COMPARED", 3)
    assert check(written(lambda g: {"db1": g["db1"], "db2": g["db2"]})).verdict == "NOT COMPARED"


def test_a_network_without_biases():
    from impls.hand import Dense, Network, Sigmoid, SumSquaredError

    network = Network([Dense(4, 3, bias=False), Sigmoid(), Dense(3, 2, bias=False), Sigmoid()], SumSquaredError())

    def backward(weights, x, y):
        found = programs.in_rows({**weights, "b1": 0.0, "b2": 0.0}, x, y)
        return {"W1": found["dW1"], "W2": found["dW2"]}

    found = check(backward, network)
    assert (found.verdict, found.exit) == ("PASS", 0), str(found)
    assert "not trained" not in str(found)
    assert check(lambda *given: list(backward(*given).values()), network).verdict == "PASS"
