"""A learner's own model in small steps, each with a name, and its gradients by hand, with a mistake."""

import torch


def inputs():
    g = torch.Generator().manual_seed(1)
    return {
        "words": torch.randint(9, (12, 2), generator=g),
        "targets": torch.randint(9, (12,), generator=g),
        "C": torch.randn(9, 4, generator=g),
        "W1": torch.randn(8, 6, generator=g) / 3,
        "gain": 1 + torch.randn(1, 6, generator=g) / 10,
        "W2": torch.randn(6, 9, generator=g) / 3,
    }


def forward(p):
    emb = p["C"][p["words"]]
    embcat = emb.view(12, 8)
    z = embcat @ p["W1"]
    mean = z.mean(0, keepdim=True)
    diff = z - mean
    var = (diff**2).sum(0, keepdim=True) / 11
    var_inv = (var + 1e-5) ** -0.5
    raw = diff * var_inv
    h = torch.tanh(p["gain"] * raw)
    logits = h @ p["W2"]
    loss = torch.nn.functional.cross_entropy(logits, p["targets"])
    return locals()


def backward(p, t):
    dlogits = torch.softmax(t["logits"], 1)
    dlogits[range(12), p["targets"]] -= 1
    dlogits = dlogits / 12
    dW2 = t["h"].T @ dlogits
    dh = dlogits @ p["W2"].T
    dgain = (dh * (1 - t["h"] ** 2) * t["raw"]).sum(0, keepdim=True)
    draw = dh * (1 - t["h"] ** 2) * p["gain"]
    dvar_inv = (draw * t["diff"]).sum(0, keepdim=True)
    dvar = -0.5 * (t["var"] + 1e-5) ** -1.5 * dvar_inv
    ddiff = draw * t["var_inv"] + t["diff"] * dvar / 11
    dmean = -ddiff.sum(0, keepdim=True)
    dz = ddiff + dmean / 12
    dW1 = t["embcat"].T @ dz
    dembcat = dz @ p["W1"].T
    demb = dembcat.view(12, 2, 4)
    dC = torch.zeros_like(p["C"])
    dC[p["words"]] += demb
    return locals()


def chain():
    return {"forward": forward, "backward": backward, "inputs": inputs()}
