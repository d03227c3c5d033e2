"""The leading term of each kind of link's rounding, by class of layer.

The rules in harness/arithmetic/rules have them in full. A sum is marked *: where its terms cancel, up to half of that.
"""

from __future__ import annotations

from collections.abc import Mapping

from impls.graph import Accumulation, Link
from impls.hand.activations.base import Activation
from impls.hand.layers import Add, Concatenate, Dense, Embedding, Multiply, Split
from impls.hand.losses.base import Loss

NONE = "none"
FORMULAS: Mapping[type, Mapping[str, str]] = {
    Dense: {
        "z": "n u |x| |W| + u |z|, n inputs *",
        "dx": "n u |dz| |W|, n outputs *",
        "dW": "n u |x| |dz|, n rows *",
        "db": "(n - 1) u sum |dz|, n rows *",
    },
    Activation: {"a": "c u |a|, c of the functions in it", "dz": "c u |da f'|, c of the formulas of f'"},
    Loss: {"loss": "n u sum of the terms, n of them *", "da": "a few u |da|"},
    Add: {"s": "u |s|", "dp": NONE, "dq": NONE},
    Multiply: {"s": "u |s|", "dp": "u |dp|", "dq": "u |dq|"},
    Concatenate: {"s": NONE, "dp": NONE, "dq": NONE},
    Split: {"p": NONE, "q": NONE, "dx": NONE},
    Embedding: {"e": NONE, "dW": "(n - 1) u sum |de|, n rows *"},
}
"""By what the layer calls what the link gives."""


def formula_of(link: Link) -> str:
    """The leading term of a link's own rounding."""
    if isinstance(link.layer, Accumulation):
        return "(n - 1) u sum of the parts, n of them *"
    for kind in type(link.layer).__mro__:
        if kind in FORMULAS:
            return FORMULAS[kind].get(link.local, "a few u of the result")
    return "a few u of the result"
