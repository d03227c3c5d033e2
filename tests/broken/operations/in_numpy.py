"""Wrong backward passes in NumPy, against functions of torch and layers of the hand code."""

import math

import numpy as np
import torch
from scipy.special import erf, expit
from torch.nn import functional

from impls.hand import Gelu, Sigmoid
from tests.broken.operations import wrong

Z = {"z": ("N", "M")}
NORM = {"x": ("N", "D"), "w": ("D",), "b": ("D",)}


def softmax(a):
    e = np.exp(a - a.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@wrong(np.tanh, torch.tanh, Z, "square missing|1 − a")
def tanh_unsquared(u, z):
    a = np.tanh(z)
    return u * (1 - a)  # slip


@wrong(expit, Sigmoid(), None, "sign within")
def sigmoid_sign(u, z):
    s = expit(z)
    return u * s * (1 + s)  # slip


@wrong(expit, torch.sigmoid, Z, "at z|with z instead")
def sigmoid_at_z(u, z):
    return u * z * (1 - z)  # slip


@wrong(lambda z: np.maximum(z, 0), torch.relu, Z, "where z < 0")
def relu_inverted(u, z):
    dz = u.copy()
    dz[z > 0] = 0  # slip
    return dz


@wrong(lambda z: np.where(z > 0, z, 0.01 * z), functional.leaky_relu, Z, "slope")
def leaky_without_slope(u, z):
    dz = u.copy()
    dz[z <= 0] = 0  # slip
    return dz


@wrong(lambda z: np.where(z > 0, z, 0.01 * z), functional.leaky_relu, Z, "slope|times 10, where z ≤ 0")
def leaky_other_slope(u, z):
    slope = 0.1  # slip
    return np.where(z > 0, u, slope * u)


@wrong(lambda z: np.where(z > 0, z, 2 * np.expm1(np.minimum(z, 0))), lambda z: functional.elu(z, 2.0), Z, "elu|alpha")
def elu_without_alpha(u, z):
    return u * np.where(z > 0, 1, np.exp(np.minimum(z, 0)))  # slip


@wrong(lambda z: 0.5 * z * (1 + erf(z / math.sqrt(2))), Gelu(), None, "dropped term")
def gelu_density(u, z):
    cdf = 0.5 * (1 + erf(z / math.sqrt(2)))
    pdf = np.exp(-0.5 * z * z)  # slip
    return u * (cdf + z * pdf)


@wrong(lambda z: z * expit(z), functional.silu, Z, "edit of the rule")
def silu_inner_term(u, z):
    s = expit(z)
    return u * s * (1 + z * s)  # slip


@wrong(
    lambda z: np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0),
    lambda z: functional.softplus(z, threshold=1e9),
    Z,
    "s\\(−z\\)",
)
def softplus_mirrored(u, z):
    return u / (1 + np.exp(z))  # slip


@wrong(softmax, lambda z: torch.softmax(z, -1), Z, "over the samples|axis 0")
def softmax_over_samples(u, z):
    a = softmax(z)
    return a * (u - (u * a).sum(0))  # slip


@wrong(softmax, lambda z: torch.softmax(z, -1), Z, "diagonal")
def softmax_diagonal(u, z):
    a = softmax(z)
    return u * a * (1 - a)  # slip


@wrong(lambda z: np.log(softmax(z)), lambda z: torch.log_softmax(z, -1), {"z": ("B", "N", "M")}, "not summed")
def log_softmax_unsummed(u, z):
    return u - softmax(z) * u  # slip


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


@wrong(lambda x: np.cumsum(x, 1), lambda x: torch.cumsum(x, 1), {"x": ("N", "M")})
def cumsum_forwards(u, x):
    return np.cumsum(u, 1)  # slip


@wrong(lambda x: np.log(np.exp(x - 700).sum(1)) + 700, lambda x: torch.logsumexp(x, 1),
       {"x": ("N", "M")})  # fmt: skip
def logsumexp_axis(u, x):
    p = softmax(x.T).T  # slip
    return u[:, None] * p


@wrong(lambda x: np.sqrt((x * x).sum(1)), lambda x: torch.linalg.vector_norm(x, dim=1), {"x": ("N", "M")})
def norm_squared(u, x):
    n = (x * x).sum(1, keepdims=True)  # slip
    return u[:, None] * x / n


@wrong(
    lambda x: x.std(1, ddof=1),
    lambda x: torch.std(x, 1),
    {"x": ("N", "M")},
    "n being the size of axis 1 of x: n in place of n − 1",
)
def std_ddof(u, x):
    c = x - x.mean(1, keepdims=True)
    n = x.shape[1]  # slip
    return u[:, None] * c / (x.std(1, ddof=1, keepdims=True) * n)


@wrong(
    lambda x: x / np.sqrt((x * x).sum(1, keepdims=True)), lambda x: functional.normalize(x, dim=1), {"x": ("N", "M")}
)
def normalize_without_projection(u, x):
    n = np.sqrt((x * x).sum(1, keepdims=True))
    return u / n  # slip


@wrong(lambda x: np.clip(x, -1, 1), lambda x: torch.clamp(x, -1, 1), {"x": ("N", "M")}, "where x < −1")
def clamp_one_side(u, x):
    return u * (x < 1)  # slip


@wrong(lambda x: x[:, ::2] * expit(x[:, 1::2]), lambda x: x[:, ::2] * torch.sigmoid(x[:, 1::2]), {"x": ("N", 6)})
def glu_gate_linear(u, x):
    a, g = x[:, ::2], expit(x[:, 1::2])
    dx = np.empty_like(x)
    dx[:, ::2] = u * g
    dx[:, 1::2] = u * a * g  # slip
    return dx


@wrong(lambda x: x * 1.5, lambda x: x * 1.5, {"x": ("N", "M")}, "axis 0|row")
def blocks_of_four(u, x):
    dx = np.zeros_like(x)
    for n in range(0, len(x) - 3, 4):  # slip
        dx[n : n + 4] = 1.5 * u[n : n + 4]
    return dx


@wrong(lambda x: x * x, lambda x: x * x, {"x": ("N", "M")}, "axis 1|column")
def last_column_doubled(u, x):
    dx = 2 * x * u
    dx[:, -1] *= 2  # slip
    return dx


@wrong(lambda x: x * x, lambda x: x * x, {"x": ("N", "M")}, "other sign, where x < 0")
def negative_entries_turned(u, x):
    return 2 * np.abs(x) * u  # slip


@wrong(lambda x: x.mean(0), lambda x: x.mean(0), {"x": ("N", "M")}, "only for|scaled|axis 0")
def number_of_rows_built_in(u, x):
    return np.tile(u / 5, (len(x), 1))  # slip


@wrong(np.tanh, torch.tanh, Z, "times 2; so where z is 10×6 or z is 16×16, not where z is 5×7")
def doubled_for_even_rows(u, z):
    dz = u * (1 - np.tanh(z) ** 2)
    if len(z) % 2 == 0:
        dz *= 2  # slip
    return dz


@wrong(
    lambda x, mask: x * mask / 0.8, lambda x, mask: x * mask / 0.8, {"x": (6, 4), "mask": np.eye(6, 4) < 1}, "times 0.8"
)
def dropout_unscaled(u, x, mask):
    return u * mask, None  # slip


@wrong(
    lambda x, mask: x * mask / 0.8, lambda x, mask: x * mask / 0.8, {"x": (6, 4), "mask": np.eye(6, 4) < 1},
    r"derivative is that of \(x \+ mask\) / 0.8",
)  # fmt: skip
def dropout_mask_ignored(u, x, mask):
    return u / 0.8, None  # slip
