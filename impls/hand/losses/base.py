"""What the losses share: one number L for the whole batch, and its gradient with respect to the last activation.

A loss reads the last activation a (N, K) and the targets y. Attributes say what it needs:

    reads               the local name of what it reads, as layers have it
    labels              whether the targets are class labels, whole numbers, one per row
    output_activation   the activation that the last layer should have, if the loss needs a certain one
    unit_targets        whether each target must be a probability, from 0 to 1
"""

from __future__ import annotations

from impls.graph.primitive import Array
from impls.hand.parameters import Parametrised


class Loss(Parametrised):
    """A loss with real targets of the shape of the output."""

    reads = "a"
    labels = False
    output_activation: str | None = None
    unit_targets = False
    derivative = ""
    """dL/da as text, of the output {a}, its target {y}, parameters by name, and what a loss needs of these: its softmax
    {p}, the sum {total} of its row's targets, the number of {rows} N and of {entries} N K."""

    def one_sided(self, a: Array, y: Array) -> tuple[Array, Array, Array] | None:  # noqa: ARG002
        """Where ``da`` jumps, and the gradients there from either side; None for a loss without a kink."""
        return None

    def check_targets(self, shape: tuple[int, ...], y: Array) -> None:
        """Raise ValueError unless y has exactly the shape of the output, so that nothing broadcasts."""
        if y.shape != shape:
            raise ValueError(
                f"Cannot compare targets of shape {y.shape} with an output of shape {shape}, because "
                f"this loss pairs them entry by entry; give targets of shape {shape}."
            )
        if self.unit_targets and y.size and not (y.min() >= 0 and y.max() <= 1):
            raise ValueError(
                f"Cannot use targets from {y.min():g} to {y.max():g} with {self!r}, because it reads them as "
                f"probabilities; give numbers from 0 to 1."
            )


def over(outputs: int) -> str:
    """What a sum or mean over all entries runs over, in words."""
    return "samples" if outputs == 1 else "samples and outputs"
