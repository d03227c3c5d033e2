"""Networks that tests put under autocast."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

BATCH = {"image": (4, 3, 8, 8), "sequence": (3, 7, 32), "rows": (300, 16)}


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention, self.norm = nn.MultiheadAttention(32, 4, batch_first=True), nn.LayerNorm(32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.attention(*[self.norm(x)] * 3, need_weights=False)[0]


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(32, 12, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gru(x)[0]


def convolutional() -> nn.Module:
    first = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3)
    return nn.Sequential(*first, nn.GroupNorm(2, 4), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


def normalised() -> nn.Module:
    norms = nn.LayerNorm(16), nn.RMSNorm(16), nn.GroupNorm(4, 16), nn.BatchNorm1d(16)
    return nn.Sequential(*(layer for norm in norms for layer in (nn.Linear(16, 16), norm)))


MODELS = {
    "convolutional": (convolutional, "image"),
    "residual": (Residual, "sequence"),
    "encoder": (lambda: nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), "sequence"),
    "gated": (Gated, "sequence"),
    "normalised": (normalised, "rows"),
    "probabilities": (lambda: nn.Sequential(nn.Linear(16, 8), nn.Softmax(-1), nn.Linear(8, 8), nn.Tanh()), "rows"),
}


class Mixed(nn.Module):
    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.model, self.dtype = model, dtype

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=self.dtype):
            return self.model(x).float().square().mean()


class Slipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, g):
        ctx.save_for_backward(x, g)
        return x * g

    @staticmethod
    def backward(ctx, sent):
        x, g = ctx.saved_tensors
        return sent * g, -(sent * x).sum(0)


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.scale = nn.Linear(16, 16), nn.Parameter(torch.ones(16))

    def forward(self, x):
        return Slipped.apply(functional.gelu(self.inner(x)), self.scale.bfloat16())
