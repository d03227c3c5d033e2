"""A block of a transformer under autocast: matrix products in bfloat16, weights and their gradients in float32."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


def build():
    torch.manual_seed(0)
    block, x, y = Block(), torch.randn(8, 32), torch.randn(8, 32)

    def step():
        with torch.autocast("cpu", torch.bfloat16):
            return nn.functional.mse_loss(block(x), y)

    return step
