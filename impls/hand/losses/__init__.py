"""Losses: one number for the whole batch."""

from impls.hand.losses.binary import BinaryCrossEntropy, LogitBinaryCrossEntropy
from impls.hand.losses.categorical import CategoricalCrossEntropy, SparseCategoricalCrossEntropy
from impls.hand.losses.cross_entropy import OneHotCrossEntropy, SoftmaxCrossEntropy
from impls.hand.losses.penalised import Penalised, Penalty
from impls.hand.losses.scaled import Scaled
from impls.hand.losses.squared import Huber, MeanAbsoluteError, MeanSquaredError, SumSquaredError
from impls.hand.parts import Loss

__all__ = [
    "BinaryCrossEntropy", "CategoricalCrossEntropy", "Huber", "LogitBinaryCrossEntropy", "Loss", "MeanAbsoluteError",
    "MeanSquaredError", "OneHotCrossEntropy", "Penalised", "Penalty", "Scaled", "SoftmaxCrossEntropy",
    "SparseCategoricalCrossEntropy", "SumSquaredError",
]  # fmt: skip
