"""Functions in JAX with a derivative of their own, right ones and the same with one mistake, in a working model."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def model(operation):
    """Around an operation: two layers, compiled, and the mean of squares."""

    @jax.jit
    def loss(weights, x):
        h = jax.checkpoint(operation)(jnp.tanh(x @ weights["first"]))
        return jnp.mean((h @ weights["second"]) ** 2)

    return loss


def given():
    first, second, x = jax.random.normal(jax.random.key(0), (3, 5, 5))
    return {"first": first, "second": second}, x


def _by_vjp(forward, backward):
    own = jax.custom_vjp(forward)
    own.defvjp(lambda x: (forward(x), x), backward)
    return own


def _by_jvp(forward, tangent):
    own = jax.custom_jvp(forward)
    own.defjvp(lambda primals, tangents: (own(*primals), tangent(*primals) * tangents[0]))
    return own


def cube(x):
    return x**3


def _cube_right(x, g):
    return (3 * x**2 * g,)


def _cube_wrong(x, g):
    return (2 * x**2 * g,)


def shares(x):
    return jax.nn.softmax(x)


def _shares_right(x, g):
    a = shares(x)
    return (a * (g - (a * g).sum(-1, keepdims=True)),)


def _shares_wrong(x, g):
    a = shares(x)
    return (a * (1 - a) * g,)


def swish(x):
    return x * jax.nn.sigmoid(x)


def _swish_right(x):
    s = jax.nn.sigmoid(x)
    return s + x * s * (1 - s)


def _swish_wrong(x):
    s = jax.nn.sigmoid(x)
    return s + s * (1 - s)


def wave(x):
    return jnp.sin(x) / 2


def _wave_right(x):
    return jnp.cos(x) / 2


def _wave_wrong(x):
    return (jnp.cos(x) / 2).at[..., -1].set(0)


PAIRS = {
    "cube": (_by_vjp(cube, _cube_right), _by_vjp(cube, _cube_wrong), "_cube_wrong"),
    "softmax": (_by_vjp(shares, _shares_right), _by_vjp(shares, _shares_wrong), "_shares_wrong"),
    "swish": (_by_jvp(swish, _swish_right), _by_jvp(swish, _swish_wrong), "own.defjvp"),
    "lane in JAX": (_by_jvp(wave, _wave_right), _by_jvp(wave, _wave_wrong), "own.defjvp"),
}
"""By the mistake: an operation that is right, the same with the mistake, and what stands in the line that is told."""
