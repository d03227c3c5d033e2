"""A network in torch: what the port in port_jax.py was made from."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.norm, self.down = nn.Linear(4, 16), nn.LayerNorm(16), nn.Linear(16, 3)

    def forward(self, x, y):
        h = torch.relu(self.norm(self.up(x)))
        return F.cross_entropy(self.down(h), y)


def build():
    torch.manual_seed(0)
    return Net(), torch.arange(24.0).reshape(6, 4) / 8 - 1, torch.arange(6) % 3


def in_halves():
    """The same step, as two processes with half of the batch each would do it: gradients add up."""
    net, x, y = build()

    def step(x, y):
        for half in (slice(0, 3), slice(3, 6)):
            (net(x[half], y[half]) / 2).backward()

    return step, x, y


def forgotten():
    """... and somebody forgot to divide by the number of processes."""
    net, x, y = build()

    def step(x, y):
        for half in (slice(0, 3), slice(3, 6)):
            net(x[half], y[half]).backward()

    return step, x, y
