"""What JAX, and optax for losses, choose at kinks, at ties, where there is no derivative, and by default."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from math import inf
from typing import Any

import jax
import jax.numpy as jnp
import optax

from impls.abilities import Measured


def _pooled(x: Any) -> Any:
    return jax.lax.reduce_window(x, -inf, jax.lax.max, (2,), (2,), "VALID").sum()


GRADIENTS: dict[str, tuple[Callable[..., Any], Any]] = {
    "relu at 0": (jax.nn.relu, 0.0),
    "leaky relu at 0": (partial(jax.nn.leaky_relu, negative_slope=0.25), 0.0),
    "elu at 0": (partial(jax.nn.elu, alpha=0.25), 0.0),
    "relu6 at 0": (jax.nn.relu6, 0.0),
    "relu6 at 6": (jax.nn.relu6, 6.0),
    "hard sigmoid at -3": (lambda z: 6 * jax.nn.hard_sigmoid(z), -3.0),
    "hard sigmoid at 3": (lambda z: 6 * jax.nn.hard_sigmoid(z), 3.0),
    "hard swish at -3": (jax.nn.hard_swish, -3.0),
    "hard swish at 3": (jax.nn.hard_swish, 3.0),
    "hard tanh at -1": (jax.nn.hard_tanh, -1.0),
    "hard tanh at 1": (jax.nn.hard_tanh, 1.0),
    "clip at its lower bound": (lambda z: jnp.clip(z, -1, 1), -1.0),
    "clip at its upper bound": (lambda z: jnp.clip(z, -1, 1), 1.0),
    "abs at 0": (jnp.abs, 0.0),
    "sign at 0": (jnp.sign, 0.0),
    "maximum of equals": (lambda x: jnp.maximum(x[0], x[1]), (1.0, 1.0)),
    "minimum of equals": (lambda x: jnp.minimum(x[0], x[1]), (1.0, 1.0)),
    "max of all": (jnp.max, (1.0, 3.0, 3.0)),
    "min of all": (jnp.min, (5.0, 3.0, 3.0)),
    "max over an axis": (lambda x: jnp.max(x, axis=0), (1.0, 3.0, 3.0)),
    "min over an axis": (lambda x: jnp.min(x, axis=0), (5.0, 3.0, 3.0)),
    "amax over an axis": (lambda x: jnp.amax(x, axis=0), (1.0, 3.0, 3.0)),
    "max pooling": (_pooled, (3.0, 3.0)),
    "median of equals": (jnp.median, (2.0, 2.0, 1.0)),
    "sort of equals": (lambda x: jnp.sort(x)[0], (2.0, 1.0, 1.0)),
    "repeated index": (lambda w: w[jnp.array([0, 0, 1])].sum(), (1.0, 1.0)),
    "norm at 0": (jnp.linalg.norm, (0.0, 0.0)),
    "sqrt at 0": (jnp.sqrt, 0.0),
    "log at 0": (jnp.log, 0.0),
    "x/|x| at 0": (lambda x: x / jnp.abs(x), 0.0),
    "sinc at 0": (jnp.sinc, 0.0),
    "atan2 at (0, 0)": (lambda x: jnp.arctan2(x[0], x[1]), (0.0, 0.0)),
    "x^y at (0, 0)": (lambda x: jnp.power(x[0], x[1]), (0.0, 0.0)),
    "x^y at (0, 2)": (lambda x: jnp.power(x[0], x[1]), (0.0, 2.0)),
    "xlogy at (0, 0)": (lambda x: jax.scipy.special.xlogy(x[0], x[1]), (0.0, 0.0)),
    "where, NaN not taken": (lambda t: jnp.where(t > 0, jnp.sqrt(t), 0), -1.0),
    "std of equals": (jnp.std, (1.0, 1.0)),
    "logsumexp of -inf": (jax.scipy.special.logsumexp, (-inf, -inf)),
    "product with a zero": (jnp.prod, (2.0, 0.0, 3.0)),
    "cumulative product with a zero": (lambda x: jnp.cumprod(x).sum(), (2.0, 0.0, 3.0)),
    "leaky relu slope": (jax.nn.leaky_relu, -1.0),
    "huber delta": (optax.huber_loss, 1000.0),
}
"""A function that gives one number, and where its gradient is taken."""

VALUES: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "median of four": lambda array: jnp.median(array(1.0, 2.0, 3.0, 4.0)),
    "argmax of equals": lambda array: jnp.argmax(array(1.0, 3.0, 3.0)),
    "gelu": lambda array: _form_of_gelu(array(-2.0, -0.5, 0.5, 2.0)),
    "softplus": lambda array: jnp.flatnonzero(jax.nn.softplus(array(*range(40))) != array(*range(40)))[-1],
    "elu alpha": lambda array: -jax.nn.elu(array(-100.0)),
    "squared error": lambda array: _loss(optax.squared_error(array(1.0, 3.0)), "per entry"),
    "squared error, factor": lambda array: optax.squared_error(array(1.0)),
    "L2 loss, factor": lambda array: optax.l2_loss(array(1.0)),
    "cross-entropy": lambda array: _loss(_cross_entropy(array, 2) / _cross_entropy(array, 1), "per row"),
    "std": lambda array: jnp.std(array(0.0, 2.0)),
    "var": lambda array: jnp.var(array(0.0, 2.0)),
    "padding same, even kernel": lambda array: jax.lax.conv(
        array(1.0, 2.0)[None, None], array(1.0, 1.0)[None, None], (1,), "SAME"
    )[0, 0, 0],
    "attention, nothing seen": lambda array: _nothing_seen(array(1.0, 3.0)[None, :, None, None]),
    "layer norm eps": lambda _: signature(jax.nn.standardize).parameters["epsilon"].default,
}
"""From what makes an array of the dtype to a number, or to words; eps is read off the function's signature."""


def measures(dtype: str) -> dict[str, Callable[[], Measured]]:
    """Every experiment in a dtype, gradients compiled by jit."""
    taken: dict[str, Callable[[], Measured]] = {
        name: partial(_gradient, *row, dtype) for name, row in GRADIENTS.items()
    }
    return taken | {name: partial(_value, measure, dtype) for name, measure in VALUES.items()}


def _gradient(function: Callable[..., Any], at: Any, dtype: str) -> Measured:
    with jax.enable_x64(dtype == "float64"):
        return jax.jit(jax.grad(function))(jnp.array(at, dtype)).tolist()


def _value(measure: Callable[..., Any], dtype: str) -> Measured:
    with jax.enable_x64(dtype == "float64"):
        found = measure(lambda *numbers: jnp.array(numbers if len(numbers) > 1 else numbers[0], dtype))
        return found if isinstance(found, str) else float(found)


def _loss(loss: Any, otherwise: str) -> Any:
    """A loss of several entries, or in other words that it is not reduced to one number."""
    return loss if loss.ndim == 0 else otherwise


def _cross_entropy(array: Callable[..., Any], rows: int) -> Any:
    logits = jnp.stack([array(0.0, 0.0)] * rows)
    return optax.softmax_cross_entropy_with_integer_labels(logits, jnp.zeros(rows, int))


def _nothing_seen(values: Any) -> Any:
    hidden = jnp.zeros((1, 1, 2, 2), bool)
    return jax.nn.dot_product_attention(values, values, values, mask=hidden)[0, 0, 0, 0]


def _form_of_gelu(z: Any) -> str:
    default = jax.nn.gelu(z)
    forms = {"erf": jax.nn.gelu(z, approximate=False), "tanh": jax.nn.gelu(z, approximate=True)}
    return next((name for name, values in forms.items() if bool((values == default).all())), "another")
