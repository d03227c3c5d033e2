"""A nudge: the variable is moved by a stated amount, and every output on the way is watched.

What adds up exactly are the changes *to first order*: along each path the amount times the path's product, and over
all paths the amount times the derivative. The loss's true change differs from that by a remainder of second order
in the amount: half the amount leaves a quarter of it, unless a kink lies between.
"""

from __future__ import annotations

import numpy as np

from harness.explaining.case import Case
from harness.explaining.methods import finite
from harness.explaining.parts import Moved, Nudge
from harness.usage import UsageError


def nudged(case: Case, amount: float, others: float, in_sample: int) -> Nudge:
    """Move the variable and compare; the outputs shown are those on the listed paths, in one sample.

    `others` is the sum of the paths that are not listed.

    Raises:
        UsageError: the amount moves nothing, or moves it so far that the loss is not finite.
    """
    variable, at = case.variable, case.variable.value
    if at + amount == at:
        raise UsageError(
            f"Cannot nudge by {amount:g}, because that moves {at:g} to the same float64; give a larger amount."
        )
    before = variable.forward(at)
    with np.errstate(all="ignore"):
        after, half = variable.forward(at + amount), variable.loss(at + amount / 2)
    change, change_at_half = (float(loss) - float(before["loss"]) for loss in (after["loss"], half))
    if not np.isfinite([change, change_at_half]).all():
        raise UsageError(f"Cannot nudge by {amount:g}, because the loss is not finite there; give a smaller amount.")
    first, place = amount * case.total, list(case.rows).index(in_sample)
    nodes, arrivals = [], case.paths.arrivals()
    for position, node in sorted({(p, n) for path in case.listed for p, n in enumerate(path.route)}):
        if 0 < position < len(case.names) - 1:
            level, slope = case.paths.levels[position], float(arrivals[position][place, node])
            old, new = (float(t[level.tensor][place, level.entries[node]]) for t in (before, after))
            nodes.append(Moved(case.names[position][node], old, new, new - old, amount * slope))
    return Nudge(
        amount,
        in_sample,
        nodes,
        Moved("L", float(before["loss"]), float(after["loss"]), change, first),
        along_paths=[amount * path.product for path in case.listed],
        others=amount * others,
        first_order=first,
        remainder=change - first,
        remainder_at_half=change_at_half - first / 2,
        rounding=finite(2 * case.centre.tensors["loss"].bound),
    )
