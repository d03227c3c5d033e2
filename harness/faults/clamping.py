"""A small number in the binary cross-entropy, which keeps a logarithm or a division finite and changes the gradient.

    (1 − y)/(1 − a + eps) − y/(a + eps)        (a − y)/(a(1 − a) + eps)        a clipped to [eps, 1 − eps]

for the numbers that people write; and torch's floor 1e-12 under a(1 − a), where the loss has none, or the reverse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place, of_class, unscaled
from impls.hand import BinaryCrossEntropy

USUAL = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15)
"""What people write for eps."""


def clamp_faults(place: Place) -> Iterator[Fault]:
    """Small numbers in the gradient of the binary cross-entropy."""
    loss = unscaled(place.layer)
    faults_of = of_class(_CLAMPS, loss)
    if place.of_loss and faults_of:
        yield from faults_of(place, loss)


def _of_binary_cross_entropy(place: Place, loss: BinaryCrossEntropy) -> Iterator[Fault]:
    a, entries = place.network.output, f"(N·{place.network.outputs})"
    other = BinaryCrossEntropy(None if loss.clamp else "torch")
    text = (
        "the form without a clamp is differentiated" if loss.clamp else "the form with torch's clamp is differentiated"
    )
    yield place.fault("another clamp", text, f"{place.at} of {other!r}", lambda t: other.da(t[a], t["y"]))
    for eps in USUAL:
        text = f"{eps:g} is added in the denominator"
        apart = f"((1 − y)/(1 − {a} + {eps:g}) − y/({a} + {eps:g}))/{entries}"
        together = f"({a} − y)/({a}·(1 − {a}) + {eps:g})/{entries}"
        yield place.fault("epsilon in the denominator", text, apart, _apart(a, eps))
        yield place.fault("epsilon in the denominator", text, together, _together(a, eps))
        text = f"{a} is clipped to [{eps:g}, 1 − {eps:g}] first"
        yield place.fault("output clipped", text, f"{place.at} of the clipped {a}", _clipped(place, a, eps))


def _apart(a: str, eps: float) -> Any:
    def rule(t: Mapping[str, Any]) -> Any:
        y = t["y"]
        return ((1 - y) / (1 - t[a] + eps) - y / (t[a] + eps)) / t[a].size

    return rule


def _together(a: str, eps: float) -> Any:
    return lambda t: (t[a] - t["y"]) / (t[a] * (1 - t[a]) + eps) / t[a].size


def _clipped(place: Place, a: str, eps: float) -> Any:
    return lambda t: place.link({**t, a: np.minimum(np.maximum(t[a], eps), 1 - eps)})


_CLAMPS: Mapping[type, Any] = {BinaryCrossEntropy: _of_binary_cross_entropy}
