"""How torch computes in float16 and bfloat16 on the CPU: which of its kernels compute in float32 and round once.

Most layers are several operations, and each rounds. Matrix products and sums accumulate in float32. So do the kernels
below, within; what they add up for a weight, or where windows overlap, they add in the dtype itself, and a mean that
a gradient reads was rounded to it. The gradient of an average pool is divided, and added, in the dtype.

Sources: ATen/native/cpu (Activation.cpp, AvgPoolKernel.cpp, AdaptiveAvgPoolKernel.cpp, layer_norm_kernel.cpp,
SoftMaxKernel.cpp, 2.13), which dispatch on reduced floating types; that it is so was measured by
`python -m reports.soundness --dtypes bfloat16,float16`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from impls import hand
from impls.contract import Arithmetic
from impls.hand.operations import rows

COMPOSED = Arithmetic(products="float32", sums="float32")
KERNEL = Arithmetic(products="float32", sums="float32", within="float32")
READING = Arithmetic(products="float32", sums="float32", within="float32", rounds_statistics=True)
ADDED = Arithmetic(within="float32")
READING_AND_ADDED = Arithmetic(sums="float32", within="float32", rounds_statistics=True)

_ENTRY_BY_ENTRY = dict.fromkeys(("a", "dz"), KERNEL)
_POOLED = {"s": KERNEL, "dx": Arithmetic()}
_NORMALISED = {"h": KERNEL, "dx": READING, "dg": READING_AND_ADDED, "db": ADDED}
NARROW: Mapping[type, Mapping[str, Arithmetic]] = {
    **dict.fromkeys(
        (hand.Tanh, hand.Relu, hand.LeakyRelu, hand.HardSigmoid, hand.Elu, hand.Silu, hand.Gelu, hand.GeluTanh),
        _ENTRY_BY_ENTRY,
    ),
    **dict.fromkeys((hand.Softmax, hand.CausalSoftmax, hand.MaskedSoftmax, rows.Softmax), _ENTRY_BY_ENTRY),
    **dict.fromkeys((hand.LayerNorm, hand.GroupNorm, rows.LayerNorm), _NORMALISED),
    **dict.fromkeys((hand.AvgPool2d, hand.AdaptiveAvgPool2d), _POOLED),
    hand.Embedding: {"dW": Arithmetic()},
}
"""By layer, and by what it calls what it gives."""

IN_HALF: Mapping[type, tuple[str, ...]] = {
    hand.Conv2d: ("dx", "dW", "db"), hand.Conv1d: ("dx", "dW", "db"), hand.ConvTranspose2d: ("z", "dx", "dW", "db"),
}  # fmt: skip
"""What adds in float16 where oneDNN has no kernel for it."""


def on_cpu(layer: Any, local: str, dtype: str) -> Arithmetic:
    """See `impls.contract.StatesArithmetic`."""
    if dtype == "float16" and local in IN_HALF.get(type(layer), ()):
        return Arithmetic()
    if type(layer) is rows.Softmax and local == "a" and layer.axis != -1:
        return COMPOSED  # exponentials are kept where the output will stand until they are divided
    return NARROW.get(type(layer), {}).get(local, COMPOSED)
