"""An LSTM that is one operation: right by a hand rule, in every option, and its gradients twice are found wrong."""

import dataclasses

import numpy as np
import pytest

from harness.programs.judging import judged_operation
from impls.hand.operations.recurrence import LongShortTermMemory
from tests.helpers.deferred import Deferred

torch, capturing, harness = map(Deferred, ("torch", "impls.torch_autograd.capture", "harness"))

OPTIONS = {
    "usual": {}, "no bias": {"bias": False},
    "two layers, both ways": {"num_layers": 2, "bidirectional": True, "batch_first": True},
}  # fmt: skip


def program(**options):
    torch.manual_seed(0)
    layer = torch.nn.LSTM(3, 5, **options)

    def run(x):
        y, (h, c) = layer(x)
        return y.square().sum() + h[0].sum() + (c[-1] * h[-1]).sum()

    return run, torch.randn(4, 2, 3, requires_grad=True)


@pytest.mark.parametrize("name", OPTIONS)
def test_it_is_judged_by_hand(name):
    found = harness.check_program(*program(**OPTIONS[name]))
    assert found.verdict == "PASS", str(found)
    assert found.coverage["derived"] == sum(found.coverage.values())


def test_its_gradients_twice_are_wrong_and_by_their_names():
    capture = capturing.capture(*(lambda p, x: (p, (x,)))(*program()), None, 0)
    (layer,) = [o for o in capture.operations if o.name == "mkldnn_rnn_layer"]
    twice = dataclasses.replace(layer, gradients=[None if g is None else 2 * g for g in layer.gradients])
    assert judged_operation(twice).wrong == ["dx", "dW", "dU", "db", "dd"]
    late = np.array(layer.outputs[0])
    late[2, 0, 1] *= 1 + 1e-4
    assert judged_operation(dataclasses.replace(layer, outputs=[late, *layer.outputs[1:]])).wrong == ["output[0]"]


def test_of_many_steps_the_worst_case_says_nothing_and_what_is_measured_does():
    torch.manual_seed(0)
    last = torch.nn.LSTM(3, 32)
    found = harness.check_program(lambda x: last(x)[1][0].sum(), torch.randn(30, 2, 3, requires_grad=True))
    (layer,) = [o for o in found.operations if o.name == "mkldnn_rnn_layer"]
    assert layer.kind == "its decomposition"
    assert layer.verdict == "ok"


@pytest.mark.parametrize("reverse", [False, True])
def test_its_formulas_are_those_of_torch_in_float64(reverse):
    rng = np.random.default_rng(3)
    shapes = {"x": (4, 2, 3), "W": (20, 3), "U": (20, 5), "b": (20,), "d": (20,), "h": (2, 5), "c": (2, 5)}
    given = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    sent = {"dy": rng.normal(size=(4, 2, 5)), "dH": rng.normal(size=(2, 5)), "dC": rng.normal(size=(2, 5))}
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in given.items()}
    x = leaves["x"].flip(0) if reverse else leaves["x"]
    weights = [leaves[name] for name in ("W", "U", "b", "d")]
    y, H, C = torch.lstm(x, (leaves["h"][None], leaves["c"][None]), weights, True, 1, 0.0, True, False, False)
    outputs = [y.flip(0) if reverse else y, H[0], C[0]]
    torch.autograd.backward(outputs, [torch.tensor(each) for each in sent.values()])
    layer = LongShortTermMemory(reverse)
    for name, output in zip(layer.gives, outputs, strict=True):
        np.testing.assert_allclose(getattr(layer, name)(**given, ran=None), output.detach(), rtol=1e-12)
    for name, leaf in leaves.items():
        np.testing.assert_allclose(getattr(layer, f"d{name}")(**sent, **given, ran=None), leaf.grad, rtol=1e-9)
