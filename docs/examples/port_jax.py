"""The network of port_torch.py in JAX, by JAX's own conventions: weights are (in, out)."""

import jax
import jax.numpy as jnp
import numpy as np


def dense(p, x):
    return x @ p["kernel"] + p["bias"]


def layer_norm(p, x, epsilon):
    centred = x - x.mean(-1, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + epsilon) * p["scale"] + p["bias"]


def loss(params, x, y, epsilon=1e-6):
    with jax.named_scope("norm"):
        h = layer_norm(params["norm"], dense(params["up"], x), epsilon)
    rows = jax.nn.log_softmax(dense(params["down"], jax.nn.relu(h)))
    return -jnp.take_along_axis(rows, y[:, None], axis=-1).mean()


def build():
    rng = np.random.default_rng(0)

    def weights(inputs, outputs):
        return {"kernel": jnp.asarray(rng.normal(size=(inputs, outputs)), jnp.float32), "bias": jnp.zeros(outputs)}

    params = {"up": weights(4, 16), "norm": {"scale": jnp.ones(16), "bias": jnp.zeros(16)}, "down": weights(16, 3)}
    return loss, params, jnp.arange(24.0).reshape(6, 4) / 8 - 1, jnp.arange(6) % 3


def mended():
    """With torch's epsilon."""
    _, *arguments = build()
    return (lambda params, x, y: loss(params, x, y, epsilon=1e-5)), *arguments
