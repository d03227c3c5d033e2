"""Data: rows of numbers and their targets, from the package, scikit-learn, a CSV or NPZ file, arrays, or drawn."""

from harness.datasets.arrays import from_arrays
from harness.datasets.data import Data, standardise
from harness.datasets.loading import load_data

__all__ = ["Data", "from_arrays", "load_data", "standardise"]
