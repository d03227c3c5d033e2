"""What only moves entries, repeats them or puts zeros beside them: NumPy functions that compute nothing."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

MOVES = (np.copy, np.transpose, np.reshape, np.flip, np.pad, np.repeat, np.broadcast_to, np.take, sliding_window_view)
"""Each of one array; any array of numbers with bounds, of balls or of rationals goes through them as floats do."""
