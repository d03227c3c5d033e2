"""Data: features, targets, and the form in which a network's loss reads the targets.

Features are standardised by column in float64 (mean 0, standard deviation 1; a constant column becomes
0), unless raw values are asked for; targets stay as they are. Rounding to the working dtype comes later
and once for all implementations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.usage import UsageError, visible
from impls.contract import Inputs
from impls.graph import TARGET, Graph
from impls.hand.notation import counted

Floats = NDArray[np.float64]

OR_RANDOM = ", or name random as the data, which fits any model"


@dataclass(frozen=True)
class Data:
    """Features x (N, M) in float64 and one target per row.

    Attributes:
        name: for people.
        x: of a network with several inputs all of them by name, each with a row per sample, whole numbers as such.
        y: class labels 0 ... C-1, one for each row or for each position in it, where `classes` is set, else real
            targets (N, K).
        classes: name of each class, or None.
        features: what the features are: raw values, standardised or standard normal.
        batch: rows of a step where nobody says how many; all of them if None.
    """

    name: str
    x: Floats | Inputs
    y: NDArray[Any]
    classes: tuple[str, ...] | None = None
    features: str = "raw values"
    batch: int | None = None

    def describe(self) -> str:
        """One phrase: name, number of rows, what the features are."""
        return visible(f"{self.name} N={len(self.y)}, {self.features}")

    def targets(self, network: Graph) -> NDArray[Any]:
        """The targets in the form that the network's loss reads.

        Classes become labels under cross-entropy; under a loss that reads real targets, one output is 1 for
        the last class and 0 for the others, and as many outputs as classes are one-hot.

        Raises:
            UsageError: the features or the targets do not fit the network.
        """
        self.inputs(network)
        outputs = network.outputs
        if network.loss.labels:
            return self._labels(outputs, network.tensors[TARGET].sized(len(self.y)))
        expected = network.tensors[TARGET].shape
        if self.classes is None and self.y.ndim > 2:
            if self.y.shape[1:] != expected[1:]:
                raise UsageError(
                    f"Cannot use targets of shape {self.y.shape} with this network, because its output has the shape "
                    f"({', '.join(map(str, expected))}); give targets of that shape."
                )
            return self.y
        if self.classes is None:
            if self.y.shape[1] != outputs:
                raise UsageError(
                    f"Cannot use {counted(outputs, 'output')} with {self.name}, because it has "
                    f"{counted(self.y.shape[1], 'target column')}; make the last layer {self.y.shape[1]} wide"
                    f"{OR_RANDOM}."
                )
            return self.y
        count = len(self.classes)
        labels = self._labels(count, self.y.shape)
        if outputs == 1:
            return (labels == count - 1).astype(np.float64)[:, None]
        if outputs == count:
            one_hot = np.zeros((len(labels), count))
            one_hot[np.arange(len(labels)), labels] = 1
            return one_hot
        raise UsageError(
            f"Cannot use {outputs} outputs with {self.name}, because it has {counted(count, 'class', 'es')}; make "
            f"the last layer {count} wide (one output per class) or 1 wide (the last class against the rest)"
            f"{OR_RANDOM}."
        )

    def inputs(self, network: Graph) -> Inputs:
        """What the network is fed, by the names of its inputs.

        Raises:
            UsageError: the data holds other inputs, or another number of features.
        """
        names, features = [source.name for source in network.sources], network.features
        if not isinstance(self.x, Inputs) or set(self.x) != set(names):
            names = [name for name in names if name not in network.masks]  # which are drawn
        if isinstance(self.x, Inputs):
            if set(self.x) != set(names):
                raise UsageError(
                    f"Cannot use {self.name}, because it holds {', '.join(self.x) or 'nothing'} and the network reads "
                    f"{', '.join(names)}; give just these inputs."
                )
            return Inputs({name: self.x[name] for name in names})
        if len(names) > 1:
            raise UsageError(
                f"Cannot use {self.name}, because it holds one array and the network reads {', '.join(names)}; give a "
                f"dictionary of them{OR_RANDOM}."
            )
        only = network.sources[0]
        if only.choices and self.x.shape[1:] != only.shape:
            raise UsageError(
                f"Cannot use {self.name} with this network, because it reads {only.name} of shape "
                f"({', '.join(map(str, only.rows))}), whole numbers below {only.choices}; give text:FILE, or such "
                f"numbers{OR_RANDOM}."
            )
        if features is not None and self.x.ndim == 2 and self.x.shape[1] != features:
            raise UsageError(
                f"Cannot use {counted(features, 'input')} with {self.name}, because it has "
                f"{counted(self.x.shape[1], 'feature')}; begin the model with {self.x.shape[1]}{OR_RANDOM}."
            )
        return Inputs({names[0]: self.x})

    def _labels(self, outputs: int, shape: tuple[int, ...]) -> NDArray[Any]:
        labels = self.y if self.classes or self.y.shape == shape else self.y[:, 0]
        outside = np.argwhere((labels != np.rint(labels)) | (labels < 0) | (labels >= outputs))
        if not outside.size and (self.classes or self.y.shape in (shape, (*shape, 1))):
            return labels.astype(np.int64)
        if self.classes:
            count = len(self.classes)
            wrong, instead = f"it has {counted(count, 'class', 'es')}", f"make the last layer {count} wide"
        elif len(shape) > 1 and self.y.shape != shape:
            wrong = f"it has targets of shape {self.y.shape}"
            instead = f"cross-entropy needs whole numbers from 0 to {outputs - 1}, of shape {shape}"
        elif len(shape) == 1 and self.y.shape[1] != 1:
            wrong = f"it has {self.y.shape[1]} target columns"
            instead = "cross-entropy needs one column of class labels"
        else:
            at = " at position ".join(str(place + 1) for place in outside[0])
            wrong = f"the target of sample {at} is {labels[tuple(outside[0])]:.17g}"
            instead = f"cross-entropy needs whole numbers from 0 to {outputs - 1}"
        raise UsageError(
            f"Cannot read the targets of {self.name} as class labels of {counted(outputs, 'output')}, because "
            f"{wrong}; {instead}."
        )

    def meaning(self, network: Graph) -> str | None:
        """What target 1 stands for, where one output tells one class from the rest."""
        if self.classes and network.outputs == 1 and not network.loss.labels:
            return visible(f"target 1 for {self.classes[-1]}")
        return None


def standardise(data: Data) -> Data:
    """Each column of x with mean 0 and standard deviation 1; a constant column becomes 0.

    Raises:
        UsageError: the values are so large that their mean or deviation overflows.
    """
    assert not isinstance(data.x, Inputs)  # no file holds several
    with np.errstate(over="ignore", invalid="ignore"):
        # The rounded mean of equal numbers may be another number, and their deviation not 0.
        deviation = np.where(np.ptp(data.x, axis=0) > 0, data.x.std(axis=0), 0.0)
        x = np.where(deviation > 0, data.x - data.x.mean(axis=0), 0.0) / np.where(deviation > 0, deviation, 1.0)
    if not (np.all(np.isfinite(deviation)) and np.all(np.isfinite(x))):  # x / inf would be a finite 0
        raise UsageError(
            f"Cannot standardise {data.name}, because its values are so large that their mean or deviation "
            f"overflows; scale them first or use raw values."
        )
    return replace(data, x=x, features="standardised")
