"""Constant factors: a gradient that is right but for a number that multiplies all of it.

    −g    g/2    2 g    N g    g/N    0

with N the number of samples. Every link can have them. Where a link sums over the samples, g/N is a mean in place
of the sum, which `sums` names; at the loss, `losses` names the factors that losses are known for.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.faults.fault import Fault
from harness.faults.place import Place, samples


def factor_faults(place: Place) -> Iterator[Fault]:
    """Factors at any link of the backward pass."""
    if place.forward:
        return
    right, at = place.link, place.at
    yield place.fault("zero", f"{at} is 0 everywhere: it is never computed", "0", lambda t: 0 * right(t))
    if not place.of_loss:
        yield place.fault("sign flipped", f"{at} has the wrong sign", f"−{at}", lambda t: -right(t))
        yield place.fault("half", f"{at} is half of what it should be", f"{at}/2", lambda t: right(t) / 2)
        added = ": it may be added to that of a call before" if place.of_weight else ""
        yield place.fault("doubled", f"{at} is twice what it should be{added}", f"2·{at}", lambda t: 2 * right(t))
        text = f"{at} is multiplied by the number of samples"
        yield place.fault("times N", text, f"N·{at}", lambda t: samples(t) * right(t))
    if not (place.of_loss or place.of_weight):
        text = f"{at} is divided by the number of samples: a mean belongs to the loss, and only once"
        yield place.fault("divided by N", text, f"{at}/N", lambda t: right(t) / samples(t))
    if not place.of_weight or place.tensor.through:
        text = f"{at} is {{c}} times what it should be (a learning rate, or 1/N, multiplied in too early?)"
        yield place.fitted(
            "scaled by a constant", text, f"{{c}}·{at}", lambda t: 0 * right(t), lambda t: +right(t), 0.1
        )
