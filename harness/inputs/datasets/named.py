"""Data sets by name: iris ships with the package, the others with scikit-learn.

iris             150 x 4      3 species               Fisher (1936)
digits          1797 x 64    10 digits                UCI, optical recognition of handwritten digits
diabetes         442 x 10    progression, a number    Efron, Hastie, Johnstone, Tibshirani (2004)
wine             178 x 13     3 cultivars             UCI, wine recognition
breast_cancer    569 x 30     malignant, benign       UCI, breast cancer Wisconsin (diagnostic)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.resources import files
from typing import Any

import numpy as np

from harness.inputs.datasets.csv_table import parse_csv
from harness.inputs.datasets.data import Data
from harness.usage import UsageError


def _iris() -> Data:
    with files("harness.inputs.datasets.iris").joinpath("iris.csv").open(encoding="utf-8") as lines:
        return parse_csv("iris", lines)


def _from_scikit_learn(name: str, **options: Any) -> Data:
    try:
        from sklearn import datasets
    except ModuleNotFoundError:
        raise UsageError(
            f"Cannot load {name}, because it comes with scikit-learn, which is not installed; "
            f"pip install 'backprop-harness[data]'."
        ) from None
    bunch = getattr(datasets, f"load_{name}")(**options)
    x = np.asarray(bunch.data, np.float64)
    if "target_names" in bunch:
        return Data(name, x, bunch.target.astype(np.int64), tuple(map(str, bunch.target_names)))
    return Data(name, x, bunch.target.astype(np.float64)[:, None])


DATA_SETS: dict[str, Callable[[], Data]] = {
    "iris": _iris,
    "digits": partial(_from_scikit_learn, "digits"),
    # As measured: scikit-learn's default is scaled once already, which would make raw values no such thing.
    "diabetes": partial(_from_scikit_learn, "diabetes", scaled=False),
    "wine": partial(_from_scikit_learn, "wine"),
    "breast_cancer": partial(_from_scikit_learn, "breast_cancer"),
}
