"""From a hand layer or loss to JAX's operation; from an elementary function to JAX's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from impls import hand
from impls.contract import CannotCompareError

Operation = Callable[..., Any]
"""On the framework's own arrays, in the order of the layer's parameters."""
Operations = Operation | Mapping[str, Operation]
"""Of a layer with several outputs or buffers, one for each by its local name."""


def _softplus(layer: hand.Softplus) -> Operation:
    if layer.threshold is None:
        return jax.nn.softplus
    return lambda z: jnp.where(z > layer.threshold, z, jax.nn.softplus(z))


def _binary_cross_entropy(loss: hand.BinaryCrossEntropy) -> Operation:
    if loss.clamp:
        raise CannotCompareError(
            f"Cannot run {loss!r} in JAX, because that backward pass is PyTorch's own and no derivative of its "
            f"forward pass; use BinaryCrossEntropy() or LogitBinaryCrossEntropy()."
        )
    return lambda a, y: -jnp.mean(y * jnp.log(a) + (1 - y) * jnp.log1p(-a))


def _cross_entropy(_: hand.SoftmaxCrossEntropy) -> Operation:
    return lambda a, y: -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(a), y[:, None], axis=1))


def _scaled(loss: hand.Scaled) -> Operation:
    inner = operation_of(loss.loss, "loss")
    return lambda a, y: loss.by * inner(a, y)


FORWARD: dict[type, Callable[[Any], Operations]] = {
    hand.Dense: lambda _: lambda x, W, b=None: x @ W if b is None else x @ W + b,
    hand.Embedding: lambda _: lambda i, W: jnp.take(W, i, axis=0),
    hand.Add: lambda _: jnp.add,
    hand.Multiply: lambda _: jnp.multiply,
    hand.Concatenate: lambda _: lambda p, q: jnp.concatenate([p, q], axis=-1),
    hand.Split: lambda o: {"p": lambda x: x[..., : o.at], "q": lambda x: x[..., o.at :]},
    hand.Sigmoid: lambda _: jax.nn.sigmoid,
    hand.Tanh: lambda _: jnp.tanh,
    hand.Relu: lambda _: jax.nn.relu,
    hand.LeakyRelu: lambda o: partial(jax.nn.leaky_relu, negative_slope=o.slope),
    hand.HardSigmoid: lambda _: jax.nn.hard_sigmoid,
    hand.Elu: lambda o: partial(jax.nn.elu, alpha=o.alpha),
    hand.Softplus: _softplus,
    hand.Silu: lambda _: jax.nn.silu,
    hand.Gelu: lambda _: partial(jax.nn.gelu, approximate=False),
    hand.GeluTanh: lambda _: partial(jax.nn.gelu, approximate=True),
    hand.Softmax: lambda _: jax.nn.softmax,
    hand.Identity: lambda _: lambda z: z,
    hand.SumSquaredError: lambda _: lambda a, y: jnp.sum(jnp.square(a - y)),
    hand.MeanSquaredError: lambda _: lambda a, y: jnp.mean(jnp.square(a - y)),
    hand.Huber: lambda o: lambda a, y: jnp.mean(optax.huber_loss(a, y, delta=o.delta)),
    hand.MeanAbsoluteError: lambda _: lambda a, y: jnp.mean(jnp.abs(a - y)),
    hand.BinaryCrossEntropy: _binary_cross_entropy,
    hand.LogitBinaryCrossEntropy: lambda _: lambda a, y: jnp.mean(optax.sigmoid_binary_cross_entropy(a, y)),
    hand.SoftmaxCrossEntropy: _cross_entropy,
    hand.OneHotCrossEntropy: lambda _: lambda a, y: jnp.mean(optax.softmax_cross_entropy(a, y)),
    hand.Scaled: _scaled,
}
"""From a hand layer or loss to JAX's operation with its parameters; a row is all that a new layer needs."""


def operation_of(part: Any, local: str) -> Operation:
    """JAX's operation for a hand layer or loss, and for what the layer calls `local` of all that it gives.

    Raises:
        CannotCompareError: JAX has none.
    """
    if type(part) not in FORWARD:
        raise CannotCompareError(
            f"Cannot run {part!r} in JAX, because impls/jax_grad/operations.py maps no operation to it; add a "
            f"row to FORWARD."
        )
    made = FORWARD[type(part)](part)
    return made[local] if isinstance(made, Mapping) else made


ELEMENTARY: dict[str, Callable[..., Any]] = {
    "exp": jnp.exp,
    "expm1": jnp.expm1,
    "log": jnp.log,
    "log1p": jnp.log1p,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "sqrt": jnp.sqrt,
    "rsqrt": jax.lax.rsqrt,
    "erf": jax.scipy.special.erf,
    "erfc": jax.scipy.special.erfc,
    "divide": jnp.divide,
}
"""From the name in the constants table to JAX's function, which is compiled before it is measured."""
