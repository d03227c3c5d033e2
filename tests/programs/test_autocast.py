"""Programs under autocast on the CPU, as people write them: right ones are not called wrong, whatever they mix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import harness

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


@pytest.mark.filterwarnings("ignore:Mismatch dtype")  # of an RMS norm, whose weights stay float32
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
@pytest.mark.parametrize("name", MODELS)
def test_a_right_program_is_not_called_wrong(name, dtype):
    torch.manual_seed(1)
    make, kind = MODELS[name]
    found = harness.check_program(Mixed(make(), dtype), torch.randn(BATCH[kind]))
    assert found.verdict in ("PASS", "NO POWER"), str(found)
    assert found.coverage.get("none", 0) == 0


def test_what_is_kept_in_float32_may_have_been_added_up_in_bfloat16():
    """torch adds up a bias's gradient in the format of what the layer norm reads, and keeps it in the bias's own."""
    torch.manual_seed(0)
    norm, x = nn.LayerNorm(8), torch.randn(4096, 8)
    sent = torch.randn(4096, 8).bfloat16()

    def program(x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return (norm(x.bfloat16()) * sent).float().sum()

    found = harness.check_program(lambda x: program(x), x.requires_grad_())
    program(x).backward()
    lost = np.abs(norm.bias.grad.double().numpy() - sent.double().sum(0).numpy()).max()
    assert lost > 4096 * 2.0**-24 * sent.double().abs().sum(0).max().item()  # no sum in float32 loses that
    assert found.verdict in ("PASS", "NO POWER"), str(found)
    rows = [row for o in found.operations if o.name == "native_layer_norm" for row in o.rows]
    assert max(row.sees for row in rows if row.sees is not None) > 0.1


def test_a_wrong_layer_in_it_is_found():
    class Slipped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, g):
            ctx.save_for_backward(x, g)
            return x * g

        @staticmethod
        def backward(ctx, sent):
            x, g = ctx.saved_tensors
            return sent * g, -(sent * x).sum(0)

    scale = nn.Parameter(torch.ones(16))

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.scale = nn.Linear(16, 16), scale

        def forward(self, x):
            return Slipped.apply(functional.gelu(self.inner(x)), self.scale.bfloat16())

    found = harness.check_program(Mixed(Scaled(), torch.bfloat16), torch.randn(64, 16))
    assert found.verdict == "FAIL"
    assert found.first.name == "Slipped"
