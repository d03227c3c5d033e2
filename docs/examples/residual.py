"""The backward pass of residual.toml by hand, with one mistake."""

import numpy as np


def backward(w, x, y):
    rows, species = x["x"], x["species"]
    a = np.tanh(rows @ w["fc1.W"] + w["fc1.b"])
    s = a + (a @ w["fc2.W"] + w["fc2.b"])
    z = s @ w["fc2.W"] + w["fc2.b"]
    both = np.concatenate([z, w["emb.W"][species]], axis=1)
    out = both @ w["out.W"] + w["out.b"]

    dout = 2 * (out - y)
    dboth = dout @ w["out.W"].T
    dz, de = dboth[:, :3], dboth[:, 3:]
    ds = dz @ w["fc2.W"].T
    da = ds @ w["fc2.W"].T  # and what goes past fc2?
    d1 = da * (1 - a**2)
    demb = np.zeros_like(w["emb.W"])
    np.add.at(demb, species, de)
    return {
        "loss": ((out - y) ** 2).sum(),
        "out.dW": both.T @ dout, "out.db": dout.sum(axis=0),
        "emb.dW": demb,
        "fc2.dW": a.T @ ds + s.T @ dz, "fc2.db": ds.sum(axis=0) + dz.sum(axis=0),
        "fc1.dW": rows.T @ d1, "fc1.db": d1.sum(axis=0),
    }  # fmt: skip
