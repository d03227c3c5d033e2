"""Where torch computes besides the CPU, and how it does so there, with the settings as found.

On CUDA a kernel computes in float32 and rounds once, or is composed of such kernels; sums accumulate in float32. Matrix
products run on tensor cores where the dtype has them: float32 where TF32 is allowed, which convolutions are by default.
A product in 16 bits may be added up in 16 bits by parts (split K) unless that setting is off, and in float16 all along
where float16 accumulation is allowed.

Whether TF32 is allowed is asked by `fp32_precision`: the older `allow_tf32` raises where somebody has set the newer.

Sources: torch.backends.cuda.matmul and torch.backends.cudnn; compute capabilities in the CUDA programming guide.
"""

from __future__ import annotations

import torch

from impls import hand
from impls.contract import CPU, Arithmetic
from impls.torch_autograd.narrow import on_cpu

CONVOLVES = (hand.Conv1d, hand.Conv2d, hand.ConvTranspose2d)


def devices() -> list[str]:
    """What is there, as torch calls it."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ["cpu", *(["cuda"] if count else []), *(f"cuda:{number}" for number in range(count))]


def on_cuda(layer: object, dtype: str, device: str) -> Arithmetic:
    """How one tensor of a layer is computed there; see `impls.contract.StatesArithmetic`."""
    capability, matmul = torch.cuda.get_device_capability(device), torch.backends.cuda.matmul
    if dtype == "float64":
        return Arithmetic(products=dtype, device="cuda")
    if dtype not in ("float16", "bfloat16"):
        of = torch.backends.cudnn.conv if isinstance(layer, CONVOLVES) else matmul
        return Arithmetic(products="float32", device="cuda", cores=(capability, "tf32") if _in_tf32(of) else None)
    coarser = {
        "float16": matmul.allow_fp16_reduced_precision_reduction or matmul.allow_fp16_accumulation,
        "bfloat16": matmul.allow_bf16_reduced_precision_reduction,
    }
    if coarser[dtype]:  # than what tensor cores truncate, by far
        return Arithmetic(sums="float32", device="cuda")
    return Arithmetic(products="float32", sums="float32", device="cuda", cores=(capability, dtype))


def on_device(layer: object, local: str, dtype: str, device: str) -> Arithmetic:
    """How one tensor of a layer is computed in a dtype on a device; see `impls.contract.StatesArithmetic`."""
    return on_cpu(layer, local, dtype) if device == CPU else on_cuda(layer, dtype, device)


def matmul_precision() -> str:
    """What torch.set_float32_matmul_precision has set; torch refuses to say where a newer setting says otherwise."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return f"{torch.backends.cuda.matmul.fp32_precision} on CUDA"


def settings(device: str) -> dict[str, str]:
    """The device, and what of torch's settings decides how products are rounded there."""
    if device == CPU:
        return {}
    matmul = torch.backends.cuda.matmul
    return {
        "torch device": f"{device}, {torch.cuda.get_device_name(device)}",
        "torch TF32": f"products {_said(_in_tf32(matmul))}, convolutions {_said(_in_tf32(torch.backends.cudnn.conv))}",
        "torch reductions in 16 bits": (
            f"float16 {_said(matmul.allow_fp16_reduced_precision_reduction)}, "
            f"bfloat16 {_said(matmul.allow_bf16_reduced_precision_reduction)}"
        ),
        "torch accumulation in float16": _said(matmul.allow_fp16_accumulation),
    }


def _in_tf32(of: object) -> bool:
    return getattr(of, "fp32_precision") == "tf32"  # noqa: B009  (its class is not typed)


def _said(allowed: object) -> str:
    return "allowed" if allowed else "not allowed"
