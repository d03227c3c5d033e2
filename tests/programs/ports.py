"""One small transformer in torch and in Flax, by the conventions of each; and the mistakes that a port may hold.

torch: weights (out, in), momentum 0.1 of the new statistics. Flax: kernels (in, out), momentum 0.9 of the old ones.
"""

from __future__ import annotations

import math

import flax.linen as flax
import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  (as everybody calls it)

WIDTH, HEADS, WORDS, TIMES, ROWS = 8, 2, 7, 5, 3
EPS = 1e-5
_DRAW = np.random.default_rng(0)
TOKENS, TARGETS = _DRAW.integers(0, WORDS, (2, ROWS, TIMES))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.q, self.k, self.v, self.proj = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.fc, self.out = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x):
        h = self.ln_1(x)
        q, k, v = (part(h).view(ROWS, TIMES, HEADS, -1).transpose(1, 2) for part in (self.q, self.k, self.v))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(a.transpose(1, 2).reshape(x.shape))
        return x + self.out(F.gelu(self.fc(self.ln_2(x))))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.h, self.bn = nn.Embedding(WORDS, WIDTH), Block(), nn.BatchNorm1d(WIDTH)
        self.head = nn.Linear(WIDTH, WORDS, bias=False)

    def forward(self, tokens, targets):
        x = self.bn(self.h(self.wte(tokens)).flatten(0, 1))
        return F.cross_entropy(self.head(x), targets.flatten())


def in_torch():
    torch.manual_seed(0)
    model = Transformer()
    for parameter in model.parameters():  # norms are no identities, biases not 0
        parameter.data += 0.1 * torch.randn(parameter.shape)
    return model, torch.tensor(TOKENS), torch.tensor(TARGETS)


class Norm(flax.Module):
    """Batch norm as torch has it, with the variance over n - 1 kept, and Flax's momentum."""

    momentum: float

    @flax.compact
    def __call__(self, x):
        scale, bias = (
            self.param(name, init, (WIDTH,))
            for name, init in (("scale", flax.initializers.ones), ("bias", flax.initializers.zeros))
        )
        mean = self.variable("batch_stats", "mean", jnp.zeros, (WIDTH,))
        var = self.variable("batch_stats", "var", jnp.ones, (WIDTH,))
        if not self.is_initializing():
            mean.value = self.momentum * mean.value + (1 - self.momentum) * x.mean(0)
            var.value = self.momentum * var.value + (1 - self.momentum) * x.var(0, ddof=1)
        return (x - x.mean(0)) / jnp.sqrt(x.var(0) + EPS) * scale + bias


class FlaxBlock(flax.Module):
    mistake: str

    @flax.compact
    def __call__(self, x):
        mistake = self.mistake
        ln_1, ln_2 = (
            flax.LayerNorm(epsilon=EPS, name="ln_1"),
            flax.LayerNorm(epsilon=1e-6 if mistake == "eps" else EPS, name="ln_2"),
        )
        if mistake == "layer order":
            ln_1, ln_2 = ln_2, ln_1
        h = ln_1(x)
        q, k, v = (flax.Dense(WIDTH, name=n, use_bias=(mistake, n) != ("bias", "v"))(h) for n in "qkv")
        q, k, v = (part.reshape(ROWS, TIMES, HEADS, -1) for part in (q, k, v))
        scores = jnp.einsum("nthd,nshd->nhts", q, k)
        if mistake != "scale":
            scores = scores / math.sqrt(WIDTH // HEADS)
        seen = jnp.tril(jnp.ones((TIMES, TIMES), bool), k=1 if mistake == "mask" else 0)
        weights = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf), -1)
        a = jnp.einsum("nhts,nshd->nthd", weights, v).reshape(x.shape)
        x = x + flax.Dense(WIDTH, name="proj")(a)
        h = flax.Dense(2 * WIDTH, name="fc")(ln_2(x))
        return x + flax.Dense(WIDTH, name="out")(jax.nn.gelu(h, approximate=mistake == "gelu"))


class FlaxTransformer(flax.Module):
    mistake: str = ""

    @flax.compact
    def __call__(self, tokens):
        x = FlaxBlock(self.mistake, name="h")(flax.Embed(WORDS, WIDTH, name="wte")(tokens))
        x = Norm(0.1 if self.mistake == "momentum" else 0.9, name="bn")(x.reshape(-1, WIDTH))
        return flax.Dense(WORDS, use_bias=False, name="head")(x)


def in_flax(mistake="", ported=False):
    """Fresh weights, or those of the torch model as somebody has ported them."""
    model = FlaxTransformer(mistake)
    tokens, targets = jnp.asarray(TOKENS), jnp.asarray(TARGETS)
    variables = jax.jit(model.init)(jax.random.key(1), tokens)
    if ported:
        variables = {**variables, "params": converted(dict(in_torch()[0].named_parameters()), mistake)}

    def program(variables, tokens, targets):
        logits, updated = model.apply(variables, tokens, mutable=["batch_stats"])
        rows = jax.nn.log_softmax(logits)
        return -jnp.take_along_axis(rows, targets.reshape(-1, 1), -1).mean(), updated

    return {"program": program, "arguments": (variables, tokens, targets), "loss": lambda returned: returned[0]}


def converted(weights, mistake):
    """torch's weights as Flax has them."""
    params = {}
    for path, weight in weights.items():
        *layers, name = path.split(".")
        array, inner = weight.detach().numpy(), params
        for layer in layers:
            inner = inner.setdefault(layer, {})
        if name == "weight" and layers[-1] == "wte":
            name = "embedding"
        elif name == "weight" and array.ndim == 1:
            name = "scale"
        elif name == "weight":
            name, array = "kernel", array if mistake == "transposed" and layers[-1] == "proj" else array.T
        inner[name] = jnp.asarray(array)
    return params
