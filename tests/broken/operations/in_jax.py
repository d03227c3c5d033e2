"""Wrong backward passes in JAX: functions with a custom vjp, and pairs."""

import jax
import jax.numpy as jnp

from harness import Indices
from tests.broken.operations import OPERATIONS, Wrong, wrong

Z = {"z": ("N", "M")}


def custom(primal, reference, inputs, says="$^"):
    """A function with a vjp: `fwd` keeps its inputs, and the function that is decorated is its `bwd`."""

    def listed(bwd):
        function = jax.custom_vjp(primal)
        function.defvjp(lambda *x: (primal(*x), x), bwd)
        function.__name__ = bwd.__name__
        OPERATIONS.append(Wrong(bwd.__name__, function, None, reference, inputs, says, bwd))
        return bwd

    return listed


@custom(jnp.tanh, jnp.tanh, Z, "1 - z \\* a")
def tanh_of_tanh(kept, u):
    (z,) = kept
    a = jnp.tanh(z)
    return (u * (1 - a * z),)  # slip


@custom(lambda z: jnp.log1p(jnp.exp(z)), jax.nn.softplus, Z, "s\\(−z\\) is written")
def softplus_at_minus(kept, u):
    (z,) = kept
    return (u * jax.nn.sigmoid(-z),)  # slip


@custom(lambda x, w: x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-6) * w,
        lambda x, w: x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-6) * w,
        {"x": ("N", "D"), "w": ("D",)})  # fmt: skip
def rms_norm_sum(kept, u):
    x, w = kept
    r = jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    g = u * w
    dx = r * (g - x * r * r * (g * x).sum(-1, keepdims=True))  # slip
    return dx, (u * x * r).sum(0)


@custom(lambda x: jax.nn.softmax(x), lambda x: jax.nn.softmax(x), {"x": ("N", "M")}, "sum term")
def softmax_without_sum(kept, u):
    (x,) = kept
    p = jax.nn.softmax(x)
    return (p * u,)  # slip


@custom(lambda x: jnp.linalg.norm(x, axis=1), lambda x: jnp.linalg.norm(x, axis=1), {"x": ("N", "M")})
def norm_not_divided(kept, u):
    (x,) = kept
    return (u[:, None] * x,)  # slip


@custom(lambda a, b: a @ b, jnp.matmul, {"a": ("N", "M"), "b": ("M", "K")}, "times 2|doubled")
def matmul_doubled(kept, u):
    a, b = kept
    return u @ b.T, 2 * a.T @ u  # slip


@custom(lambda x, y: jnp.maximum(x, y), jnp.maximum, {"x": ("N", "M"), "y": ("N", "M")}, "gradient of another input")
def maximum_to_the_smaller(kept, u):
    x, y = kept
    return u * (x > y), u * (x > y)  # slip


@wrong(lambda W, ids: W[ids], lambda W, ids: W[ids], {"W": ("V", "D"), "ids": Indices(("N",), below="V")}, "last")
def gather_set(u, W, ids):
    return jnp.zeros_like(W).at[ids].set(u), None  # slip


@wrong(lambda x: jnp.cumsum(x[:, ::-1], 1), lambda x: jnp.cumsum(x[:, ::-1], 1), {"x": ("N", "M")})
def reversed_cumsum(u, x):
    return jnp.cumsum(u, 1)[:, ::-1]  # slip


@wrong(lambda x: jnp.sin(x) * jnp.exp(-x * x), lambda x: jnp.sin(x) * jnp.exp(-x * x), {"x": ("N", "M")})
def gauss_inner_derivative(u, x):
    e = jnp.exp(-x * x)
    return u * e * (jnp.cos(x) - x * jnp.sin(x))  # slip
