"""The hand code's mutants, and the activations and losses that they are planted in."""

from functools import cache

from harness.mutation.mutants import mutants_of
from harness.mutation.targets import hand_rules
from impls.hand import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    Elu,
    Gelu,
    GeluTanh,
    HardSigmoid,
    Hinge,
    Huber,
    Identity,
    KullbackLeibler,
    LeakyRelu,
    LogitBinaryCrossEntropy,
    MeanAbsoluteError,
    MeanSquaredError,
    OneHotCrossEntropy,
    Penalised,
    Relu,
    Scaled,
    Sigmoid,
    Silu,
    Softmax,
    SoftmaxCrossEntropy,
    Softplus,
    SparseCategoricalCrossEntropy,
    SumSquaredError,
    Tanh,
    WeightedCrossEntropy,
)  # fmt: skip

ACTIVATIONS = [
    Elu(0.5), Elu(), Gelu(), GeluTanh(), HardSigmoid(), Identity(), LeakyRelu(), Relu(), Sigmoid(), Silu(), Softmax(),
    Softplus(), Softplus(1.0), Tanh(),
]  # fmt: skip
LOSSES = [
    BinaryCrossEntropy(), BinaryCrossEntropy(clamp="torch"), Huber(0.7), LogitBinaryCrossEntropy(),
    MeanAbsoluteError(), MeanSquaredError(), OneHotCrossEntropy(), SoftmaxCrossEntropy(), SumSquaredError(),
    Scaled(MeanSquaredError(), 3.0), BinaryCrossEntropy(epsilon=0.25), CategoricalCrossEntropy(),
    BinaryCrossEntropy(clip=0.3), CategoricalCrossEntropy(clip=0.3), SoftmaxCrossEntropy(0.25),
    OneHotCrossEntropy(0.25), LogitBinaryCrossEntropy(0.25), SparseCategoricalCrossEntropy(clip=0.3),
    SparseCategoricalCrossEntropy(0.25), Penalised(MeanSquaredError(), 0.3, 0.2, mean=True),
    WeightedCrossEntropy(), WeightedCrossEntropy(1, 0.25), KullbackLeibler(), Hinge(),
    Penalised(SumSquaredError(), 0.3), Penalised(SumSquaredError(), l1=0.2, biases=True),
]  # fmt: skip
AT_A_TIE = {
    ("HardSigmoid.dz", "return da * (shifted >= 0) * (shifted < 6) / 6"): (HardSigmoid(), -3.0, "ok"),
    ("HardSigmoid.dz", "return da * (shifted > 0) * (shifted <= 6) / 6"): (HardSigmoid(), 3.0, "ok"),
    ("LeakyRelu.dz", "return np.where(z >= 0, da, self.slope * da)"): (LeakyRelu(), 0.0, "convention"),
    ("Relu.dz", "return da * (z >= 0)"): (Relu(), 0.0, "convention"),
    ("elu_vjp", "return np.where(z >= 0, da, da * (alpha * np.exp(np.minimum(z, 0))))"): (Elu(0.5), 0.0, "convention"),
    ("softplus_vjp", "return dz if threshold is None else np.where(z >= threshold, da, dz)"): (
        Softplus(1.0), 1.0, "FAULT",
    ),
}  # fmt: skip
"""Mutants that differ exactly on a kink only: the layer, the kink, and what the rounding check says there."""


@cache
def all_mutants():
    return [(rule, mutant) for rule in hand_rules().values() for mutant in mutants_of(rule)]


def key(rule, mutant):
    return rule.__qualname__, mutant.after
