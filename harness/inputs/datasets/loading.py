"""`load_data`: from a name or a path to `Data`."""

from __future__ import annotations

import os
from pathlib import Path

from harness.inputs.datasets.arrays import read_npz
from harness.inputs.datasets.csv_table import read_csv
from harness.inputs.datasets.data import Data, standardise
from harness.inputs.datasets.named import DATA_SETS
from harness.inputs.datasets.random_rows import draw
from harness.usage import UsageError, did_you_mean
from impls.graph import Graph

RANDOM = "random"


def load_data(
    source: str | os.PathLike[str],
    *,
    raw: bool = False,
    target: str | None = None,
    network: Graph | None = None,
    seed: int = 0,
) -> Data:
    """The data set called `source`, or read from the .csv or .npz file of that path.

    Args:
        source: iris, digits, diabetes, wine, breast_cancer, random, or a path.
        raw: leave the features as they are instead of standardising them.
        target: of a CSV file with a header, the name of the target column; the last column if None.
        network: what random data must fit; other data is the same for every network.
        seed: of random data.

    Raises:
        UsageError: there is no such data set or file, or it cannot be read as one.
    """
    name = os.fspath(source)
    suffix = Path(name).suffix.lower()
    if suffix == ".csv":
        data = read_csv(name, target)
    elif target is not None:
        raise UsageError(
            f"Cannot choose the target column {target!r} in {name}, because only a CSV file with a header names "
            f"its columns; leave the target out or give a .csv file."
        )
    elif suffix == ".npz":
        data = read_npz(name)
    elif name == RANDOM:
        return draw(network, seed)
    else:
        data = _named(name)
    return data if raw else standardise(data)


def _named(name: str) -> Data:
    load = DATA_SETS.get(name.replace("-", "_"))
    if load is None:
        known = [*DATA_SETS, RANDOM]
        raise UsageError(
            f"Cannot use the data set {name[:80]!r}, because there is none of that name"
            f"{did_you_mean(name, known)}; choose one of {', '.join(known)}, or give a path that ends in .csv or .npz."
        )
    return load()
