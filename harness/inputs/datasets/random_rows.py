"""Random data for any network: 128 rows of standard-normal features, and targets of the kind its loss reads.

    class labels             one of the outputs, each as likely
    targets in [0, 1]        one output: 0 or 1; more: one of them 1, the others 0
    real targets             standard normal, one per output

Drawn from the first child of ``numpy.random.SeedSequence(seed)``, which the initial weights and the order
of the batches, drawn from the same seed, do not use. Features are as drawn: nothing is standardised.
"""

from __future__ import annotations

import numpy as np

from harness.inputs.datasets.data import Data
from harness.usage import UsageError
from impls.graph import Graph

ROWS = 128
FEATURES = "standard normal"


def draw(network: Graph | None, seed: int) -> Data:
    """Random rows that fit a network.

    Raises:
        UsageError: no network was given.
    """
    if network is None:
        raise UsageError(
            "Cannot draw random data, because it must fit a network and none is given; "
            'write load_data("random", network=network).'
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    x = rng.normal(size=(ROWS, network.inputs))
    labels = network.loss.labels
    if labels or getattr(network.loss, "unit_targets", False):
        count = network.outputs if labels else max(network.outputs, 2)  # one output tells two classes apart
        classes = tuple(f"class {label}" for label in range(count))
        return Data("random", x, rng.integers(0, count, ROWS), classes, FEATURES)
    return Data("random", x, rng.normal(size=(ROWS, network.outputs)), None, FEATURES)
