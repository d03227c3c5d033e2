"""The character model of character_model.py in JAX: the same names, and 26 gradients by hand."""

import jax
import jax.numpy as jnp
import numpy as np


def parameters(rows=32, vocabulary=27, block=3, embedding=10, hidden=64, dtype="float32", seed=0):
    """A batch and weights; biases and gains are drawn too, so that no gradient is 0 by chance."""
    rng = np.random.default_rng(seed)

    def normal(*shape, scale=1.0):
        return (scale * rng.normal(size=shape)).astype(dtype)

    wide = block * embedding
    return {
        "Xb": rng.integers(vocabulary, size=(rows, block)),
        "Yb": rng.integers(vocabulary, size=rows),
        "C": normal(vocabulary, embedding),
        "W1": normal(wide, hidden, scale=(5 / 3) / wide**0.5),
        "b1": normal(hidden, scale=0.1),
        "W2": normal(hidden, vocabulary, scale=0.1),
        "b2": normal(vocabulary, scale=0.1),
        "bngain": 1 + normal(1, hidden, scale=0.1),
        "bnbias": normal(1, hidden, scale=0.1),
    }


def forward(p):
    """Every step has a name."""
    n = p["Xb"].shape[0]
    emb = p["C"][p["Xb"]]
    embcat = emb.reshape(n, -1)
    hprebn = embcat @ p["W1"] + p["b1"]
    bnmeani = 1 / n * hprebn.sum(0, keepdims=True)
    bndiff = hprebn - bnmeani
    bndiff2 = bndiff**2
    bnvar = 1 / (n - 1) * bndiff2.sum(0, keepdims=True)
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    bnraw = bndiff * bnvar_inv
    hpreact = p["bngain"] * bnraw + p["bnbias"]
    h = jnp.tanh(hpreact)
    logits = h @ p["W2"] + p["b2"]
    logit_maxes = logits.max(1, keepdims=True)
    norm_logits = logits - logit_maxes
    counts = jnp.exp(norm_logits)
    counts_sum = counts.sum(1, keepdims=True)
    counts_sum_inv = counts_sum**-1
    probs = counts * counts_sum_inv
    logprobs = jnp.log(probs)
    loss = -logprobs[jnp.arange(n), p["Yb"]].mean()
    return locals()


def backward(p, t):
    """Every gradient by hand, from the loss to the embedding."""
    n = p["Xb"].shape[0]
    dlogprobs = jnp.zeros_like(t["logprobs"]).at[jnp.arange(n), p["Yb"]].set(-1.0 / n)
    dprobs = dlogprobs / t["probs"]
    dcounts_sum_inv = (t["counts"] * dprobs).sum(1, keepdims=True)
    dcounts = t["counts_sum_inv"] * dprobs
    dcounts_sum = -(t["counts_sum"] ** -2) * dcounts_sum_inv
    dcounts = dcounts + jnp.ones_like(t["counts"]) * dcounts_sum
    dnorm_logits = t["counts"] * dcounts
    dlogits = dnorm_logits
    dlogit_maxes = (-dnorm_logits).sum(1, keepdims=True)
    dlogits = dlogits + jax.nn.one_hot(t["logits"].argmax(1), t["logits"].shape[1]) * dlogit_maxes
    dh = dlogits @ p["W2"].T
    dW2 = t["h"].T @ dlogits
    db2 = dlogits.sum(0)
    dhpreact = (1.0 - t["h"] ** 2) * dh
    dbngain = (t["bnraw"] * dhpreact).sum(0, keepdims=True)
    dbnraw = p["bngain"] * dhpreact
    dbnbias = dhpreact.sum(0, keepdims=True)
    dbndiff = t["bnvar_inv"] * dbnraw
    dbnvar_inv = (t["bndiff"] * dbnraw).sum(0, keepdims=True)
    dbnvar = -0.5 * (t["bnvar"] + 1e-5) ** -1.5 * dbnvar_inv
    dbndiff2 = 1.0 / (n - 1) * jnp.ones_like(t["bndiff2"]) * dbnvar
    dbndiff = dbndiff + 2 * t["bndiff"] * dbndiff2
    dhprebn = dbndiff
    dbnmeani = (-dbndiff).sum(0, keepdims=True)
    dhprebn = dhprebn + 1.0 / n * dbnmeani
    dembcat = dhprebn @ p["W1"].T
    dW1 = t["embcat"].T @ dhprebn
    db1 = dhprebn.sum(0)
    demb = dembcat.reshape(t["emb"].shape)
    dC = jnp.zeros_like(p["C"]).at[p["Xb"]].add(demb)
    return locals()


def chain():
    """What is checked."""
    return {"forward": forward, "backward": backward, "inputs": parameters()}
