"""Models of public libraries as they are: every operation judged, none called wrong, almost all by their formula."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from tests.helpers.deferred import Deferred
from tests.programs import public

torch, harness = Deferred("torch"), Deferred("harness")

EVERY = {**public.TORCH, **public.JAX}

pytestmark = pytest.mark.skipif(
    not all(map(find_spec, ("transformers", "diffusers", "flax", "equinox"))),
    reason="needs the libraries that pip install 'backprop-harness[models]' brings",
)


@pytest.mark.parametrize("name", EVERY)
def test_every_operation_of_a_public_model_is_right(name):
    torch.manual_seed(0)
    program, arguments, loss = EVERY[name]()
    found = harness.check_program(program, *arguments, loss=loss, name=name)
    assert found.verdict == "PASS", str(found)
    assert found.coverage["none"] == 0
    assert found.coverage["rounding only"] / sum(found.coverage.values()) <= 0.05, found.coverage
    assert not any("differently" in note for note in found.notes)
    assert all(o.rows for o in found.operations)
    assert np.isfinite(found.loss)


@pytest.mark.parametrize(
    ("name", "dtype"), [("GPT-2", "bfloat16"), ("LLaMA", "bfloat16"), ("ResNet", "bfloat16"), ("ViT", "float16")]
)
def test_nor_is_any_wrong_in_16_bits(name, dtype):
    """A rotation, kept statistics, what layer norm adds up below the normal numbers: each was called wrong once."""
    torch.manual_seed(0)
    own = getattr(torch, dtype)
    program, arguments, loss = public.TORCH[name]()
    arguments = [a.to(own) if a.is_floating_point() else a for a in arguments]
    found = harness.check_program(program.to(own), *arguments, loss=loss, name=name)
    assert found.verdict == "PASS", str(found)
    assert found.coverage["none"] == 0
