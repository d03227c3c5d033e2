"""Checks on a device: the candidate's arrays lie there, and what is allowed follows its arithmetic as it is set.

No CUDA device is needed: torch is made to say that it has one, whose memory is the CPU's and whose products of float32
the candidates make as an A100 does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import harness
from harness.inputs.devices import having
from harness.surveys.calibration import calibrate
from harness.usage import UsageError
from impls import hand
from impls.contract import CannotCompareError
from tests.helpers.command import typed

PRODUCT = {"x": ("N", 4), "W": (4, 3), "b": (3,)}


@pytest.fixture
def cuda(monkeypatch):
    """Torch with a device called cuda; gives the settings of its products."""
    torch = pytest.importorskip("torch")
    from impls.torch_autograd import arrays, gradients, hosting

    asked = []

    def tensor_of(array, device="cpu"):
        asked.append(device)
        return arrays.tensor_of(array)

    settings = SimpleNamespace(
        fp32_precision="tf32", allow_fp16_accumulation=False,
        allow_bf16_reduced_precision_reduction=False, allow_fp16_reduced_precision_reduction=False,
    )  # fmt: skip
    monkeypatch.setattr(gradients, "tensor_of", tensor_of)
    monkeypatch.setattr(hosting, "tensor_of", tensor_of)
    monkeypatch.setattr(gradients, "devices", lambda: ["cpu", "cuda", "cuda:0"])
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "an A100 in name alone")
    monkeypatch.setattr(torch.backends.cuda, "matmul", settings)
    return SimpleNamespace(settings=settings, asked=asked)


def product_checked(device):
    from tests.devices.in_tf32 import Product

    return harness.check_vjp(Product, reference=hand.Dense(4, 3), inputs=PRODUCT, dtype="float32", device=device)


def test_an_operation_is_judged_as_its_device_is_set(cuda):
    found = product_checked("cuda")
    assert found.verdict == "PASS", str(found)
    assert found.name == "Product (torch on cuda)"
    assert found.settings["torch TF32"].startswith("products allowed")
    assert found.settings["torch device"] == "cuda, an A100 in name alone"
    assert "cuda" in cuda.asked
    assert found.to_dict()["settings"] == found.settings
    cuda.settings.fp32_precision = "ieee"
    assert product_checked("cuda").verdict == "FAIL"
    cuda.settings.fp32_precision = "tf32"
    assert product_checked("cpu").verdict == "FAIL"


@pytest.mark.usefixtures("cuda")
def test_a_wrong_operation_is_told_on_a_device_too():
    from tests.devices.in_tf32 import Product, product

    class Transposed(Product):
        @staticmethod
        def backward(ctx, dy):
            x, W = ctx.saved_tensors
            return 2 * product(dy, W.T), product(x.T, dy), dy.sum(0)

    found = harness.check_vjp(
        Transposed, reference=hand.Dense(4, 3), inputs=PRODUCT, dtype="float32", device="cuda", seed=3
    )
    assert (found.verdict, found.wrong) == ("FAIL", ["dx"])


def test_a_network_is_judged_as_its_device_is_set(cuda):
    from tests.devices.in_tf32 import backward

    found = harness.check(backward, dtype="float32", device="cuda")
    assert found.verdict == "PASS", str(found)
    assert found.setting.environment["torch TF32"].startswith("products allowed")
    cuda.settings.fp32_precision = "ieee"
    assert harness.check(backward, dtype="float32", device="cuda").verdict == "FAIL"
    cuda.settings.fp32_precision = "tf32"
    assert harness.check(backward, dtype="float32").verdict == "FAIL"


@pytest.mark.usefixtures("cuda")
def test_what_is_evaluated_on_cuda_is_held_to_the_constants_of_cuda():
    found = calibrate(None, ["erfc", "exp"], ["float32"], device="cuda")
    assert list(found.implementations) == ["torch"]
    assert found.device == found.to_dict()["device"] == "cuda"
    assert {row.function: row.constant for row in found.rows}["erfc"] == 18.0
    assert having("cuda:0") == ["torch"]


def test_functions_that_compute_on_the_cpu_alone_are_refused_elsewhere():
    def numpys(z):
        return np.tanh(z)

    with pytest.raises(UsageError, match=r"Cannot run 'numpys' on 'cuda', because no framework .* numpy has cpu"):
        harness.check_vjp(numpys, lambda dy, z: dy * (1 - np.tanh(z) ** 2), reference=hand.Tanh(), device="cuda")

    def of_numpy(weights, x, y):
        return {"dW1": np.zeros((4, 3))}

    with pytest.raises(UsageError, match="Cannot compare with numpy on 'cuda', because it has cpu"):
        harness.check(of_numpy, device="cuda")
    with pytest.raises(UsageError, match="Cannot use device with a file of numbers"):
        harness.check("numbers.npz", device="cuda")


@pytest.mark.parametrize("device", ["tpu", "rocm", "metal", "mps:0", "cuda:", "cuda:x", ""])
def test_only_the_cpu_and_cuda_are_taken(device):
    with pytest.raises(UsageError, match=r"because there are bounds for cpu and cuda alone; .*torch has cpu"):
        harness.run(against=["torch"], device=device, steps=1)


@pytest.mark.parametrize(
    "command",
    [["check", "x.py:f", "--chain"], ["check", "x.py:f", "--optimizer", "adam"]],
)
def test_what_brings_its_own_arrays_takes_no_device(command):
    told = typed(*command, "--device", "cuda")
    assert told.returncode == 2
    assert "Cannot use --device here" in told.stderr


def test_platforms_of_jax_that_nothing_is_known_of_are_not_listed(monkeypatch):
    jax = pytest.importorskip("jax")
    from impls.jax_grad import devices as of_jax

    here = jax.devices()
    others = [SimpleNamespace(platform="tpu", device_kind="TPU v4", id=0)]
    others += [SimpleNamespace(platform="gpu", device_kind="AMD Instinct MI300X", id=0)]
    monkeypatch.setattr(jax, "devices", lambda platform=None: here if platform == "cpu" else others)
    assert of_jax.devices() == ["cpu", *(f"cpu:{device.id}" for device in here)]
    assert of_jax.Place().described() == str(here[0])
    with pytest.raises(CannotCompareError, match="Cannot compute with jax on 'tpu', because it has cpu"):
        of_jax.Place("tpu")
    one = SimpleNamespace(platform="gpu", device_kind="NVIDIA H100", id=1, compute_capability="9.0")
    monkeypatch.setattr(jax, "devices", lambda platform=None: here if platform == "cpu" else [one])
    assert of_jax.devices()[:4] == ["cuda", "cpu", "cuda:1", "cpu:0"]
    assert of_jax.Place("cuda").arithmetic(None, "", "float32").cores == ((9, 0), "tf32")


@pytest.mark.parametrize(
    ("setting", "operands"),
    [(None, "tf32"), ("high", "tf32"), ("highest", None), ("BF16_BF16_F32", "bfloat16"), ("F32_F32_F32", None)],
)
def test_jaxs_precision_decides_which_operands_tensor_cores_read(monkeypatch, setting, operands):
    jax = pytest.importorskip("jax")
    from impls.jax_grad import devices as of_jax

    one = SimpleNamespace(platform="gpu", device_kind="NVIDIA H100", id=0, compute_capability="9.0")
    monkeypatch.setattr(jax, "devices", lambda _platform=None: [one])
    monkeypatch.setattr(of_jax.jax, "config", SimpleNamespace(jax_default_matmul_precision=setting))
    cores = of_jax.Place("cuda").arithmetic(None, "", "float32").cores
    assert cores == (None if operands is None else ((9, 0), operands))


def test_a_setting_of_which_nothing_is_known_is_refused(monkeypatch):
    jax = pytest.importorskip("jax")
    from impls.jax_grad import devices as of_jax

    one = SimpleNamespace(platform="gpu", device_kind="NVIDIA H100", id=0, compute_capability="9.0")
    monkeypatch.setattr(jax, "devices", lambda _platform=None: [one])
    monkeypatch.setattr(of_jax.jax, "config", SimpleNamespace(jax_default_matmul_precision="BF16_BF16_BF16"))
    with pytest.raises(ValueError, match="Cannot bound products with jax_default_matmul_precision='BF16_BF16_BF16'"):
        of_jax.Place("cuda").arithmetic(None, "", "float32")


def test_torch_is_asked_for_its_settings_whichever_of_its_switches_was_used():
    code = (
        "import torch, harness; torch.backends.cuda.matmul.fp32_precision = 'tf32'; "
        "run = harness.run(against=['torch'], steps=1); "
        "print(run.verdict, run.head.environment['torch matmul precision'])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "PASS tf32 on CUDA"


def test_checks_put_jaxs_arrays_on_the_device():
    pytest.importorskip("jax")
    code = """
import jax, jax.numpy as jnp, harness
from impls.hand import Tanh
seen = set()
def forward(z):
    seen.add(str(z.devices() if not isinstance(z, jax.core.Tracer) else ""))
    return jnp.tanh(z)
found = harness.check_vjp(forward, lambda dy, z: dy * (1 - jnp.tanh(z) ** 2), reference=Tanh(), device="cpu:1")
print(found.verdict, found.name, sorted(seen - {""}))
def backward(weights, x, y):
    seen.update(str(array.devices()) for array in weights.values())
    return jax.grad(lambda w: jnp.sum((jax.nn.sigmoid(x @ w["W1"] + w["b1"]) - y) ** 2))(weights)
seen.clear()
renamed = lambda *given: {"d" + name: gradient for name, gradient in backward(*given).items()}
found = harness.check(renamed, "4-1", arrays="jax", device="cpu:1")
print(found.verdict, found.setting.environment["jax device"], sorted(seen))
"""
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    operation, network = found.stdout.splitlines()
    assert operation.startswith("PASS forward (jax on cpu:1) ['{CpuDevice(id=1)}']"), found.stdout
    assert network == "PASS cpu:1 ['{CpuDevice(id=1)}']"


@pytest.mark.parametrize("tap", [False, True])
def test_only_what_is_judged_crosses_to_a_device_and_back(cuda, monkeypatch, tap):
    """Weights and batch go there once, gradients and what is shown come back once, and nothing in between."""
    from impls.torch_autograd import arrays
    from impls.torch_autograd.gradients import TorchAutograd

    back, shared = [], arrays.shared_array_of
    monkeypatch.setattr(arrays, "shared_array_of", lambda tensor: back.append(tensor) or shared(tensor))
    network = harness.load_network("4-3-2-1")
    weights = network.init(0, "float32")
    made = TorchAutograd(network, "float32").on("cuda")
    cuda.asked.clear()
    result = made.differentiate(weights, np.ones((5, 4), "float32"), np.ones((5, 1), "float32"), tap=tap)
    assert cuda.asked == ["cuda"] * (len(weights) + 2)
    assert len(back) == 1 + len(result.gradients) + len(result.activations)
    assert set(network.gradients) <= set(result.gradients)


def test_a_dtype_that_a_framework_lacks_on_a_device_is_told(register):
    class Lacking(hand_on_cuda()):
        def on(self, device):
            if self.dtype == np.float64:
                raise CannotCompareError(f"Cannot compute in float64 with lacking on {device}, because it has none.")
            return super().on(device)

    register("lacking", Lacking)
    with pytest.raises(UsageError, match="Cannot compute in float64 with lacking on cuda"):
        harness.run(against=["lacking"], device="cuda", dtype="float64", steps=1)


def hand_on_cuda():
    from tests.devices.test_devices import OnCores

    return OnCores


def test_who_has_no_such_device_stays_out_and_the_others_run(register):
    register("own", hand_on_cuda())
    run = harness.run(against=["own", "torch"], device="cuda", steps=1)
    assert list(run.head.implementations) == ["hand", "own"]
    assert any("Cannot compare with torch on 'cuda', because it has cpu" in str(f.message) for f in run.findings)
    assert run.verdict != "PASS" or run.exit == 0


def test_a_sweep_takes_devices_as_an_axis(tmp_path):
    matrix = tmp_path / "devices.toml"
    matrix.write_text('network = "4-3-1"\nsteps = 1\nagainst = "torch"\ndevice = ["cpu", "cuda", "tpu"]\n')
    found = harness.sweep(str(matrix), str(tmp_path / "runs"), jobs=1)
    told = str(found)
    assert "Cannot compare with torch on 'cuda', because it has cpu" in told
    assert "Cannot compute on 'tpu', because there are bounds for cpu and cuda alone" in told
    assert [row.split()[:3] for row in told.splitlines() if row.startswith(("cpu ", "cuda ", "tpu "))] == [
        ["cpu", "1", "1"], ["cuda", "1", "1"], ["tpu", "1", "1"],
    ]  # fmt: skip
