"""JAX: forward from JAX's own operations, gradients from jax.grad under jit, updates from optax.

The only file of the project that imports jax and optax.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from impls import hand
from impls.contract import Array, Arrays, CannotCompareError, Pass, Update

Operation = Callable[..., Any]


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
    inner = operation_of(loss.loss)
    return lambda a, y: loss.by * inner(a, y)


FORWARD: dict[type, Callable[[Any], Operation]] = {
    hand.Dense: lambda _: lambda x, W, b=None: x @ W if b is None else x @ W + b,
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


def operation_of(part: Any) -> Operation:
    """JAX's operation for a hand layer or loss.

    Raises:
        CannotCompareError: JAX has none.
    """
    if type(part) not in FORWARD:
        raise CannotCompareError(
            f"Cannot run {part!r} in JAX, because impls/jax_grad.py maps no operation to it; add a row to FORWARD."
        )
    return FORWARD[type(part)](part)


def _adagrad(optimizer: hand.Adagrad) -> optax.GradientTransformation:
    if optimizer.epsilon_from != "optax":
        raise CannotCompareError(
            f"Cannot update with {optimizer!r}, because optax.adagrad adds epsilon inside the root only; "
            f"use epsilon_from='optax'."
        )
    return optax.adagrad(optimizer.lr, 0.0, optimizer.epsilon)


def _rmsprop(optimizer: hand.RMSProp) -> optax.GradientTransformation:
    inside = optimizer.epsilon_from == "optax"
    return optax.rmsprop(optimizer.lr, optimizer.rho, optimizer.epsilon, eps_in_sqrt=inside)


OPTIMIZERS: dict[type, Callable[[Any], optax.GradientTransformation]] = {
    hand.GradientDescent: lambda o: optax.sgd(o.lr),
    hand.Momentum: lambda o: optax.sgd(o.lr, momentum=o.mu),
    hand.Nesterov: lambda o: optax.sgd(o.lr, momentum=o.mu, nesterov=True),
    hand.Adagrad: _adagrad,
    hand.RMSProp: _rmsprop,
    hand.Adam: lambda o: optax.adam(o.lr, b1=o.beta1, b2=o.beta2, eps=o.epsilon),
    hand.AdamW: lambda o: optax.adamw(o.lr, b1=o.beta1, b2=o.beta2, eps=o.epsilon, weight_decay=o.weight_decay),
}
"""From a hand optimizer to the optax optimizer equal to it in formula, coupled weight decay aside."""

STATE = {"trace": "m", "mu": "m", "nu": "v", "sum_of_squares": "v"}
"""From optax's name of an optimizer state to the hand optimizer's."""

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


@jax.custom_vjp
def _tap(value: Any, _cotangent_of_value: Any) -> Any:
    """The identity; the gradient of its second argument is the cotangent that passes through.

    Nothing is added to the forward or backward computation, unlike with a zero that is added to the
    value to differentiate by it.
    """
    return value


_tap.defvjp(lambda value, _: (value, None), lambda _, cotangent: (cotangent, cotangent))


class JaxGrad:
    """A network of JAX operations in one dtype, compiled by jit, on JAX's default device."""

    def __init__(self, network: hand.Network, dtype: str) -> None:
        links = [*network.forward_links, network.loss_link]
        self._operations = {link.output: operation_of(link.layer) for link in links}
        self.network, self.dtype = network, dtype
        self.version = f"jax {jax.__version__}"
        self._untapped = jax.jit(jax.value_and_grad(self.loss))
        self._tapped = jax.jit(self._gradients_with_taps)

    def loss(self, weights: Any, x: Any, y: Any) -> Any:
        """The loss alone: the program that a user would differentiate."""
        return self._forward(weights, x, y, lambda value, _: value)["loss"]

    def _loss_with_taps(self, weights: Any, cotangents: Any, x: Any, y: Any) -> Any:
        tensors = self._forward(weights, x, y, lambda value, name: _tap(value, cotangents[name]))
        return tensors["loss"], {name: tensors[name] for name in self.network.activations}

    def _gradients_with_taps(self, weights: Any, x: Any, y: Any) -> Any:
        cotangents = {
            link.output: jnp.zeros((len(x), self._width(link.output)), x.dtype) for link in self.network.forward_links
        }
        differentiate = jax.value_and_grad(self._loss_with_taps, argnums=(0, 1), has_aux=True)
        return differentiate(weights, cotangents, x, y)

    def _forward(self, weights: Any, x: Any, y: Any, see: Callable[[Any, str], Any]) -> dict[str, Any]:
        tensors = {"x": x, "y": y, **weights}
        for link in self.network.forward_links:
            value = self._operations[link.output](*[tensors[name] for name in link.inputs])
            tensors[link.output] = see(value, link.output)
        link = self.network.loss_link
        tensors["loss"] = self._operations["loss"](*[tensors[name] for name in link.inputs])
        return tensors

    def differentiate(self, weights: Arrays, x: Array, y: Array, *, tap: bool = True) -> Pass:
        """Gradients by jax.value_and_grad; float64 mode is on for this call only if the dtype needs it."""
        # JAX may alias a NumPy array that it is given, and the caller's arrays must not be shared.
        given, x, y = {name: np.array(w) for name, w in weights.items()}, np.array(x), np.array(y)
        with jax.enable_x64(self.dtype == "float64"):
            if not tap:
                loss, gradients = self._untapped(given, x, y)
                return Pass(_numpy(loss), {"d" + n: _numpy(g) for n, g in gradients.items()})
            (loss, activations), gradients = self._tapped(given, x, y)
        return Pass(
            _numpy(loss),
            {"d" + n: _numpy(g) for part in gradients for n, g in part.items()},
            {n: _numpy(a) for n, a in activations.items()},
        )

    def _width(self, name: str) -> int:
        return self.network.weights["W" + name[1:]][1]

    def start(self, optimizer: Any, weights: Arrays) -> JaxUpdater:
        """The optax optimizer equal in formula."""
        if type(optimizer) not in OPTIMIZERS:
            raise CannotCompareError(f"Cannot update with {optimizer!r}, because optax has no equal to it.")
        return JaxUpdater(optimizer, weights, self.dtype)

    def environment(self) -> dict[str, str]:
        """Float64 mode, matmul precision and the device, as found."""
        return {
            "jax float64 mode": "on" if jax.config.jax_enable_x64 else "off",
            "jax matmul precision": str(jax.config.jax_default_matmul_precision or "default"),
            "jax device": str(jax.devices()[0]),
        }

    def elementary(self) -> dict[str, Callable[..., Array]]:
        """JAX's functions, each compiled by itself; inside a larger program XLA may fuse them."""
        return {name: partial(self._evaluate, jax.jit(function)) for name, function in ELEMENTARY.items()}

    def _evaluate(self, function: Callable[..., Any], *x: Array) -> Array:
        with jax.enable_x64(self.dtype == "float64"):
            return _numpy(function(*[jnp.array(operand, copy=True) for operand in x]))


class JaxUpdater:
    """An optax optimizer with its own state; the weights are set anew at every step."""

    def __init__(self, optimizer: Any, weights: Arrays, dtype: str) -> None:
        self.optimizer, self.dtype = OPTIMIZERS[type(optimizer)](optimizer), dtype
        if optimizer.weight_decay and not isinstance(optimizer, hand.AdamW):  # whose decay is decoupled, in the step
            self.optimizer = optax.chain(optax.add_decayed_weights(optimizer.weight_decay), self.optimizer)
        self._step = jax.jit(self._pure_step)
        with jax.enable_x64(dtype == "float64"):
            self.state = self.optimizer.init({name: jnp.array(w) for name, w in weights.items()})

    def _pure_step(self, weights: Any, gradients: Any, state: Any) -> Any:
        updates, state = self.optimizer.update(gradients, state, weights)
        return optax.apply_updates(weights, updates), state

    def update(self, weights: Arrays, gradients: Arrays) -> Update:
        """One update and apply_updates under jit."""
        given = {name: np.array(w) for name, w in weights.items()}
        slopes = {name: np.array(gradients["d" + name]) for name in weights}
        with jax.enable_x64(self.dtype == "float64"):
            moved, self.state = self._step(given, slopes, self.state)
        state = {
            STATE[field] + name: _numpy(array)
            for part in _parts(self.state)
            for field, arrays in part._asdict().items()
            if field in STATE
            for name, array in arrays.items()
        }
        return Update({name: _numpy(w) for name, w in moved.items()}, state)


def _parts(state: Any) -> Iterator[Any]:
    """The states of the transformations of a chain, which may hold chains."""
    if hasattr(state, "_asdict"):
        yield state
    else:
        for part in state:
            yield from _parts(part)


def _numpy(array: Any) -> Array:
    return np.array(array)
