"""How JAX computes in float16 and bfloat16 on the CPU, where XLA rounds after every operation.

Matrix products accumulate in float32. A sum that differentiation makes, of what was broadcast or looked up, is one of
the dtype, unlike jnp.sum, and is added to in it: ``harness doctor`` measures both.
"""

from __future__ import annotations

from typing import Any

from impls.contract import Arithmetic
from impls.hand import Embedding

ADDED = Arithmetic()
ROUNDED = Arithmetic(products="float32")


def on_cpu(layer: Any, local: str) -> Arithmetic:
    """See `impls.contract.StatesArithmetic`."""
    return ADDED if (type(layer), local) == (Embedding, "dW") else ROUNDED
