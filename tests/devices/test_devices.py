"""Where frameworks compute: what is there, what is not, that arrays stay, and that the profile follows the settings."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import harness
from harness.arithmetic.profile import profile_of
from harness.arithmetic.tensor_cores import TENSOR_CORES, block_at
from harness.candidates.implementation import profile_for
from harness.evaluation.given import with_buffers
from harness.inputs.datasets import load_data
from harness.inputs.networks import load_network
from harness.usage import UsageError
from impls.contract import Arithmetic, Pass
from impls.hand_numpy import Hand
from tests.tensor_cores.emulated import on_cores


def test_a_device_that_is_not_there_is_told_with_what_is():
    with pytest.raises(
        UsageError, match=r"Cannot run on 'cuda:7', because no framework .* torch on 'cuda:7', because it has cpu"
    ):
        harness.run(against=["torch"], device="cuda:7", steps=1)
    with pytest.raises(UsageError, match="Only the hand code takes part, on the CPU"):
        harness.run(against=["hand"], device="cuda", steps=1)
    with pytest.raises(UsageError, match="device"):
        harness.run(against=["torch"], device=3, steps=1)


def test_jax_computes_on_the_device_that_is_asked_for():
    pytest.importorskip("jax")
    code = (
        "import harness; run = harness.run(against=['jax'], device='cpu:1', steps=2, optimizer='adam'); "
        "print(run.verdict, run.head.implementations['jax'], run.head.environment['jax device'])"
    )
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.startswith("PASS jax 0.")
    assert " on cpu:1 " in found.stdout
    assert found.stdout.strip().endswith(" cpu:1")


@pytest.mark.parametrize(
    "name", ["lenet", "resnet-tiny", "gpt:layers=1,heads=2,width=8,context=4", "lstm-char", "llama-tiny"]
)
def test_torch_makes_nothing_anywhere_else_than_its_operands_are(name):
    """What were made without a device is made on torch's default one, here one that holds no numbers."""
    torch = pytest.importorskip("torch")
    from impls.torch_autograd import TorchAutograd

    text = not name.startswith(("lenet", "resnet"))
    network = load_network(name, data="text:README.md" if text else "digits")
    data = load_data("text:README.md" if text else "digits", network=network)
    x, y = data.x[:2], data.targets(network)[:2]
    weights = network.init(0, "float32")
    x = with_buffers(network, x.astype("float32"), network.fresh_buffers("float32"))
    plain = TorchAutograd(network, "float32").differentiate(weights, x, y)
    with torch.device("meta"):
        elsewhere = TorchAutograd(network, "float32").differentiate(weights, x, y)
    assert all(np.array_equal(plain.gradients[name], elsewhere.gradients[name]) for name in plain.gradients)


class OnCores(Hand):
    """The hand code as if its products of float32 were made on tensor cores that read TF32."""

    device, said = "cpu", True

    def devices(self):
        return ["cpu", "cuda"]

    def on(self, device):
        made = type(self)(self.network, str(self.dtype))
        made.device = device
        return made

    def arithmetic(self, _layer, _local):
        cores = ((8, 0), "tf32") if self.said and self.dtype == np.float32 else None
        return Arithmetic(products=str(self.dtype), device="cuda", cores=cores)

    def differentiate(self, weights, x, y, *, tap=True):
        if self.device == "cpu" or self.dtype != np.float32:
            return super().differentiate(weights, x, y, tap=tap)
        cores = on_cores("A100", "tf32")
        found = super().differentiate({n: cores(w) for n, w in weights.items()}, cores(x), y, tap=tap)
        gradients, activations = _plain(found.gradients), _plain(found.activations)
        return Pass(np.asarray(found.loss), gradients, activations)


class Silent(OnCores):
    said = False


def _plain(arrays):
    return {name: np.asarray(array).view(np.ndarray) for name, array in arrays.items()}


def test_products_in_tf32_are_right_where_the_implementation_says_that_they_are(register):
    register("own", OnCores)
    register("silent", Silent)
    run = harness.run(against=["own"], device="cuda", steps=2)
    assert run.verdict == "PASS"
    assert any("matrix products of instructions" in line for line in run.head.ledger)
    assert any("elementary functions on cuda" in line for line in run.head.ledger)
    assert harness.run(against=["silent"], device="cuda", steps=2).verdict == "FAIL"


def test_torchs_settings_decide_how_products_are_bounded(monkeypatch):
    from impls import hand

    torch = pytest.importorskip("torch")
    from impls.torch_autograd.devices import on_cuda

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    settings = SimpleNamespace(
        fp32_precision="ieee",
        allow_bf16_reduced_precision_reduction=True,
        allow_fp16_reduced_precision_reduction=False,
        allow_fp16_accumulation=True,
    )
    monkeypatch.setattr(torch.backends.cuda, "matmul", settings)
    dense, convolution = hand.Dense(2, 3), hand.Conv2d(1, 2, 3)
    assert on_cuda(dense, "float32", "cuda").cores is None
    assert on_cuda(convolution, "float32", "cuda").cores == ((9, 0), "tf32")  # torch's default
    settings.fp32_precision = "tf32"
    assert on_cuda(dense, "float32", "cuda").cores == ((9, 0), "tf32")
    assert on_cuda(dense, "bfloat16", "cuda") == Arithmetic(sums="float32", device="cuda")  # may be reduced in 16 bits
    settings.allow_bf16_reduced_precision_reduction = False
    assert on_cuda(dense, "float16", "cuda") == Arithmetic(sums="float32", device="cuda")  # adds in float16
    of = profile_of("bfloat16", True, on_cuda(dense, "bfloat16", "cuda"))
    assert of.block == TENSOR_CORES["H100"]["bfloat16"]._replace(operands="bfloat16")


@pytest.mark.parametrize(
    ("capability", "operands", "architecture"),
    [((7, 0), "float16", "V100"), ((8, 6), "tf32", "A100"), ((8, 9), "bfloat16", "Ada"), ((12, 0), "float16", "B200"),
     ((7, 0), "tf32", None), ((6, 1), "float16", None), ((7, 5), "bfloat16", None)],
)  # fmt: skip
def test_tensor_cores_are_known_by_the_compute_capability(capability, operands, architecture):
    block = block_at("float32", capability, operands)
    assert (block is None) == (architecture is None)
    if architecture:
        assert block[:3] == TENSOR_CORES[architecture][operands][:3]


def test_what_is_not_known_is_refused_before_anything_is_run(register):
    class Unknown(OnCores):
        def arithmetic(self, _layer, _local):
            return Arithmetic(products="float32", device="cuda", cores=((11, 0), "tf32"))

    register("unknown", Unknown)
    with pytest.raises(UsageError, match=r"Cannot bound products in tf32 on compute capability 11\.0"):
        harness.run(against=["unknown"], device="cuda", steps=1)


def test_functions_on_cuda_are_allowed_at_least_what_they_are_on_the_cpu():
    on_cuda = Arithmetic(products="float32", device="cuda")
    for dtype in ("float32", "float64", "bfloat16", "float16"):
        here, there = profile_of(dtype).constants, profile_of(dtype, arithmetic=on_cuda).constants
        assert set(here) == set(there)
        assert all(there[name] >= here[name] for name in here)
    network = load_network("4-3-2-1")
    assert profile_for(OnCores(network, "float32"), "float32", network).device == "cuda"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_torch_on_cuda(dtype):
    if not pytest.importorskip("torch").cuda.is_available():
        pytest.skip("no CUDA device is here")
    assert harness.run(against=["torch"], device="cuda", dtype=dtype, steps=2).verdict == "PASS"
