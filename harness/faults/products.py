"""Mistakes of products of two tensors along axes, a matrix product and an einsum.

    any rule    two axes of one operand exchanged, where they have as many entries
    dq = p^T ds    p ds

Formulas as in `impls.hand.layers.matrix_product` and `impls.hand.layers.einsum`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place, RuleTable
from impls.hand import Einsum, MatrixProduct
from impls.hand.layers.matrix_product import swapped


def product_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at every rule of these layers."""
    yield from place.faults_of(_FAULTS)


def _exchanged(place: Place) -> Iterator[Fault]:
    for name in place.link.inputs:
        shape = place.network.tensors[name].shape
        for i, j in combinations(range(1, len(shape)), 2):
            if shape[i] == shape[j] != 1:
                order = list(range(len(shape)))
                order[i], order[j] = j, i
                text = f"axes {i} and {j} of {name} are exchanged"
                turned = lambda t, name=name, order=order: place.link({**t, name: np.transpose(t[name], order)})  # noqa: E731
                yield place.fault("not transposed", text, f"{place.at} with {name} transposed", turned)


def _second(place: Place) -> Iterator[Fault]:
    p, ds = place.names["p"], place.names["ds"]
    shape = place.network.tensors[p].shape
    if shape[-1] == shape[-2] != 1:
        text = f"{p} is not transposed: its rows belong to {place.names['s']}, those of {place.at} to its columns"
        turned = lambda t: place.link({**t, p: swapped(t[p])})  # noqa: E731
        yield place.fault("not transposed", text, f"{p} · {ds}", turned)


_FAULTS: RuleTable = {
    Einsum: {"s": _exchanged, "dp": _exchanged, "dq": _exchanged},
    MatrixProduct: {"dq": _second},
}
