"""Wrong implementations, one fault each, made from the hand code."""

import numpy as np

from impls.contract import CannotCompareError, Pass
from impls.hand import Dense, Network, Relu, Sigmoid, SumSquaredError
from impls.hand_numpy import Hand


class Sign(Dense):
    def dW(self, dz, x):
        return -(x.T @ dz)


class Transposed(Dense):
    def dx(self, dz, W):
        return dz @ W


class MeanForSum(Dense):
    def db(self, dz):
        return dz.mean(axis=0)


class LostBias(Dense):
    def db(self, dz):
        return np.zeros_like(dz[0])


class PathOfAnotherWeight(Dense):
    """The beginners' slip: dL/dw_11 gets a second term, through the next neuron, which belongs to w_12."""

    def dW(self, dz, x):
        return x.T @ dz + np.roll(x.T @ dz, -1, axis=1)


class DroppedSample(Dense):
    def dW(self, dz, x):
        return x[:-1].T @ dz[:-1]


class DerivativeAtZ(Sigmoid):
    def dz(self, da, z):
        return da * z * (1 - z)


class OneAtZero(Relu):
    """Not a fault: another subgradient at the kink."""

    def dz(self, da, z):
        return da * (z >= 0)


class FactorTwo(SumSquaredError):
    def da(self, a, y):
        return 4 * (a - y)


def in_layer(kind, number=2):
    """Replace the number-th layer of its kind by a faulty one."""

    def build(network, dtype):
        layers, seen = list(network.layers), 0
        for position, layer in enumerate(layers):
            if isinstance(layer, kind.__mro__[1]):
                seen += 1
                if seen == number:
                    layers[position] = kind(layer.inputs, layer.outputs) if issubclass(kind, Dense) else kind()
        return Hand(Network(layers, network.loss), dtype)

    return build


def in_loss(network, dtype):
    return Hand(Network(network.layers, FactorTwo()), dtype)


class StaleWeights(Hand):
    """Differentiates at the weights of the call before."""

    seen = None

    def differentiate(self, weights, x, y, *, tap=True):
        stale, self.seen = self.seen or weights, {k: v + v.dtype.type(1e-3) for k, v in weights.items()}
        return super().differentiate(stale, x, y, tap=tap)


class OneNan(Hand):
    def differentiate(self, weights, x, y, *, tap=True):
        result = super().differentiate(weights, x, y, tap=tap)
        result.gradients["dW1"][1, 1] = np.nan
        return result


class Float32Inside(Hand):
    """Returns float64 but computes like float32."""

    def differentiate(self, weights, x, y, *, tap=True):
        narrow = Hand(self.network, "float32")
        result = narrow.differentiate(
            {n: w.astype("f4") for n, w in weights.items()}, x.astype("f4"), y.astype("f4"), tap=tap
        )

        def widen(arrays):
            return {name: a.astype(self.dtype) for name, a in arrays.items()}

        return Pass(result.loss.astype(self.dtype), widen(result.gradients), widen(result.activations))


class Accumulates(Hand):
    """Never resets its gradients: the second answer is twice the first."""

    kept = None

    def differentiate(self, weights, x, y, *, tap=True):
        result = super().differentiate(weights, x, y, tap=tap)
        self.kept = {n: g + self.kept[n] if self.kept else g for n, g in result.gradients.items()}
        return Pass(result.loss, dict(self.kept), result.activations)


class GradientsOnly(Hand):
    """A correct implementation that shows no intermediates and has no optimizer."""

    start = None

    def differentiate(self, weights, x, y, *, tap=True):
        return super().differentiate(weights, x, y, tap=False)


class Float32Only(GradientsOnly):
    """A correct implementation that has no float64."""

    def __init__(self, network, dtype):
        if dtype == "float64":
            raise CannotCompareError("Cannot run in float64, because there is none here; compare in float32.")
        super().__init__(network, dtype)


LOCATED = {
    "sign": (in_layer(Sign), "dW2"),
    "factor 2": (in_loss, "da3"),
    "transposed": (in_layer(Transposed), "da1"),
    "mean for sum": (in_layer(MeanForSum), "db2"),
    "lost bias": (in_layer(LostBias), "db2"),
    "path of another weight": (in_layer(PathOfAnotherWeight), "dW2"),
    "dropped sample": (in_layer(DroppedSample), "dW2"),
    "derivative at z": (in_layer(DerivativeAtZ), "dz2"),
    "stale weights": (StaleWeights, "z1"),
}
"""Fault, how to build it, and the first wrong link."""
