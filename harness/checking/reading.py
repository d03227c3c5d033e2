"""Reading: what is to be said of gradients that are read off an update, their learning rate above all."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from harness.arithmetic import profile_of
from harness.candidates.examination import Examination
from harness.candidates.updates import ReadOff
from harness.comparison.judge import Finding
from harness.diagnosis.location import Located
from harness.dialects import factors_of
from harness.evaluation.point import Point
from harness.faults.fault import in_samples
from harness.formats import FORMATS
from harness.results.check import Check
from harness.usage import UsageError
from impls.contract import Array
from impls.graph import LOSS


def said_of_reading(name: str, returned: object, point: Point, judged: Located) -> Iterator[Finding]:
    """How the gradients were read, that no weight moved, and the learning rate that would show what is not seen.

    Args:
        returned: what the backward pass returned; nothing is said of other than a `ReadOff`.
        point: where it was called, its network one whose gradients are read off.

    Raises:
        UsageError: no weight moved, which rounding does not explain.
    """
    if not isinstance(returned, ReadOff):
        return
    what = "and its loss" if any(row.gradient == LOSS for row in judged.rows) else "only"
    told = f"shows its update {what}: gradients are (W − new W)/{returned.lr:g}, and what that rounds is allowed"
    told += "; the number that it returns is read as the loss" if LOSS in returned else ""
    yield Finding(name, 1, "update", told, fails=False)
    unseen = [row.gradient for row in judged.of("no power")]
    if not returned.moved and not unseen:
        raise UsageError(
            f"Cannot read gradients off {name}, because it leaves every weight as it was; let it change the arrays "
            f"that it is given, or return the new ones (a loss scale that overflows skips the step: begin with less)."
        )
    if unseen:
        enough = max(_enough(point, gradient) for gradient in unseen)
        instead = f"lr={enough:g} would do" if math.isfinite(enough) else "choose a larger one"
        few = f"lr={returned.lr:g} is too small to tell {', '.join(unseen)} from twice or half of it: {instead}"
        yield Finding(name, 1, "update", few, unseen[0], fails=False)


def said_of_factor(
    name: str, lr: float | None, check: Check, examination: Examination | None = None
) -> Iterator[Finding]:
    """Where every gradient is the right one times a constant: the learning rate, and the loss, that make them right.

    Nothing where the constant is made of the number of samples, which no learning rate is.

    Args:
        lr: of the update that gradients are read off, None where they are not.
        examination: of the function that made them, with which the learning rate is tried; None where there is none.
    """
    factor, rows = check.factor, check.setting.rows
    if lr is None or factor is None or factor < 0 or any(f.kind == "learning rate" for f in check.findings):
        return  # no factor, one that no learning rate has, or what is no loss but clipped
    known = 8 * FORMATS[check.setting.dtype].u * abs(factor)
    meant = next(factors_of(factor, known, rows, check.network.outputs), None)
    if in_samples(factor, known, rows) or (meant and meant.samples):
        return
    rate = f"{lr * factor:g}"
    if examination is not None and not examination.with_rate(float(rate)).passes():
        return
    told = f"is right with lr={rate} (--lr {rate}), if that is its learning rate"
    told += f"; with {check.option}, if that loss is meant" if check.option else ""
    yield Finding(name, 1, "learning rate", told, fails=False)


def _enough(point: Point, gradient: str) -> float:
    """The least power of ten with which half of a gradient is told from the whole in some entry: u |W|/lr is less."""
    u = profile_of(point.dtype).u
    tensor = point.computed.centre(point.dtype).tensors[gradient]
    weight: Array = np.abs(np.asarray(point.weights[str(point.network.tensors[gradient].of)], np.float64))
    room = np.abs(tensor.value) / 2 - tensor.bound
    with np.errstate(all="ignore"):
        least = np.min(np.where(room > 0, u * weight / room, np.inf))
    # Where the weight is 0, W' is lr g, which any lr shows.
    return 10.0 ** (math.floor(math.log10(least)) + 1) if 0 < least < np.inf else float(least)
