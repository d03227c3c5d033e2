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

Operation = Callable[..., Any]


def _softplus(layer: hand.Softplus) -> Operation:
    if layer.threshold is None:
        return lambda z: -functional.logsigmoid(-z)  # nn.Softplus is this one with a threshold
    return partial(functional.softplus, threshold=layer.threshold)


def _binary_cross_entropy(loss: hand.BinaryCrossEntropy) -> Operation:
    if loss.clamp:
        return functional.binary_cross_entropy
    return lambda a, y: -(y * torch.log(a) + (1 - y) * torch.log1p(-a)).mean()


def _scaled(loss: hand.Scaled) -> Operation:
    inner = operation_of(loss.loss)
    return lambda a, y: loss.by * inner(a, y)


FORWARD: dict[type, Callable[[Any], Operation]] = {
    hand.Dense: lambda _: lambda x, W, b=None: x @ W if b is None else torch.addmm(b, x, W),
    hand.Sigmoid: lambda _: torch.sigmoid,
    hand.Tanh: lambda _: torch.tanh,
    hand.Relu: lambda _: torch.relu,
    hand.LeakyRelu: lambda o: partial(functional.leaky_relu, negative_slope=o.slope),
    hand.HardSigmoid: lambda _: functional.hardsigmoid,
    hand.Elu: lambda o: partial(functional.elu, alpha=o.alpha),
    hand.Softplus: _softplus,
    hand.Silu: lambda _: functional.silu,
    hand.Gelu: lambda _: functional.gelu,
    hand.GeluTanh: lambda _: partial(functional.gelu, approximate="tanh"),
    hand.Softmax: lambda _: partial(torch.softmax, dim=1),
    # A tensor of its own, so that its gradient has one too.
    hand.Identity: lambda _: lambda z: z.view_as(z),
    hand.SumSquaredError: lambda _: partial(functional.mse_loss, reduction="sum"),
    hand.MeanSquaredError: lambda _: functional.mse_loss,
    hand.Huber: lambda o: partial(functional.huber_loss, delta=o.delta),
    hand.MeanAbsoluteError: lambda _: functional.l1_loss,
    hand.BinaryCrossEntropy: _binary_cross_entropy,
    hand.LogitBinaryCrossEntropy: lambda _: functional.binary_cross_entropy_with_logits,
    hand.SoftmaxCrossEntropy: lambda _: functional.cross_entropy,
    hand.OneHotCrossEntropy: lambda _: functional.cross_entropy,
    hand.Scaled: _scaled,
}
"""From a hand layer or loss to torch's operation with its parameters; a row is all that a new layer needs."""


def operation_of(part: Any) -> Operation:
    """torch's operation for a hand layer or loss.

    Raises:
        CannotCompareError: torch has none.
    """
    if type(part) not in FORWARD:
        raise CannotCompareError(
            f"Cannot run {part!r} in torch, because impls/torch_autograd.py maps no operation to it; add a row "
            f"to FORWARD."
        )
    return FORWARD[type(part)](part)


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


OPTIMIZERS: dict[type, Callable[..., torch.optim.Optimizer]] = {
    hand.GradientDescent: lambda o: partial(torch.optim.SGD, weight_decay=o.weight_decay),
    hand.Momentum: lambda o: partial(torch.optim.SGD, momentum=_momentum(o), weight_decay=o.weight_decay),
    hand.Nesterov: lambda o: partial(
        torch.optim.SGD, momentum=_momentum(o), nesterov=True, weight_decay=o.weight_decay
    ),
    hand.Adagrad: lambda o: partial(torch.optim.Adagrad, eps=_epsilon_outside(o), weight_decay=o.weight_decay),
    hand.RMSProp: lambda o: partial(
        torch.optim.RMSprop, alpha=o.rho, eps=_epsilon_outside(o), weight_decay=o.weight_decay
    ),
    hand.Adam: lambda o: partial(
        torch.optim.Adam, betas=(o.beta1, o.beta2), eps=o.epsilon, weight_decay=o.weight_decay
    ),
    hand.AdamW: lambda o: partial(
        torch.optim.AdamW, betas=(o.beta1, o.beta2), eps=o.epsilon, weight_decay=o.weight_decay
    ),
}
"""From a hand optimizer to the torch.optim optimizer equal to it in formula."""

STATE = {"momentum_buffer": "m", "exp_avg": "m", "exp_avg_sq": "v", "sum": "v", "square_avg": "v"}
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

    eager = True

    def __init__(self, network: hand.Network, dtype: str) -> None:
        links = [*network.forward_links, network.loss_link]
        self._operations = {link.output: operation_of(link.layer) for link in links}
        self.network, self.dtype = network, getattr(torch, dtype)
        self.version = f"torch {torch.__version__}"

    def forward(self, tensors: dict[str, Any]) -> dict[str, Any]:
        """Add every forward tensor and the loss to `tensors`, which holds weights, x and y."""
        for link in [*self.network.forward_links, self.network.loss_link]:
            tensors[link.output] = self._operations[link.output](*[tensors[name] for name in link.inputs])
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
        self.optimizer = OPTIMIZERS[type(optimizer)](optimizer)(list(self.parameters.values()), lr=optimizer.lr)

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
