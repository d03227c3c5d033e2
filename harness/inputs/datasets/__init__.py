"""Data: rows of numbers and their targets, from the package, scikit-learn, a CSV or NPZ file, arrays, or drawn."""

from harness.inputs.datasets.arrays import from_arrays
from harness.inputs.datasets.data import Data, standardise
from harness.inputs.datasets.loading import load_data

__all__ = ["Data", "from_arrays", "load_data", "standardise"]
