"""Where torch computes besides the CPU, and how it does so there, with the settings as found.

On CUDA a kernel computes in float32 and rounds once, or is composed of such kernels; sums accumulate in float32. Matrix
products run on tensor cores where the dtype has them: float32 where TF32 is allowed, which convolutions are by default.
A product in 16 bits may be added up in 16 bits by parts (split K) unless that setting is off.

Sources: torch.backends.cuda.matmul and torch.backends.cudnn; compute capabilities in the CUDA programming guide.
"""

from __future__ import annotations

import torch

from impls import hand
from impls.contract import Arithmetic

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
    if dtype == "float32":
        single = torch.backends.cudnn.allow_tf32 if isinstance(layer, CONVOLVES) else matmul.allow_tf32
        return Arithmetic(products=dtype, device="cuda", cores=(capability, "tf32") if single else None)
    reduced = {
        "float16": matmul.allow_fp16_reduced_precision_reduction,
        "bfloat16": matmul.allow_bf16_reduced_precision_reduction,
    }
    if reduced[dtype]:  # which is coarser by far than what tensor cores truncate
        return Arithmetic(sums="float32", device="cuda")
    return Arithmetic(products="float32", sums="float32", device="cuda", cores=(capability, dtype))


def settings(device: str) -> dict[str, str]:
    """The device, and what of torch's settings decides how products are rounded there."""
    if device == "cpu":
        return {}
    matmul = torch.backends.cuda.matmul
    return {
        "torch device": f"{device}, {torch.cuda.get_device_name(device)}",
        "torch TF32": f"products {_said(matmul.allow_tf32)}, convolutions {_said(torch.backends.cudnn.allow_tf32)}",
        "torch reductions in 16 bits": (
            f"float16 {_said(matmul.allow_fp16_reduced_precision_reduction)}, "
            f"bfloat16 {_said(matmul.allow_bf16_reduced_precision_reduction)}"
        ),
    }


def _said(allowed: object) -> str:
    return "allowed" if allowed else "not allowed"
