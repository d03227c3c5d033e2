"""harness.allowance_of, beside assert_close and entry by entry."""

import numpy as np
import pytest

import harness
from harness.usage import UsageError
from impls.hand import Dense
from tests.helpers.deferred import Deferred

torch = Deferred("torch")


@pytest.fixture
def point():
    rng = np.random.default_rng(0)
    shapes = {"x": (16, 64), "W": (64, 8), "b": (8,)}
    inputs = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return inputs, rng.normal(size=(16, 8)).astype(np.float32)


def gradient(inputs, upstream):
    x, W, b = (torch.tensor(array, requires_grad=True) for array in inputs.values())
    (x @ W + b).backward(torch.tensor(upstream))
    return W.grad


def test_a_right_gradient_passes_both_ways(point):
    dW = harness.allowance_of(Dense(64, 8), *point)["dW"]
    mine = gradient(*point)
    torch.testing.assert_close(mine, torch.from_numpy(dW.expected), **dW.pair)
    dW.assert_holds(mine)
    assert dW.derived
    assert dW.expected.dtype == np.float32


@pytest.mark.parametrize("factor", [0.0, -1.0, 2.0, 1 + 1e-4])
def test_a_wrong_one_does_not(point, factor):
    dW = harness.allowance_of(Dense(64, 8), *point)["dW"]
    with pytest.raises(AssertionError, match=r"dW: \d+ of 512 entries outside their allowance; worst at \["):
        dW.assert_holds(factor * gradient(*point))
    with pytest.raises(AssertionError):
        torch.testing.assert_close(factor * gradient(*point), torch.from_numpy(dW.expected), **dW.pair)


def test_nan_and_another_shape_do_not_hold(point):
    dW = harness.allowance_of(Dense(64, 8), *point)["dW"]
    mine = gradient(*point)
    mine[3, 2] = torch.nan
    with pytest.raises(AssertionError, match=r"1 of 512 .* worst at \[3, 2\]"):
        dW.assert_holds(mine)
    with pytest.raises(AssertionError, match=r"shape \(8, 64\) instead of \(64, 8\)"):
        dW.assert_holds(mine.T)


def test_of_a_function_it_is_measured(point):
    x = {"x": point[0]["x"]}
    found = harness.allowance_of(lambda x: torch.tanh(x) ** 2, x)
    assert list(found) == ["output", "dx"]
    assert not found["output"].derived
    found["output"].assert_holds(np.tanh(x["x"]) ** 2)
    assert "atol" in repr(found)


def test_tensors_in_bfloat16_have_theirs(point):
    inputs, upstream = ({k: torch.tensor(v).bfloat16() for k, v in point[0].items()}, torch.tensor(point[1]).bfloat16())
    dW = harness.allowance_of(Dense(64, 8), inputs, upstream)["dW"]
    mine = inputs["x"].T @ upstream
    dW.assert_holds(mine)
    expected = torch.from_numpy(dW.expected.astype("float32")).bfloat16()
    torch.testing.assert_close(mine, expected, **dW.pair)
    with pytest.raises(AssertionError, match="entries outside their allowance"):
        dW.assert_holds(mine * 1.05)


def test_inputs_without_a_dtype_that_is_known_are_refused(point):
    with pytest.raises(UsageError, match=r"Cannot derive an allowance in (longdouble|float128)"):
        harness.allowance_of(Dense(64, 8), {name: array.astype(np.longdouble) for name, array in point[0].items()})
    with pytest.raises(UsageError, match="in no dtype"):
        harness.allowance_of(Dense(64, 8), "x=N,M")
