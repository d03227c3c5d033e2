"""Left out: neurons and samples that stay 0, whichever they are, in narrow layers and in wide ones."""

from functools import partial

import numpy as np
import pytest

from harness import check
from harness.faults.catalogue import faults_at
from harness.faults.paths import LeftOut
from impls.hand import Dense, Network, Relu, Sigmoid, SumSquaredError
from tests.helpers import evident
from tests.helpers.evident import right

WIDE = "3-12-2"
checked = partial(evident.checked, network=WIDE)
GRADIENTS = ("dW1", "db1", "dW2", "db2")


def without(name, network=WIDE, *, neurons=None, rows=None):
    """The right line, with zeros in it."""

    def line(t):
        value = np.array(right(network, name)(t))
        if neurons is not None:
            value[..., neurons] = 0
        if rows is not None:
            value[rows] = 0
        return value

    return {name: line}


def told(check):
    (diagnosis,) = check.diagnoses
    return [cause.says for cause in diagnosis.causes]


@pytest.mark.parametrize("at", ["dz2", "da1", "dz1", "dW1", "db1", "dW2"])
def test_any_neuron_left_out_at_any_link_is_named(at):
    neuron = 1 if "2" in at else 6
    check = checked(without(at, neurons=neuron))
    assert f"neuron {neuron + 1} is left out of {at}" in told(check)
    assert check.wrong == [at]


def test_a_neuron_left_out_unseen_is_one_statement():
    for at in ("da1", "dz1"):
        says = told(checked(without(at, neurons=6), only=GRADIENTS))
        assert {f"neuron 7 is left out of {name}" for name in ("da1", "dz1")} <= set(says)


def test_several_neurons_are_told_together():
    assert "neurons 4, 6 are left out of dz1" in told(checked(without("dz1", neurons=[3, 5])))


def test_weights_and_biases_of_a_layer_are_one_statement():
    check = checked({**without("dW1", neurons=4), **without("db1", neurons=4)})
    assert "neuron 5 is left out of dW1; the same at db1" in told(check)
    assert check.wrong == ["dW1", "db1"]
    two = checked({**without("dW1", neurons=4), **without("db1", neurons=3)})
    assert len(two.diagnoses) == 2


@pytest.mark.parametrize("at", ["dz2", "da1", "dz1"])
def test_any_sample_left_out_is_named(at):
    assert f"sample 3 (counted from 0) is left out of {at}" in told(checked(without(at, rows=[3])))
    says = told(checked(without(at, rows=[3]), only=GRADIENTS))
    assert f"sample 3 (counted from 0) is left out of {at}" in says


def test_a_sample_left_out_of_one_sum_is_named():
    rest = np.arange(128) != 5
    check = checked({"dW1": lambda t: t["x"][rest].T @ t["dz1"][rest]})
    assert "sample 5 (counted from 0) is left out of dW1" in told(check)


def test_an_input_left_out_is_counted_from_one():
    assert "input 2 is left out of dW1" in told(checked(without("dW1", rows=[1])))


DEEP = Network(
    [Dense(4, 5), Relu(), Dense(5, 3), Relu(), Dense(3, 2), Relu(), Dense(2, 1), Sigmoid()], SumSquaredError()
)


@pytest.mark.parametrize("seed", [0, 1])
def test_zeros_of_a_wider_tensor_are_no_neurons_of_a_narrower_one(tmp_path, seed):
    """Of one sample, whose masks were made anew without the biases, dW1 is shown; dz3 has fewer neurons."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for (name, shape), (bias, width) in zip(*[iter(DEEP.weights.items())] * 2, strict=True):
        tensors |= {name: rng.normal(size=shape), bias: rng.normal(size=width)}
    tensors |= {"x": rng.normal(size=(1, 4)), "y": rng.uniform(size=(1, 1))}
    given = {name: array for name, array in tensors.items() if name in DEEP.weights}
    tensors |= DEEP.forward(given, tensors["x"])
    da = 2 * (tensors["a4"] - tensors["y"]) * tensors["a4"] * (1 - tensors["a4"]) @ tensors["W4"].T
    for layer in (3, 2, 1):
        dz = da * (tensors["x" if layer == 1 else f"a{layer - 1}"] @ tensors[f"W{layer}"] > 0)
        da = dz @ tensors[f"W{layer}"].T
    np.savez(tmp_path / "one.npz", **given, x=tensors["x"], y=tensors["y"], dW1=tensors["x"].T @ dz)
    found = check(tmp_path / "one.npz", DEEP)
    assert found.verdict == "FAIL"
    assert not any("dz3" in cause.says for diagnosis in found.diagnoses for cause in diagnosis.causes)


def test_whatever_is_read_off_any_tensor_can_be_planted():
    rng = np.random.default_rng(0)
    tensors = {"x": rng.normal(size=(1, 4)), **{name: rng.normal(size=s) for name, s in DEEP.weights.items()}}
    tensors |= DEEP.forward(tensors, tensors["x"]) | {"y": np.ones((1, 1))}
    tensors |= DEEP.backward({name: tensors[name] for name in DEEP.weights}, tensors["x"], tensors["y"], tensors)
    faults = [fault for link in DEEP.backward_links for fault in faults_at(DEEP, link) if isinstance(fault, LeftOut)]
    shown = [link.output for link in DEEP.backward_links]
    planted = 0
    for fault in faults:
        for name in shown:
            whole = np.ones(tensors[name].shape)
            for zero in range(whole.shape[-1]):
                actual = whole.copy()
                actual[..., zero] = 0
                read = fault.read(name, actual, whole, lambda _: 0.0, tensors)
                if read is not None:
                    assert read.rule(tensors).shape == tensors[fault.at].shape
                    planted += 1
    assert planted > 50
