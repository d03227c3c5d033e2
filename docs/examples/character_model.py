"""A character model with an embedding, a batch norm and a cross-entropy in small steps, and 26 gradients by hand."""

import torch
from torch.nn import functional


def parameters(rows=32, vocabulary=27, block=3, embedding=10, hidden=64, dtype="float32", seed=0):
    """A batch and weights; biases and gains are drawn too, so that no gradient is 0 by chance."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape, scale=1.0):
        return (torch.randn(shape, generator=g, dtype=torch.float64) * scale).to(getattr(torch, dtype))

    wide = block * embedding
    return {
        "Xb": torch.randint(vocabulary, (rows, block), generator=g),
        "Yb": torch.randint(vocabulary, (rows,), generator=g),
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
    embcat = emb.view(n, -1)
    hprebn = embcat @ p["W1"] + p["b1"]
    bnmeani = 1 / n * hprebn.sum(0, keepdim=True)
    bndiff = hprebn - bnmeani
    bndiff2 = bndiff**2
    bnvar = 1 / (n - 1) * bndiff2.sum(0, keepdim=True)
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    bnraw = bndiff * bnvar_inv
    hpreact = p["bngain"] * bnraw + p["bnbias"]
    h = torch.tanh(hpreact)
    logits = h @ p["W2"] + p["b2"]
    logit_maxes = logits.max(1, keepdim=True).values
    norm_logits = logits - logit_maxes
    counts = norm_logits.exp()
    counts_sum = counts.sum(1, keepdim=True)
    counts_sum_inv = counts_sum**-1
    probs = counts * counts_sum_inv
    logprobs = probs.log()
    loss = -logprobs[range(n), p["Yb"]].mean()
    return locals()


def backward(p, t):
    """Every gradient by hand, from the loss to the embedding."""
    n = p["Xb"].shape[0]
    dlogprobs = torch.zeros_like(t["logprobs"])
    dlogprobs[range(n), p["Yb"]] = -1.0 / n
    dprobs = dlogprobs / t["probs"]
    dcounts_sum_inv = (t["counts"] * dprobs).sum(1, keepdim=True)
    dcounts = t["counts_sum_inv"] * dprobs
    dcounts_sum = -(t["counts_sum"] ** -2) * dcounts_sum_inv
    dcounts = dcounts + torch.ones_like(t["counts"]) * dcounts_sum
    dnorm_logits = t["counts"] * dcounts
    dlogits = dnorm_logits.clone()
    dlogit_maxes = (-dnorm_logits).sum(1, keepdim=True)
    dlogits = dlogits + functional.one_hot(t["logits"].max(1).indices, t["logits"].shape[1]) * dlogit_maxes
    dh = dlogits @ p["W2"].T
    dW2 = t["h"].T @ dlogits
    db2 = dlogits.sum(0)
    dhpreact = (1.0 - t["h"] ** 2) * dh
    dbngain = (t["bnraw"] * dhpreact).sum(0, keepdim=True)
    dbnraw = p["bngain"] * dhpreact
    dbnbias = dhpreact.sum(0, keepdim=True)
    dbndiff = t["bnvar_inv"] * dbnraw
    dbnvar_inv = (t["bndiff"] * dbnraw).sum(0, keepdim=True)
    dbnvar = -0.5 * (t["bnvar"] + 1e-5) ** -1.5 * dbnvar_inv
    dbndiff2 = 1.0 / (n - 1) * torch.ones_like(t["bndiff2"]) * dbnvar
    dbndiff = dbndiff + 2 * t["bndiff"] * dbndiff2
    dhprebn = dbndiff.clone()
    dbnmeani = (-dbndiff).sum(0, keepdim=True)
    dhprebn = dhprebn + 1.0 / n * (torch.ones_like(t["hprebn"]) * dbnmeani)
    dembcat = dhprebn @ p["W1"].T
    dW1 = t["embcat"].T @ dhprebn
    db1 = dhprebn.sum(0)
    demb = dembcat.view(t["emb"].shape)
    dC = torch.zeros_like(p["C"])
    dC.index_put_((p["Xb"],), demb, accumulate=True)
    return locals()


def chain():
    """What is checked."""
    return {"forward": forward, "backward": backward, "inputs": parameters()}
