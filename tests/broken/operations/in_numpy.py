"""Wrong backward passes in NumPy, against functions of torch and layers of the hand code."""

import math

import numpy as np
import torch
from scipy.special import erf, expit
from torch.nn import functional

from impls.hand import Gelu, Sigmoid
from tests.broken.operations import wrong

Z = {"z": ("N", "M")}


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


@wrong(np.tanh, torch.tanh, Z, "times 2; so where z is 10×6 or z is 16×16 or z is 128×5, not where z is 5×7")
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
