"""Binary cross-entropy: each output is the probability of a yes, or its logit, by itself.

    on logits          L = mean_nj (max(a, 0) - a y + log(1 + exp(-|a|)))     da = (s(a) - y) / (N K)
    on probabilities   L = -mean_nj (y log a + (1 - y) log(1 - a))            da = ((1 - y)/(1 - a) - y/a) / (N K)

with s the sigmoid. Shapes: a, y and da (N, K), y from 0 to 1. The two are one function: a logit's loss is the
loss of its sigmoid, -y log s(a) - (1 - y) log(1 - s(a)), rearranged so that nothing overflows or cancels.

PyTorch's F.binary_cross_entropy is a third function: it clamps both logarithms from below at -100, and its
backward pass is no derivative of that, but

    clamp = "torch"    da = (a - y) / max(a (1 - a), 1e-12) / (N K)     1e-12 as a float32, in float64 too

With a guard (`guards.py`) epsilon, a + epsilon stands for a and 1 - a + epsilon for 1 - a; with clip, the clipped a.

Source: Bishop, "Pattern Recognition and Machine Learning" (2006), equations (4.90), (4.91); for the clamp,
PyTorch's documentation of torch.nn.BCELoss, and its kernel binary_cross_entropy_backward for the 1e-12, which is
a `constexpr float` (ATen/native/Loss.cpp).
"""

from __future__ import annotations

import numpy as np

from impls.graph.primitive import Array, primitive
from impls.hand.activations.sigmoidal import sigmoid
from impls.hand.losses.guards import Guarded, GuardedOnLogits
from impls.hand.parts import choice, over

LEAST_LOGARITHM = -100.0
LEAST_VARIANCE = float(np.float32(1e-12))


@primitive
def logit_cross_entropy(a: Array, y: Array) -> Array:
    return np.maximum(a, 0) - a * y + np.log1p(np.exp(-np.absolute(a)))


@primitive
def logit_cross_entropy_vjp(a: Array, y: Array) -> Array:
    return sigmoid(a) - y


class BinaryCrossEntropy(Guarded):
    derivative = "((1 − {y})/(1 − {a}) − {y}/{a})/{entries}"
    output_activation = "sigmoid"
    unit_targets = True

    def __init__(self, clamp: str | None = None, epsilon: float = 0.0, clip: float = 0.0) -> None:
        super().__init__(epsilon, clip)
        self.clamp = choice("clamp", clamp, (None, "torch"))
        if clamp and self.guard:
            (name, size), *_ = self.guard.items()
            raise ValueError(
                f"Cannot use {name}={size!r} with clamp={clamp!r}, because either keeps the logarithm from 0; "
                f"leave one out."
            )
        if clamp:
            self.derivative = "({a} − {y})/max({a}(1 − {a}), 1e-12)/{entries}"
        if epsilon:
            self.derivative = "((1 − {y})/(1 − {a} + {epsilon:g}) − {y}/({a} + {epsilon:g}))/{entries}"
        if clip:
            self.derivative += " where {clip:g} < {a} < 1 − {clip:g}, else 0"

    def forward(self, a: Array, y: Array) -> Array:
        if self.guard:
            yes, no = np.log(self.guarded(a)), np.log(self._of_no(a))
        else:
            yes, no = np.log(a), np.log1p(-a)
        if self.clamp:
            yes, no = np.maximum(yes, LEAST_LOGARITHM), np.maximum(no, LEAST_LOGARITHM)
        return -(y * yes + (1 - y) * no).sum() / a.size

    @primitive
    def da(self, a: Array, y: Array) -> Array:
        if self.clamp:
            return (a - y) / np.maximum(a * (1 - a), LEAST_VARIANCE) / a.size
        return self.passed(((1 - y) / self._of_no(a) - y / self.guarded(a)) / a.size, a)

    def magnified(self, a: Array) -> Array:
        if self.clamp:
            return 1 / np.maximum(a * (1 - a), LEAST_VARIANCE)
        return 1 / np.minimum(self.guarded(a), self._of_no(a))

    def _of_no(self, a: Array) -> Array:
        """What stands for 1 - a."""
        return 1 - a + self.epsilon if self.epsilon else 1 - self.guarded(a)

    def formula(self, output: str, outputs: int) -> str:
        clamped = f", logarithms not below {LEAST_LOGARITHM:g}" if self.clamp else ""
        no = f"(1 - {output} + {self.epsilon:g})" if self.epsilon else f"(1 - {self.guarded_text(output)})"
        return f"L = mean over {over(outputs)} of -y log {self.guarded_text(output)} - (1 - y) log{no}{clamped}"


class LogitBinaryCrossEntropy(GuardedOnLogits):
    derivative = "(s({a}) − {y})/{entries}"
    output_activation, applies = "identity", "sigmoid"
    unit_targets = True
    written_out = BinaryCrossEntropy

    def forward(self, a: Array, y: Array) -> Array:
        if self.on_p:
            return self.on_p.forward(sigmoid(a), y)
        return logit_cross_entropy(a, y).sum() / a.size

    def da(self, a: Array, y: Array) -> Array:
        if self.on_p:
            p = sigmoid(a)
            return self.on_p.da(p, y) * (p * (1 - p))
        return logit_cross_entropy_vjp(a, y) / a.size

    def formula(self, output: str, outputs: int) -> str:
        if self.on_p:
            return f"{self.on_p.formula('s', outputs)}, s the sigmoid of {output}"
        return f"L = mean over {over(outputs)} of -y log s({output}) - (1 - y) log(1 - s({output})), s sigmoid"
