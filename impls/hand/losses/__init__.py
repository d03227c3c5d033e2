"""Losses: one number for the whole batch."""

from impls.hand.losses.binary import BinaryCrossEntropy, LogitBinaryCrossEntropy
from impls.hand.losses.categorical import CategoricalCrossEntropy, SparseCategoricalCrossEntropy
from impls.hand.losses.cosine import CosineDistance
from impls.hand.losses.cross_entropy import OneHotCrossEntropy, SoftmaxCrossEntropy
from impls.hand.losses.divergence import KullbackLeibler
from impls.hand.losses.hinge import Hinge
from impls.hand.losses.penalised import Penalised, Penalty
from impls.hand.losses.scaled import Scaled
from impls.hand.losses.squared import Huber, MeanAbsoluteError, MeanSquaredError, SumSquaredError
from impls.hand.losses.weighted import WeightedCrossEntropy
from impls.hand.parts import Loss

__all__ = [
    "BinaryCrossEntropy", "CategoricalCrossEntropy", "CosineDistance", "Hinge", "Huber", "KullbackLeibler",
    "LogitBinaryCrossEntropy", "Loss", "MeanAbsoluteError", "MeanSquaredError", "OneHotCrossEntropy", "Penalised",
    "Penalty", "Scaled", "SoftmaxCrossEntropy", "SparseCategoricalCrossEntropy", "SumSquaredError",
    "WeightedCrossEntropy",
]  # fmt: skip
