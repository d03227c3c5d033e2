"""Targets: what an output is compared with, and what its rows stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.faults.place import Place
from impls.graph import TARGET
from impls.hand import OneHotCrossEntropy, SoftmaxCrossEntropy


def targets(inner: Any, a: str) -> Any:
    """The rule that gives the targets in the shape of the output `a`: labels as rows of 0 and 1."""

    def one_hot(t: Mapping[str, Any]) -> Any:
        chosen = np.arange(t[a].shape[-1]) == t[TARGET][..., None]
        return chosen.astype(float) + 0 * t[a]  # of the number type of the output

    return one_hot if inner.labels else lambda t: t[TARGET]


def rows_of_classes(place: Place) -> bool:
    """Whether the output has a row of several classes for each sample."""
    return len(place.network.tensors[place.network.output].shape) >= 2 and place.network.outputs > 1


def what_rows_are(place: Place) -> str:
    """What the rows of the output stand for."""
    return "samples" if len(place.network.tensors[place.network.output].shape) < 3 else "samples and positions"


MEANS_OF_LOGITS = (SoftmaxCrossEntropy, OneHotCrossEntropy)
