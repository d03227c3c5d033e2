"""From the optimizers that are written by hand to those of torch.optim, with what they keep."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import unwrap
from typing import Any

import torch

from impls import hand
from impls.contract import Arrays, CannotCompareError, Update
from impls.graph import prefixed
from impls.torch_autograd.arrays import array_of, arrays_of, tensor_of


def _eager(kind: Any) -> Any:
    """The same optimizer without the guards of its methods against torch.compile.

    Where nothing is compiled they do nothing but load the whole compiler, which takes longer than torch itself.
    """

    def step(self: Any) -> None:
        with torch.no_grad():
            unwrap(kind.step)(self)

    return type(kind.__name__, (kind,), {"add_param_group": unwrap(kind.add_param_group), "step": step})


SGD, RMSprop, Adagrad = _eager(torch.optim.SGD), _eager(torch.optim.RMSprop), _eager(torch.optim.Adagrad)
Adam, AdamW = _eager(torch.optim.Adam), _eager(torch.optim.AdamW)


def _epsilon_outside(optimizer: Any) -> float:
    if optimizer.epsilon_from != "torch":
        raise CannotCompareError(
            f"Cannot update with {optimizer!r}, because torch.optim adds epsilon outside the root only; "
            f"use epsilon_from='torch'."
        )
    return optimizer.epsilon


def _momentum(optimizer: Any) -> float:
    if not optimizer.mu:
        raise CannotCompareError(
            f"Cannot update with {optimizer!r}, because torch.optim.SGD keeps no state where there is no momentum; "
            f"use GradientDescent."
        )
    return optimizer.mu


def _adam(kind: Any, o: hand.Adam) -> Callable[..., torch.optim.Optimizer]:
    return partial(kind, betas=(o.beta1, o.beta2), eps=o.epsilon, weight_decay=o.weight_decay)


OPTIMIZERS: dict[type, Callable[..., torch.optim.Optimizer]] = {
    hand.GradientDescent: lambda o: partial(SGD, weight_decay=o.weight_decay),
    hand.Momentum: lambda o: partial(SGD, momentum=_momentum(o), weight_decay=o.weight_decay),
    hand.Nesterov: lambda o: partial(OPTIMIZERS[hand.Momentum](o), nesterov=True),
    hand.Adagrad: lambda o: partial(Adagrad, eps=_epsilon_outside(o), weight_decay=o.weight_decay),
    hand.RMSProp: lambda o: partial(RMSprop, alpha=o.rho, eps=_epsilon_outside(o), weight_decay=o.weight_decay),
    hand.Adam: partial(_adam, Adam),
    hand.AdamW: partial(_adam, AdamW),
}
"""From a hand optimizer to the torch.optim optimizer equal to it in formula."""

STATE = {"momentum_buffer": "m", "exp_avg": "m", "exp_avg_sq": "v", "sum": "v", "square_avg": "v"}
"""From torch's name of an optimizer state to the hand optimizer's."""


class TorchUpdater:
    """A torch.optim optimizer on its own copies of the weights, which are set anew at every step."""

    def __init__(self, optimizer: Any, weights: Arrays, device: str = "cpu") -> None:
        self.device = device
        self.parameters = {name: torch.nn.Parameter(tensor_of(w, device)) for name, w in weights.items()}
        self.optimizer = OPTIMIZERS[type(optimizer)](optimizer)(list(self.parameters.values()), lr=optimizer.lr)

    def update(self, weights: Arrays, gradients: Arrays) -> Update:
        """One optimizer.step(); torch keeps no step, so the new weight is what can be compared."""
        for name, parameter in self.parameters.items():
            parameter.data = tensor_of(weights[name], self.device)
            parameter.grad = tensor_of(gradients[prefixed("d", name)], self.device)
        self.optimizer.step()
        for parameter in self.parameters.values():
            parameter.grad = None  # the next step brings its own
        state = {
            prefixed(STATE[key], name): array_of(value)
            for name, parameter in self.parameters.items()
            for key, value in self.optimizer.state[parameter].items()
            if key in STATE and value is not None
        }
        return Update(arrays_of(self.parameters, ()), state)  # in memory that the next step leaves alone
