"""Pace: how much slower this machine is now than the one on which limits of time were set.

A search that is given up after some seconds finds less on a slow machine than on a fast one, and says something else of
the same program. So limits are in seconds of one machine, and everywhere else as many times longer as that is slower.
"""

from __future__ import annotations

import statistics
from time import thread_time

import numpy as np

NOMINAL = 0.7e-3
"""Seconds of one core of an AMD EPYC 9004 at 2.6 GHz for the work below."""
TIMES = 3
"""So often: one of them may meet an interrupt."""


def pace() -> float:
    """How many times as long as there the same takes here, in the time of one thread; 1 at least."""
    return max(1.0, statistics.median(_seconds() for _ in range(TIMES)) / NOMINAL)


def _seconds() -> float:
    """Of what searches do: calls of small functions, and of NumPy on small arrays."""
    begin, x, sums = thread_time(), np.linspace(0.0, 1.0, 64), dict[int, float]()
    for number in range(500):
        x = x + np.tanh(x) * 1e-6
        sums[number % 64] = float(x[0])
    return thread_time() - begin
