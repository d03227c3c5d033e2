"""Updates by torch: bit for bit those of torch.optim as everybody calls it, and nothing of its compiler is loaded."""

import subprocess
import sys

import numpy as np
import pytest

from impls import hand
from tests.helpers.deferred import Deferred

torch, optimizers = Deferred("torch"), Deferred("impls.torch_autograd.optimizers")
RNG = np.random.default_rng(0)
WEIGHTS = {"W1": RNG.normal(size=(5, 4)).astype(np.float32), "b1": RNG.normal(size=4).astype(np.float32)}
THEIRS = {
    hand.GradientDescent(lr=0.1, weight_decay=0.01): ("SGD", {"lr": 0.1, "weight_decay": 0.01}),
    hand.Momentum(lr=0.1, mu=0.9): ("SGD", {"lr": 0.1, "momentum": 0.9}),
    hand.Nesterov(lr=0.1, mu=0.9): ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    hand.Adagrad(lr=0.1): ("Adagrad", {"lr": 0.1}),
    hand.RMSProp(lr=0.1): ("RMSprop", {"lr": 0.1, "alpha": hand.RMSProp().rho}),
    hand.Adam(lr=0.1): ("Adam", {"lr": 0.1}),
    hand.AdamW(lr=0.1, weight_decay=0.1): ("AdamW", {"lr": 0.1, "weight_decay": 0.1}),
}


@pytest.mark.parametrize("optimizer", THEIRS, ids=repr)
def test_an_update_is_the_one_of_torch_optim(optimizer):
    kind, options = THEIRS[optimizer]
    updater, weights = optimizers.TorchUpdater(optimizer, WEIGHTS), WEIGHTS
    parameters = {name: torch.nn.Parameter(torch.tensor(w)) for name, w in WEIGHTS.items()}
    theirs = getattr(torch.optim, kind)(list(parameters.values()), **options)
    for _ in range(3):
        gradients = {name: RNG.normal(size=w.shape).astype(np.float32) for name, w in weights.items()}
        for name, parameter in parameters.items():
            parameter.grad = torch.tensor(gradients[name])
        theirs.step()
        weights = updater.update(weights, {f"d{name}": g for name, g in gradients.items()}).weights
        for name, parameter in parameters.items():
            np.testing.assert_array_equal(weights[name], parameter.detach().numpy())
            assert not np.array_equal(weights[name], WEIGHTS[name])


def test_a_run_loads_nothing_of_the_compiler():
    code = "import harness, sys; harness.run(against=['torch'], steps=2); print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
