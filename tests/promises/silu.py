"""The same operation in torch with a right backward pass and with a wrong one."""

from __future__ import annotations

import torch


class Right(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z * torch.sigmoid(z)

    @staticmethod
    def backward(ctx, da):
        (z,) = ctx.saved_tensors
        s = torch.sigmoid(z)
        return da * (s + z * s * (1 - s))


class Wrong(Right):
    @staticmethod
    def backward(ctx, da):
        (z,) = ctx.saved_tensors
        s = torch.sigmoid(z)
        return da * (s + z * s)
