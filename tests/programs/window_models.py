"""Programs of several modules that are alike but for what each does besides, to be looked at one by one."""

from __future__ import annotations

import torch
from torch import nn

from tests.programs.models import EveryLane, LostLane


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 8) / 3)

    def forward(self, x):
        return x + torch.tanh(x @ self.weight)


class InPlace(Plain):
    def forward(self, x):
        h = torch.tanh(x @ self.weight).clone()
        h[:, 2:4].mul_(x[:, :2])
        return h.add_(x)


class Own(Plain):
    """With a function that has a backward of its own."""

    function = EveryLane

    def forward(self, x):
        return x + self.function.apply(x @ self.weight)


class Wrong(Own):
    function = LostLane


class Buffered(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x):
        return torch.relu_(self.norm(x)) @ self.weight


class Deep(nn.Module):
    """Six of them, the first one's weight used at the end once more; what the third gives is written to outside."""

    def __init__(self) -> None:
        super().__init__()
        self.h = nn.ModuleList([Plain(), InPlace(), Own(), Plain(), Wrong(), Buffered()])

    def forward(self, x):
        for number, block in enumerate(self.h):
            x = block(x)
            if number == 2:
                x = x.mul_(2)
        return ((x @ self.h[0].weight) ** 2).mean()
