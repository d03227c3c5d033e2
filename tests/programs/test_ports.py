"""A transformer ported from torch to Flax: silent where it is right; each of eight mistakes located."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from harness import compare_programs
from harness.programs.built import as_built
from harness.programs.pairs.trace_file import write_trace
from harness.programs.pairs.tracing import traced
from tests.helpers.deferred import Deferred

pytestmark = pytest.mark.skipif(find_spec("flax") is None, reason="flax is not installed")
ports = Deferred("tests.programs.ports")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The torch program, recorded once."""
    path = tmp_path_factory.mktemp("records") / "torch.npz"
    write_trace(str(path), traced(as_built(ports.in_torch(), "torch"), "torch", 0)[0])
    return path


@pytest.mark.parametrize("ported", [False, True], ids=["fresh weights", "ported weights"])
def test_a_right_port_is_the_same_function(original, ported):
    found = compare_programs(original, ports.in_flax(ported=ported), names=("torch", "flax"))
    assert (found.verdict, found.exit, found.difference) == ("PASS", 0, None), str(found)
    assert {row.verdict for row in found.rows} == {"ok"}
    given = {pair.source: pair.arrangement for pair in found.pairs}
    assert (given["h.q.weight"], given["h.fc.weight"], given["wte.weight"], given["h.q.bias"]) == (".T", ".T", "", "")
    assert {"bn.running_mean", "bn.running_var"} <= set(given)
    # What holds no number of its own yet is given the original's; statistics are 0 and 1 in both.
    assert any(pair.changed for pair in found.pairs) is not ported


MISTAKES = {
    "eps": ("forward", "h.ln_2", "h.ln_2"),
    "gelu": ("forward", "h", "h"),
    "scale": ("forward", "h", "h"),
    "mask": ("forward", "h", "h"),
    "transposed": ("forward", "h.proj", "h.proj"),
    "momentum": ("state", "bn", "bn"),
    "bias": ("forward", "h.v", "h.v"),
    "layer order": ("forward", "h.ln_1", "h.ln_2"),
}
OPERATIONS = {
    "gelu": "gelu", "scale": "_scaled_dot_product_flash_attention_for_cpu",
    "mask": "_scaled_dot_product_flash_attention_for_cpu",
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_a_port_is_located(original, mistake):
    found = compare_programs(
        original, ports.in_flax(mistake, ported=mistake == "transposed"), names=("torch", "flax")
    )  # fmt: skip
    part, *modules = MISTAKES[mistake]
    assert (found.verdict, found.exit) == ("FAIL", 1)
    assert not any(side.wrong for side in found.sides)
    assert found.difference.part == part
    first, second = found.difference.at
    assert [first.module, second.module.removeprefix("FlaxTransformer.")] == modules
    assert first.name == OPERATIONS.get(mistake, first.name)
    assert first.file == second.file == str(Path(__file__).with_name("ports.py"))
    says = {"bias": "flax has no h.v.bias", "momentum": "a momentum of 0.9 in place of 0.1"}
    assert says.get(mistake, "") in found.reason
    if mistake == "transposed":
        assert any("proj.kernel holds h.proj.weight as it is, others of its kind do not" in n for n in found.notes)
