"""`load_data`: from a name or a path to `Data`; data sets that have a name, and random rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from harness.inputs.datasets.arrays import read_npz
from harness.inputs.datasets.csv_table import parse_csv, read_csv
from harness.inputs.datasets.data import Data, standardise
from harness.inputs.datasets.text import is_text, text_data
from harness.usage import UsageError, did_you_mean
from impls.contract import Inputs
from impls.graph import TARGET, Graph, Input

ROWS = 128
FEATURES = "standard normal"


def draw(network: Graph | None, seed: int) -> Data:
    """128 rows of standard-normal features for any network, and targets of the kind that its loss reads.

        class labels             one of the outputs, each as likely
        targets in [0, 1]        one output: 0 or 1; more: one of them 1, the others 0
        real targets             standard normal, one per output

    Drawn from the first child of ``numpy.random.SeedSequence(seed)``, which the initial weights and the order
    of the batches, drawn from the same seed, do not use. Features are as drawn: nothing is standardised.

    Raises:
        UsageError: no network was given.
    """
    if network is None:
        raise UsageError(
            "Cannot draw random data, because it must fit a network and none is given; "
            'write load_data("random", network=network).'
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    drawn = Inputs({source.name: _drawn(rng, source) for source in network.sources if not source.keep})
    x = next(iter(drawn.values())) if len(drawn) == 1 else drawn
    labels, shape = network.loss.labels, network.tensors[TARGET].sized(ROWS)
    if labels or getattr(network.loss, "unit_targets", False):
        count = network.outputs if labels else max(network.outputs, 2)  # one output tells two classes apart
        classes = tuple(f"class {label}" for label in range(count))
        return Data("random", x, rng.integers(0, count, shape if labels else ROWS), classes, FEATURES)
    return Data("random", x, rng.normal(size=shape), None, FEATURES)


def _drawn(rng: np.random.Generator, source: Input) -> Any:
    shape = (ROWS, *source.shape)
    return rng.integers(0, source.choices, shape) if source.choices else rng.normal(size=shape)


def _iris() -> Data:
    with files("harness.inputs.datasets").joinpath("iris.csv").open(encoding="utf-8") as lines:
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
"""iris ships with the package, the others with scikit-learn.

iris             150 x 4      3 species               R. A. Fisher, "The use of multiple measurements in taxonomic
                                                      problems", Annals of Eugenics 7 (1936); in the public domain
digits          1797 x 64    10 digits                UCI, optical recognition of handwritten digits
diabetes         442 x 10    progression, a number    Efron, Hastie, Johnstone, Tibshirani (2004)
wine             178 x 13     3 cultivars             UCI, wine recognition
breast_cancer    569 x 30     malignant, benign       UCI, breast cancer Wisconsin (diagnostic)
"""


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
        source: iris, digits, diabetes, wine, breast_cancer, random, text:FILE, or a path.
        raw: leave the features as they are instead of standardising them.
        target: of a CSV file with a header, the name of the target column; the last column if None.
        network: what random data must fit, and how long the windows of a text are; other data is the same for all.
        seed: of random data.

    Raises:
        UsageError: there is no such data set or file, or it cannot be read as one.
    """
    name = os.fspath(source)
    if is_text(name):
        if raw or target is not None:
            raise UsageError(f"Cannot use raw or a target with {name}, because a text has neither; leave them out.")
        return text_data(name, network)
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
            f"{did_you_mean(name, known)}; choose one of {', '.join(known)}, or give text:FILE, or a path that "
            f"ends in .csv or .npz."
        )
    return load()
