"""A dense layer and a network in torch whose products of float32 read TF32, as tensor cores of an A100 do."""

import numpy as np
import torch

from tests.tensor_cores.emulated import on_cores


class Product(torch.autograd.Function):
    """A dense layer whose products read TF32."""

    @staticmethod
    def forward(ctx, x, W, b):
        ctx.save_for_backward(x, W)
        return product(x, W) + b

    @staticmethod
    def backward(ctx, dy):
        x, W = ctx.saved_tensors
        return product(dy, W.T), product(x.T, dy), dy.sum(0)


def product(one, other):
    cores = on_cores("A100", "tf32")
    return torch.from_numpy(np.asarray(cores(one.numpy()) @ cores(other.numpy()), one.numpy().dtype))


def backward(weights, x, y):
    """4-3-2-1 by torch, its products in TF32."""
    a, z, out = [x], [], {}
    for depth in (1, 2, 3):
        z.append(product(a[-1], weights[f"W{depth}"]) + weights[f"b{depth}"])
        a.append(torch.sigmoid(z[-1]))
    dz = 2 * (a[-1] - y) * a[-1] * (1 - a[-1])
    for depth in (3, 2, 1):
        out |= {f"dW{depth}": product(a[depth - 1].T, dz), f"db{depth}": dz.sum(0), f"dz{depth}": dz}
        out |= {f"z{depth}": z[depth - 1], f"a{depth}": a[depth]}
        if depth > 1:
            da = product(dz, weights[f"W{depth}"].T)
            out[f"da{depth - 1}"] = da
            dz = da * a[depth - 1] * (1 - a[depth - 1])
    return out
