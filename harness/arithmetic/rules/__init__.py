"""Rounding rules, one for each operation of the hand code; importing this package registers them.

In every rule x and y are bounded operands: X their centre, E_X their bound, A(X) = |X| + E_X the largest
magnitude that a member can have.
"""

from harness.arithmetic.rules import (
    attention,
    batch_norm,
    cosine,
    cross_entropy,
    dot_products,
    einsum,
    elementary,
    elementwise,
    functions,
    gelu,
    layer_norm,
    losses,
    moves,
    optimizers,
    other_norms,
    reading,
    reductions,
    smooth,
    softmax,
    sums,
)

__all__ = [
    "attention", "batch_norm", "cosine", "cross_entropy", "dot_products", "einsum", "elementary", "elementwise",
    "functions", "gelu", "layer_norm", "losses", "moves", "optimizers", "other_norms", "reading", "reductions",
    "smooth", "softmax", "sums",
]  # fmt: skip
