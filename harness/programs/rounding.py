"""What rounding does to a program, measured on itself: how far its run in float32 is from that in float64, scaled.

So it is of a reference that no rule bounds: see `harness.evaluation.references.measured`, whose formula and constant it
is.
"""

from __future__ import annotations

import numpy as np

from harness.evaluation.references.measured import allowed
from impls.captured import Capture
from impls.contract import Array

WIDE, NARROW = "float64", "float32"


def gradients_of(capture: Capture) -> dict[str, Array]:
    """What arrived at each leaf in the end."""
    return {meeting.name: meeting.total for meeting in capture.meetings if meeting.of is None}


def total_loss(capture: Capture) -> Array:
    """The loss; of several backward passes their sum, whose gradients add up."""
    return np.asarray(sum(capture.losses) if capture.losses else capture.loss, np.float64)


def measured(wide: Array, narrow: Array | None, dtype: str = WIDE) -> Array:
    """What is allowed to each number of a run in the dtype; where there is no twin, by the unit roundoff alone."""
    wide = np.asarray(wide, np.float64)
    other = wide if narrow is None or narrow.shape != wide.shape else np.asarray(narrow, np.float64)
    with np.errstate(all="ignore"):
        return np.asarray(allowed(wide, np.abs(other - wide), dtype).bound)
