"""Wrong backward passes in torch: functions that bring their own, and pairs."""

import math

import torch
from torch.nn import functional

from harness import Indices
from tests.broken.operations import wrong

Z = {"z": ("N", "M")}
NORM = {"x": ("N", "D"), "w": ("D",), "b": ("D",)}


@wrong(None, functional.silu, Z, "term")
class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        s = torch.sigmoid(z)
        ctx.save_for_backward(z, s)
        return z * s

    @staticmethod
    def backward(ctx, u):
        z, s = ctx.saved_tensors
        return u * (s + z * s)  # slip


@wrong(None, lambda x: torch.exp(x), {"x": ("N", "M")})
class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(x)
        return y

    @staticmethod
    def backward(ctx, u):
        (y,) = ctx.saved_tensors  # slip
        return u * y


@wrong(None, lambda x, w, b: functional.layer_norm(x, (x.shape[-1],), w, b), NORM, "n − 1")
class LayerNormUnbiased(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b):
        c = x - x.mean(-1, keepdim=True)
        r = (c.pow(2).mean(-1, keepdim=True) + 1e-5).rsqrt()
        ctx.save_for_backward(x, w)
        return c * r * w + b

    @staticmethod
    def backward(ctx, u):
        x, w = ctx.saved_tensors
        r = (x.var(-1, keepdim=True) + 1e-5).rsqrt()  # slip
        hat = (x - x.mean(-1, keepdim=True)) * r
        g = u * w
        dx = r * (g - g.mean(-1, keepdim=True) - hat * (g * hat).mean(-1, keepdim=True))
        return dx, (u * hat).sum(0), u.sum(0)


@wrong(
    None, lambda x, W, b: functional.linear(x, W, b), {"x": ("N", "D"), "W": ("K", "D"), "b": ("K",)}, "1/2|mean for"
)
class Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, W, b):
        ctx.save_for_backward(x, W)
        return x @ W.t() + b

    @staticmethod
    def backward(ctx, u):
        x, W = ctx.saved_tensors
        return u @ W, u.t() @ x / len(x), u.sum(0)  # slip


@wrong(None, lambda x, c: x * c, {"x": ("N", "M"), "c": ()}, "x is left out")
class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, c):
        ctx.save_for_backward(x, c)
        return x * c

    @staticmethod
    def backward(ctx, u):
        _, c = ctx.saved_tensors
        return u * c, u.sum()  # slip


@wrong(None, lambda x: functional.gelu(x, approximate="tanh"), {"x": ("N", "M")})
class TanhGelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return functional.gelu(x, approximate="tanh")

    @staticmethod
    def backward(ctx, u):
        (x,) = ctx.saved_tensors
        k = math.sqrt(2 / math.pi)
        t = torch.tanh(k * (x + 0.044715 * x**3))
        inner = k * (1 + 0.044715 * x**2)  # slip
        return u * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner)


@wrong(None, lambda x: torch.sigmoid(x) * torch.tanh(x), {"x": ("N", "M")})
class Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        s, t = torch.sigmoid(x), torch.tanh(x)
        ctx.save_for_backward(s, t)
        return s * t

    @staticmethod
    def backward(ctx, u):
        s, t = ctx.saved_tensors
        return u * (s * (1 - s) * t + s * (1 - t))  # slip


@wrong(None, lambda x: functional.softmax(x, -1), {"x": ("B", "N", "M")}, "sum term|weighted")
class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = torch.softmax(x, -1)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, u):
        (y,) = ctx.saved_tensors
        return y * (u - u.sum(-1, keepdim=True))  # slip


@wrong(
    None, lambda a, y: functional.cross_entropy(a, y), {"a": ("N", "K"), "y": Indices(("N",), below="K")},
    "the size of axis 1 of a.: a mean for a sum$",
)  # fmt: skip
class CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, y):
        p = torch.softmax(a, -1)
        ctx.save_for_backward(p, y)
        return -torch.log(p[torch.arange(len(y)), y]).mean()

    @staticmethod
    def backward(ctx, u):
        p, y = ctx.saved_tensors
        da = p - functional.one_hot(y, p.shape[1])
        return u * da / da.numel(), None  # slip


@wrong(lambda x, w: functional.conv2d(x, w, padding=1), lambda x, w: functional.conv2d(x, w, padding=1),
       {"x": (2, 3, 6, 5), "w": (4, 3, 3, 3)})  # fmt: skip
def conv2d_padding_forgotten(u, x, w):
    dx = functional.conv_transpose2d(u, w, padding=1)
    padded = functional.pad(x, (1, 1, 1, 1), value=1.0)  # slip
    dw = functional.conv2d(padded.transpose(0, 1), u.transpose(0, 1)).transpose(0, 1)
    return dx, dw


@wrong(
    lambda x, w: functional.conv2d(x, w), lambda x, w: functional.conv2d(x, w), {"x": (2, 3, 6, 6), "w": (3, 3, 3, 3)}
)
def conv2d_channels_swapped(u, x, w):
    dx = functional.conv_transpose2d(u, w.transpose(0, 1))  # slip
    dw = functional.conv2d(x.transpose(0, 1), u.transpose(0, 1)).transpose(0, 1)
    return dx, dw


@wrong(lambda x, cos, sin: torch.cat([x[:, :4] * cos - x[:, 4:] * sin, x[:, 4:] * cos + x[:, :4] * sin], -1),
       lambda x, cos, sin: torch.cat([x[:, :4] * cos - x[:, 4:] * sin, x[:, 4:] * cos + x[:, :4] * sin], -1),
       {"x": ("N", 8), "cos": ("N", 4), "sin": ("N", 4)}, r"cos - x\[:, :4\] \* sin")  # fmt: skip
def rope_turned_forwards(u, x, cos, sin):
    a, b, ua, ub = x[:, :4], x[:, 4:], u[:, :4], u[:, 4:]
    dx = torch.cat([ua * cos - ub * sin, ub * cos - ua * sin], -1)  # slip
    return dx, ua * a + ub * b, ub * a - ua * b


@wrong(lambda x, g: x * torch.sigmoid(g), lambda x, g: x * torch.sigmoid(g), {"x": ("N", "M"), "g": ("N", "M")},
       "x is left out")  # fmt: skip
def gate_without_x(u, x, g):
    s = torch.sigmoid(g)
    return u * s, u * s * (1 - s)  # slip


@wrong(lambda x, g: functional.silu(g) * x, lambda x, g: functional.silu(g) * x, {"x": ("N", "M"), "g": ("N", "M")})
def swiglu_gate_twice(u, x, g):
    s = torch.sigmoid(g)
    return u * g * s, u * x * s * (1 + g * (1 - g))  # slip


@wrong(lambda x, w: functional.conv1d(x, w, groups=2), lambda x, w: functional.conv1d(x, w, groups=2),
       {"x": (3, 4, 7), "w": (4, 2, 3)}, "from place 2 on|axis 0")  # fmt: skip
def second_group_forgotten(u, x, w):
    dx = torch.zeros_like(x)
    dw = torch.zeros_like(w)
    for g in range(1):  # slip
        c, o = slice(2 * g, 2 * g + 2), slice(2 * g, 2 * g + 2)
        dx[:, c] = functional.conv_transpose1d(u[:, o], w[o])
        dw[o] = functional.conv1d(x[:, c].transpose(0, 1), u[:, o].transpose(0, 1)).transpose(0, 1)
    return dx, dw
