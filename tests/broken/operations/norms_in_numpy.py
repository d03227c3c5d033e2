"""Wrong backward passes of normalisations in NumPy."""

import numpy as np
import torch
from torch.nn import functional

from tests.broken.operations import wrong

NORM = {"x": ("N", "D"), "w": ("D",), "b": ("D",)}


def centred(x, eps=1e-5):
    c = x - x.mean(-1, keepdims=True)
    r = 1 / np.sqrt((c * c).mean(-1, keepdims=True) + eps)
    return c, r


def layer_norm(x, w, b):
    c, r = centred(x)
    return c * r * w + b


def torch_layer_norm(x, w, b):
    return functional.layer_norm(x, (x.shape[-1],), w, b)


@wrong(layer_norm, torch_layer_norm, NORM, "mean term")
def layer_norm_mean_term(u, x, w, b):
    c, r = centred(x)
    g, hat = u * w, c * r
    dx = r * (g - hat * (g * hat).mean(-1, keepdims=True))  # slip
    return dx, (u * hat).sum(0), u.sum(0)


@wrong(layer_norm, torch_layer_norm, NORM, "n − 1")
def layer_norm_ddof(u, x, w, b):
    c = x - x.mean(-1, keepdims=True)
    r = 1 / np.sqrt(x.var(-1, ddof=1, keepdims=True) + 1e-5)  # slip
    g, hat = u * w, c * r
    dx = r * (g - g.mean(-1, keepdims=True) - hat * (g * hat).sum(-1, keepdims=True) / (x.shape[-1] - 1))
    return dx, (u * hat).sum(0), u.sum(0)


@wrong(layer_norm, torch_layer_norm, NORM, "in place of x̂")
def layer_norm_unnormalised(u, x, w, b):
    c, r = centred(x)
    g, hat = u * w, c * r
    dx = r * (g - g.mean(-1, keepdims=True) - hat * (g * hat).mean(-1, keepdims=True))
    return dx, (u * x).sum(0), u.sum(0)  # slip


@wrong(layer_norm, torch_layer_norm, NORM, "eps is 1e-08")
def layer_norm_eps(u, x, w, b):
    c, r = centred(x, 1e-8)  # slip
    g, hat = u * w, c * r
    dx = r * (g - g.mean(-1, keepdims=True) - hat * (g * hat).mean(-1, keepdims=True))
    return dx, (u * hat).sum(0), u.sum(0)


@wrong(layer_norm, torch_layer_norm, NORM)
def layer_norm_sum_for_mean(u, x, w, b):
    c, r = centred(x)
    g, hat = u * w, c * r
    dx = r * (g - g.mean(-1, keepdims=True) - hat * (g * hat).sum(-1, keepdims=True))  # slip
    return dx, (u * hat).sum(0), u.sum(0)


@wrong(layer_norm, torch_layer_norm, NORM, "w is left out")
def layer_norm_without_weight(u, x, w, b):
    c, r = centred(x)
    g, hat = u, c * r  # slip
    dx = r * (g - g.mean(-1, keepdims=True) - hat * (g * hat).mean(-1, keepdims=True))
    return dx, (u * hat).sum(0), u.sum(0)


def batch_norm(x, w, b):
    c = x - x.mean(0)
    return c / np.sqrt(x.var(0) + 1e-5) * w + b


def torch_batch_norm(x, w, b):
    return functional.batch_norm(x, None, None, w, b, training=True)


@wrong(batch_norm, torch_batch_norm, NORM, "n − 1|ddof")
def batch_norm_ddof(u, x, w, b):
    n = len(x)
    r = 1 / np.sqrt(x.var(0, ddof=1) + 1e-5)  # slip
    hat = (x - x.mean(0)) * r
    g = u * w
    dx = r / n * (n * g - g.sum(0) - hat * (g * hat).sum(0))
    return dx, (u * hat).sum(0), u.sum(0)


@wrong(batch_norm, torch_batch_norm, NORM, "mean of g x̂ divides by n − 1")
def batch_norm_bessel_in_one_term(u, x, w, b):
    n = len(x)
    r = 1 / np.sqrt(x.var(0) + 1e-5)
    hat = (x - x.mean(0)) * r
    g = u * w
    dx = r * (g - g.sum(0) / n - hat * (g * hat).sum(0) / (n - 1))  # slip
    return dx, (u * hat).sum(0), u.sum(0)


def rms_norm(x, w):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * w


def torch_rms_norm(x, w):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * w


@wrong(rms_norm, torch_rms_norm, {"x": ("N", "D"), "w": ("D",)})
def rms_norm_power(u, x, w):
    r = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    g = u * w
    dx = r * g - x * r**2 * (g * x).mean(-1, keepdims=True)  # slip
    return dx, (u * x * r).sum(0)
