"""Programs in torch as people write them, right ones and the same with one mistake."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  (as everybody calls it)
from torch.utils.checkpoint import checkpoint

Function = torch.autograd.Function


class Block(nn.Module):
    """Embedding, attention and MLP with residual paths, tied to the output: a transformer in small."""

    def __init__(self, width: int = 16, heads: int = 2, tokens: int = 11) -> None:
        super().__init__()
        self.heads = heads
        self.embedding, self.norm, self.norm2 = nn.Embedding(tokens, width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc, self.out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, i, y):
        x = self.embedding(i)
        n, t, d = x.shape
        parts = self.qkv(self.norm(x)).split(d, -1)
        q, k, v = (part.view(n, t, self.heads, -1).transpose(1, 2) for part in parts)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, t, d)
        x = x + F.dropout(self.proj(a), 0.1)
        x = x + self.out(F.gelu(self.fc(self.norm2(x)), approximate="tanh"))
        return F.cross_entropy((x @ self.embedding.weight.T).flatten(0, 1), y.flatten())


class Convolutions(nn.Module):
    """Convolution, batch norm, pooling, a residual path and several ways to write the same things."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.deep, self.up = nn.Conv2d(4, 4, 3, groups=4, padding=1), nn.ConvTranspose2d(4, 3, 2, 2)
        self.group, self.fc = nn.GroupNorm(3, 3), nn.Linear(3, 2)

    def forward(self, x, y):
        h = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        h = self.group(self.up(F.silu(self.deep(h)) + h))
        h = F.avg_pool2d(F.elu(h), 2).mean((2, 3))
        return F.mse_loss(torch.sigmoid(self.fc(h)), y) + 0.01 * self.fc.weight.abs().sum()


class Recurrent(nn.Module):
    """A cell by hand over time, with the many small ways of cutting and joining."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(7, 8), nn.Linear(4, 1)

    def forward(self, x):
        h = x.new_zeros(len(x), 4)
        kept = []
        for step in x.unbind(1):
            gate, new = self.inner(torch.cat([step, h], 1)).chunk(2, 1)
            h = torch.lerp(h, torch.tanh(new), torch.sigmoid(gate))
            kept.append(h)
        stacked = torch.stack(kept, 1)
        masked = stacked.masked_fill(stacked < -0.9, 0.0)
        return F.softplus(self.outer(masked[:, -1]) - masked.amax(1).sum(1, keepdim=True).sqrt().nan_to_num()).mean()


class GeluFast(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return F.gelu(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(1.702 * x)
        return g * s * (1 + 1.702 * x * (1 - s))


class GeluRight(GeluFast):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        phi = 0.5 * (1 + torch.erf(x / 2**0.5))
        return g * (phi + x * torch.exp(-x * x / 2) / (2 * torch.pi) ** 0.5)


class Product(Function):
    factor = 1.0

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x @ x.T

    @classmethod
    def backward(cls, ctx, g):
        (x,) = ctx.saved_tensors
        return (g + g.T) @ x


class ProductOfOneSide(Product):
    @classmethod
    def backward(cls, ctx, g):
        (x,) = ctx.saved_tensors
        return g @ x


class OnlyWhereContiguous(Function):
    @staticmethod
    def forward(ctx, x):
        return 3 * x

    @staticmethod
    def backward(ctx, g):
        return 3 * g if g.is_contiguous() else 2.5 * g


class Wherever(OnlyWhereContiguous):
    @staticmethod
    def backward(ctx, g):
        return 3 * g


class OneBuffer(Function):
    kept: dict[tuple[int, ...], torch.Tensor] = {}  # noqa: RUF012  (the mistake)

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.exp()

    @classmethod
    def backward(cls, ctx, g):
        (x,) = ctx.saved_tensors
        buffer = OneBuffer.kept.setdefault(tuple(x.shape), torch.empty_like(x))
        return torch.mul(g, x.exp(), out=buffer)


class ItsOwnBuffer(OneBuffer):
    @classmethod
    def backward(cls, ctx, g):
        (x,) = ctx.saved_tensors
        return g * x.exp()


class LostLane(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x.tanh())
        return x.tanh()

    @staticmethod
    def backward(ctx, g):
        (a,) = ctx.saved_tensors
        found = g * (1 - a * a)
        found[..., -1] = 0
        return found


class EveryLane(LostLane):
    @staticmethod
    def backward(ctx, g):
        (a,) = ctx.saved_tensors
        return g * (1 - a * a)


@torch.library.custom_op("tests::cube", mutates_args=())
def cube(x: torch.Tensor) -> torch.Tensor:
    return x * x * x


@torch.library.custom_op("tests::wrong_cube", mutates_args=())
def wrong_cube(x: torch.Tensor) -> torch.Tensor:
    return x * x * x


def _keep(ctx, inputs, output):
    ctx.save_for_backward(inputs[0])


def _right(ctx, g):
    return g * 3 * ctx.saved_tensors[0] ** 2


def _wrong(ctx, g):
    return g * 2 * ctx.saved_tensors[0] ** 2


cube.register_autograd(_right, setup_context=_keep)
wrong_cube.register_autograd(_wrong, setup_context=_keep)


class FirstRow(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x.sigmoid()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        s = x.sigmoid()
        return g[:1] * s * (1 + x * (1 - s))


class EveryRow(FirstRow):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        s = x.sigmoid()
        return g * s * (1 + x * (1 - s))


@torch.library.custom_op("tests::scaled", mutates_args=())
def scaled(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return x * w


@torch.library.custom_op("tests::wrong_scaled", mutates_args=())
def wrong_scaled(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return x * w


def _keep_both(ctx, inputs, output):
    ctx.save_for_backward(*inputs)


def _right_of_both(ctx, g):
    x, w = ctx.saved_tensors
    return g * w, (g * x).sum(0)


def _wrong_of_both(ctx, g):
    x, w = ctx.saved_tensors
    return g * w, (g * x).mean(0)


scaled.register_autograd(_right_of_both, setup_context=_keep_both)
wrong_scaled.register_autograd(_wrong_of_both, setup_context=_keep_both)
WEIGHTS = torch.linspace(0.5, 1.5, 5).requires_grad_()


class Around(nn.Module):
    """A working model around one operation."""

    def __init__(self, operation, width: int = 5) -> None:
        super().__init__()
        self.before, self.after, self.operation = nn.Linear(width, width), nn.Linear(width, width), operation

    def forward(self, x):
        return self.after(torch.tanh(self.operation(self.before(x)))).square().mean()


class InPlace(nn.Module):
    """Written to in place, as a whole and through views; one parameter under two names."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)
        self.b.weight = self.a.weight

    def forward(self, x):
        h = self.a(x)
        h += 1
        h.mul_(2).relu_()
        h = self.b(h).clone()
        h[:, 0] *= 3
        h[0].mul_(x[0])
        h[1:, 1] = x[0, 0]
        with torch.no_grad():
            scale = h.abs().max()
        return (h / scale).sum() + self.a.bias.detach().sum()


class Checkpointed(nn.Module):
    def __init__(self, reentrant):
        super().__init__()
        self.a, self.reentrant = nn.Linear(4, 4), reentrant

    def forward(self, x):
        inner = lambda h: torch.tanh(self.a(h))  # noqa: E731
        return checkpoint(inner, self.a(x), use_reentrant=self.reentrant).sum()


class Gan(nn.Module):
    """Two losses, two backward passes, an update between them: a training step as people write it."""

    def __init__(self, operation):
        super().__init__()
        self.generator, self.critic, self.operation = nn.Linear(3, 2), nn.Linear(2, 1), operation

    def forward(self, x):
        fake = self.operation(self.generator(x))
        F.softplus(self.critic(fake.detach())).mean().backward()
        with torch.no_grad():
            self.critic.weight -= 0.1 * self.critic.weight.grad
        loss = F.softplus(-self.critic(fake)).mean()
        loss.backward()
        return loss.item()


class Product2(Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w

    @staticmethod
    def backward(ctx, g):
        _, w = ctx.saved_tensors
        return g @ w.T, None  # where is that of w?


class Forgetful(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.inner, self.unused = nn.Parameter(torch.randn(3, 2)), nn.Linear(3, 3), nn.Linear(2, 2)

    def forward(self, x):
        return Product2.apply(self.inner(x), self.w).square().mean()


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen = self.seen + len(x)
        self.eval()
        return self.fc(x).sum()


class TanhInNumpy(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.from_numpy(np.tanh(x.detach().numpy()))

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (1 - x.tanh() ** 2)


class SquareOfDetached(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        x = x.detach()
        return x * x.data

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * g * x


def hooked(x):
    h = x.tanh()
    h.register_hook(lambda g: g.clamp_(-0.001, 0.001))
    return (h * x.detach()).sum()


def masked(x):
    scores = (x @ x.T).masked_fill(torch.ones(4, 4).triu(1).bool(), float("-inf"))
    return (scores.softmax(-1) @ x).square().sum()


def leaf(*shape):
    return torch.randn(*shape, requires_grad=True)


LOOKING_WRONG = {
    "numpy": lambda: (lambda x: TanhInNumpy.apply(x).square().sum(), leaf(4)),
    "detached": lambda: (lambda x: SquareOfDetached.apply(x).sum(), leaf(4)),
    "constant index": lambda: (lambda x: x.clone().index_put((torch.tensor([0, 0, 2]),), x[1:4]).exp().sum(), leaf(4)),
    "hook": lambda: (hooked, leaf(4)),
    "masked": lambda: (masked, leaf(4, 3)),
    "repeated index": lambda: (lambda x: x.scatter(0, torch.zeros(2, 3).long(), x[1:3]).exp().sum(), leaf(4, 3)),
    "scaled": lambda: (
        lambda w: F.embedding(torch.tensor([1, 1, 2]), w, scale_grad_by_freq=True).square().sum()
        + F.binary_cross_entropy((40 * w).sigmoid(), torch.ones_like(w)), leaf(3, 2),
    ),
}  # fmt: skip
"""By what looks wrong in them: right programs, and their arguments."""


PAIRS = {
    "gelu": (GeluRight.apply, GeluFast.apply),
    "both operands": (lambda x: Product.apply(x) @ x, lambda x: ProductOfOneSide.apply(x) @ x),
    "layout": (
        lambda x: x + Wherever.apply(x).sum(1, keepdim=True),
        lambda x: x + OnlyWhereContiguous.apply(x).sum(1, keepdim=True),
    ),
    "buffer": (
        lambda x: ItsOwnBuffer.apply(x) + 3 * ItsOwnBuffer.apply(x),
        lambda x: OneBuffer.apply(x) + 3 * OneBuffer.apply(x),
    ),
    "lane": (EveryLane.apply, LostLane.apply),
    "operator": (cube, wrong_cube),
    "row": (EveryRow.apply, FirstRow.apply),
    "mean for sum": (lambda x: scaled(x, WEIGHTS), lambda x: wrong_scaled(x, WEIGHTS)),
}
"""By the mistake: an operation that is right, and the same with the mistake."""
