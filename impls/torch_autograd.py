"""PyTorch: forward from torch's own operations, gradients from its autograd, updates from torch.optim.

The only file of the project that imports torch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from impls import hand
from impls.contract import Array, Arrays, CannotCompareError, Pass, Update

FORWARD: dict[type, Callable[..., Any]] = {
    hand.Dense: lambda x, W, b=None: x @ W if b is None else torch.addmm(b, x, W),
    hand.Sigmoid: torch.sigmoid,
    hand.Tanh: torch.tanh,
    hand.Relu: torch.relu,
    hand.Identity: lambda z: z.view_as(z),  # a tensor of its own, so that its gradient has one too
    hand.SumSquaredError: lambda a, y: functional.mse_loss(a, y, reduction="sum"),
    hand.MeanSquaredError: functional.mse_loss,
    hand.SoftmaxCrossEntropy: functional.cross_entropy,
}
"""From a hand layer or loss to torch's operation; a row here is all that a new layer needs."""

OPTIMIZERS: dict[type, Callable[..., torch.optim.Optimizer]] = {
    hand.GradientDescent: lambda ws, o: torch.optim.SGD(ws, lr=o.lr),
    hand.Momentum: lambda ws, o: torch.optim.SGD(ws, lr=o.lr, momentum=o.mu),
    hand.Adam: lambda ws, o: torch.optim.Adam(ws, lr=o.lr, betas=(o.beta1, o.beta2), eps=o.epsilon),
}
"""From a hand optimizer to the torch.optim optimizer equal to it in formula."""

STATE = {"momentum_buffer": "m", "exp_avg": "m", "exp_avg_sq": "v"}
"""From torch's name of an optimizer state to the hand optimizer's."""

ELEMENTARY: dict[str, Callable[..., Any]] = {
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "divide": torch.div,
}
"""From the name in the constants table to torch's eager function."""


class TorchAutograd:
    """A network of torch operations in one dtype, on the CPU."""

    def __init__(self, network: hand.Network, dtype: str) -> None:
        for part in (*network.layers, network.loss):
            if type(part) not in FORWARD:
                raise CannotCompareError(
                    f"Cannot run {part!r} in torch, because impls/torch_autograd.py maps no operation to "
                    f"it; add a row to FORWARD."
                )
        self.network, self.dtype = network, getattr(torch, dtype)
        self.version = f"torch {torch.__version__}"

    def forward(self, tensors: dict[str, Any]) -> dict[str, Any]:
        """Add every forward tensor and the loss to `tensors`, which holds weights, x and y."""
        for link in [*self.network.forward_links, self.network.loss_link]:
            operation = FORWARD[type(link.layer)]
            tensors[link.output] = operation(*[tensors[name] for name in link.inputs])
        return tensors

    def differentiate(self, weights: Arrays, x: Array, y: Array, *, tap: bool = True) -> Pass:
        """Gradients by torch.autograd.grad; tapped, of the intermediates too."""
        # torch.tensor copies: torch would write through a read-only NumPy array with only a warning.
        tensors = {name: torch.tensor(w, requires_grad=True) for name, w in weights.items()}
        tensors |= {"x": torch.tensor(x), "y": torch.tensor(y)}
        self.forward(tensors)
        intermediates = self.network.activations if tap else ()
        wanted = [*weights, *intermediates]
        gradients = torch.autograd.grad(tensors["loss"], [tensors[name] for name in wanted])
        return Pass(
            _numpy(tensors["loss"]),
            {"d" + name: _numpy(g) for name, g in zip(wanted, gradients, strict=True)},
            {name: _numpy(tensors[name]) for name in intermediates},
        )

    def start(self, optimizer: Any, weights: Arrays) -> TorchUpdater:
        """The torch.optim optimizer equal in formula."""
        if type(optimizer) not in OPTIMIZERS:
            raise CannotCompareError(f"Cannot update with {optimizer!r}, because torch.optim has no equal to it.")
        return TorchUpdater(optimizer, weights)

    def environment(self) -> dict[str, str]:
        """Threads and the precision of matrix products."""
        return {
            "torch threads": str(torch.get_num_threads()),
            "torch matmul precision": torch.get_float32_matmul_precision(),
            "torch CPU capability": torch.backends.cpu.get_cpu_capability(),
        }

    def elementary(self) -> dict[str, Callable[..., Array]]:
        """Torch's functions, eager, on contiguous tensors."""
        return {name: partial(_evaluate, function) for name, function in ELEMENTARY.items()}


class TorchUpdater:
    """A torch.optim optimizer on its own copies of the weights, which are set anew at every step."""

    def __init__(self, optimizer: Any, weights: Arrays) -> None:
        self.parameters = {name: torch.nn.Parameter(torch.tensor(w)) for name, w in weights.items()}
        self.optimizer = OPTIMIZERS[type(optimizer)](list(self.parameters.values()), optimizer)

    def update(self, weights: Arrays, gradients: Arrays) -> Update:
        """One optimizer.step(); torch keeps no step, so the new weight is what can be compared."""
        for name, parameter in self.parameters.items():
            parameter.data.copy_(torch.tensor(weights[name]))
            parameter.grad = torch.tensor(gradients["d" + name])
        self.optimizer.step()
        state = {
            STATE[key] + name: _numpy(value)
            for name, parameter in self.parameters.items()
            for key, value in self.optimizer.state[parameter].items()
            if key in STATE and value is not None
        }
        return Update({name: _numpy(p) for name, p in self.parameters.items()}, state)


def _evaluate(function: Callable[..., Any], *x: Array) -> Array:
    return _numpy(function(*map(torch.tensor, x)))


def _numpy(tensor: Any) -> Array:
    return np.array(tensor.detach().numpy())
