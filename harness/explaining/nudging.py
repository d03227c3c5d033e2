"""A nudge: the variable is moved by a stated amount, and every output on the way is watched.

What adds up exactly are the changes *to first order*: along each path the amount times the path's product, and over
all paths the amount times the derivative. The loss's true change differs from that by a remainder of second order
in the amount: half the amount leaves a quarter of it, unless a kink lies between.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.explaining.parts import Moved, Nudge
from harness.explaining.symbols import Nodes
from harness.explaining.variable import Variable
from harness.usage import UsageError
from impls.hand.paths import Path, Paths


def nudged(
    variable: Variable,
    amount: float,
    paths: Paths,
    nodes: Nodes,
    listed: Sequence[Path],
    others: float,
    total: float,
    sample: int,
    row: int,
    rounding: float,
) -> Nudge:
    """Move the variable and compare; outputs are those of one sample, on the listed paths.

    Raises:
        UsageError: the amount moves nothing, or moves it so far that the loss is not finite.
    """
    at = variable.value
    moved = at + amount
    if moved == at:
        raise UsageError(
            f"Cannot nudge by {amount:g}, because that moves {at:g} to the same float64; give a larger amount."
        )
    before = variable.forward(at)
    with np.errstate(all="ignore"):
        after, half = variable.forward(moved), variable.loss(at + amount / 2)
    change = float(after["loss"]) - float(before["loss"])
    if not np.isfinite([change, half]).all():
        raise UsageError(f"Cannot nudge by {amount:g}, because the loss is not finite there; give a smaller amount.")
    first = amount * total
    rows, arrivals = [], paths.arrivals()
    for position, node in sorted({(p, n) for path in listed for p, n in enumerate(path.route)}):
        level = paths.levels[position]
        if 0 < position < len(paths.levels) - 1:
            entry = level.entries[node]
            old, new = (float(tensors[level.tensor][sample, entry]) for tensors in (before, after))
            slope = float(arrivals[position][sample, node])
            rows.append(Moved(nodes.name(level.tensor, entry + 1), old, new, new - old, amount * slope))
    loss = Moved("L", float(before["loss"]), float(after["loss"]), change, first)
    return Nudge(
        amount, row, rows, loss, [amount * path.product for path in listed], amount * others, first,
        change - first, half - float(before["loss"]) - first / 2, rounding,
    )  # fmt: skip
