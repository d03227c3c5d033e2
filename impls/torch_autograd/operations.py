"""From a hand layer or loss to torch's operation; from an elementary function to torch's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.nn import functional

from impls import hand
from impls.contract import CannotCompareError

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
            f"Cannot run {part!r} in torch, because impls/torch_autograd/operations.py maps no operation to it; "
            f"add a row to FORWARD."
        )
    return FORWARD[type(part)](part)


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
