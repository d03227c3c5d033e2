"""How JAX computes in float16 and bfloat16 on the CPU, where XLA rounds after every operation but a last one.

Matrix products accumulate in float32. A sum that differentiation makes, of what was broadcast or looked up, is one of
the dtype, unlike jnp.sum, and is added to in it: ``harness doctor`` measures both. jnp.sum and jnp.mean widen what they
add to float32 first, and XLA leaves out the rounding just before that ("excess precision", on by default): of a product
that is summed the sum is that of the unrounded product, whoever else reads it rounded.

Sources: jax.numpy.sum on the dtype in which it adds; `xla_allow_excess_precision` of XLA's debug options. That it is so
of products, sums, functions and matrix products, and that everything else reads them rounded, was measured.
"""

from __future__ import annotations

from typing import Any

from impls.contract import Arithmetic
from impls.hand import Embedding, GlobalAvgPool2d, Mean, Sum
from impls.hand.operations.arithmetic import Cast

ADDED = Arithmetic()
ROUNDED = Arithmetic(products="float32")
WIDENED = Arithmetic(products="float32", sums="float32", unrounded=True)

_WIDENED = {(Sum, "s"), (Mean, "s"), (GlobalAvgPool2d, "s")}


def on_cpu(layer: Any, local: str) -> Arithmetic:
    """Of a layer, by functions of jax.numpy: see `impls.contract.StatesArithmetic`."""
    return WIDENED if (type(layer), local) in _WIDENED else of_equation(layer, local)


def of_compiled(layer: Any, local: str) -> Arithmetic:
    """Of one equation of a jaxpr among others in one program, where what is widened was not rounded before."""
    return WIDENED if type(layer) is Cast else of_equation(layer, local)


def of_equation(layer: Any, local: str) -> Arithmetic:
    """Of one equation of a jaxpr, run by itself: a sum is one of its operands' dtype, which jnp.sum widens before."""
    return ADDED if (type(layer), local) == (Embedding, "dW") else ROUNDED
