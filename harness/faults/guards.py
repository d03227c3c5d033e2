"""Mistakes of a guard: what keeps the logarithm of a cross-entropy, or a denominator of its gradient, from 0.

On probabilities y/(a + eps) and (1 − y)/(1 − a + eps), (a − y)/(a(1 − a) + eps), a clipped to [eps, 1 − eps], where the
loss has no such eps, or none of the loss's; torch's floor 1e-12 under a(1 − a), where the loss has none, or the
reverse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.formulas import loss_text
from harness.faults.place import Place, of_class
from impls.graph import TARGET, Rule
from impls.hand import BinaryCrossEntropy, CategoricalCrossEntropy
from impls.hand.losses.scaled import bare

EPSILONS = (*(10.0**-power for power in range(1, 17)), float(np.finfo(np.float32).eps), float(np.finfo(np.float64).eps))
"""What people write to keep the argument of a logarithm, or a denominator, from 0."""
GUARDS = ("output clipped", "epsilon inside the logarithm", "epsilon in the denominator", "another clamp")
"""The causes that are a number beside a probability."""


def clamp_faults(place: Place) -> Iterator[Fault]:
    """Guards in the gradient of a cross-entropy, where the loss has another or none."""
    inner, a = bare(place.layer), place.network.output
    if not (place.of_loss and hasattr(inner, "guard")):
        return
    for text, other in _other_clamps(inner):
        unlike = lambda t, other=other: other.da(t[a], t[TARGET])  # noqa: E731
        yield place.fault("another clamp", text, loss_text(other, a, place.network.outputs), unlike)
    if not inner.on_probabilities:
        yield from _guards_on_logits(place, inner)
        return
    if inner.clip:
        text = f"the clip is not differentiated: where {a} is clipped, the loss does not change with it"
        bare_inner: Any = type(inner)()
        passed = lambda t: bare_inner.da(inner.guarded(t[a]), t[TARGET])  # noqa: E731
        yield place.fault("output clipped", text, f"{place.at} of the clipped {a}, there too", passed)
    added = of_class(_ADDED, inner)
    for eps in EPSILONS:
        text = f"{eps:g} is added in the denominator"
        for formula, rule in added(place, inner, eps) if added and eps != inner.epsilon else ():
            yield place.fault("epsilon in the denominator", text, formula, rule)
        text = f"{a} is clipped to [{eps:g}, 1 − {eps:g}] first"
        clipped = lambda t, eps=eps: place.link({**t, a: np.minimum(np.maximum(t[a], eps), 1 - eps)})  # noqa: E731
        if eps != inner.clip:
            yield place.fault("output clipped", text, f"{place.at} of the clipped {a}", clipped)


def _guards_on_logits(place: Place, inner: Any) -> Iterator[Fault]:
    a = place.network.output
    for eps in EPSILONS if not inner.guard else ():
        for cause, guard in (("epsilon inside the logarithm", "epsilon"), ("output clipped", "clip")):
            other = type(inner)(**{guard: eps})
            text = f"it is the gradient of the loss with {guard}={eps:g}, which the {inner.applies} of {a} has here"
            guarded = lambda t, other=other: other.da(t[a], t[TARGET])  # noqa: E731
            yield place.fault(cause, text, loss_text(other, a, place.network.outputs), guarded)


def _other_clamps(inner: Any) -> Iterator[tuple[str, Any]]:
    for name, size in inner.guard.items():
        yield f"the {name} {size:g} of the loss is left out", type(inner)()
    clamp = getattr(inner, "clamp", "")
    if clamp != "" and not inner.guard:
        which = "without a clamp" if clamp else "with torch's clamp"
        yield f"the form {which} is differentiated", type(inner)(None if clamp else "torch")


def _added_to_binary(place: Place, _: Any, eps: float) -> Iterator[tuple[str, Rule]]:
    a, entries = place.network.output, f"(N·{place.network.outputs})"
    other = BinaryCrossEntropy(epsilon=eps)
    apart = f"((1 − y)/(1 − {a} + {eps:g}) − y/({a} + {eps:g}))/{entries}"
    yield apart, lambda t: other.da(t[a], t[TARGET])
    together = f"({a} − y)/({a}·(1 − {a}) + {eps:g})/{entries}"
    yield together, lambda t: (t[a] - t[TARGET]) / (t[a] * (1 - t[a]) + eps) / t[a].size


def _added_to_categorical(place: Place, inner: Any, eps: float) -> Iterator[tuple[str, Rule]]:
    a, other = place.network.output, type(inner)(epsilon=eps)
    yield loss_text(other, a, place.network.outputs), lambda t: other.da(t[a], t[TARGET])


_ADDED: Mapping[type, Any] = {BinaryCrossEntropy: _added_to_binary, CategoricalCrossEntropy: _added_to_categorical}
