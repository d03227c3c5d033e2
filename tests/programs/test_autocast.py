"""Programs under autocast on the CPU, as people write them: right ones are not called wrong, whatever they mix."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from tests.helpers.deferred import Deferred

torch, models = Deferred("torch"), Deferred("tests.programs.mixed_models")

NAMES = ("convolutional", "residual", "encoder", "gated", "normalised", "probabilities")


@pytest.mark.filterwarnings("ignore:Mismatch dtype")  # of an RMS norm, whose weights stay float32
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", NAMES)
def test_a_right_program_is_not_called_wrong(name, dtype):
    torch.manual_seed(1)
    make, kind = models.MODELS[name]
    found = harness.check_program(models.Mixed(make(), getattr(torch, dtype)), torch.randn(models.BATCH[kind]))
    assert found.verdict in ("PASS", "NO POWER"), str(found)
    assert found.coverage.get("none", 0) == 0


def test_what_is_kept_in_float32_may_have_been_added_up_in_bfloat16():
    """torch adds up a bias's gradient in the format of what the layer norm reads, and keeps it in the bias's own."""
    torch.manual_seed(0)
    norm, x = torch.nn.LayerNorm(8), torch.randn(4096, 8)
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
    found = harness.check_program(models.Mixed(models.Scaled(), torch.bfloat16), torch.randn(64, 16))
    assert found.verdict == "FAIL"
    assert found.first.name == "Slipped"
