"""What the activations share.

Shapes: z, a, da, dz all (N, K). None of them sums, averages or scales anything over rows. Where a neuron's
output depends on its own input only (all but softmax), the Jacobian is diagonal and the vector-Jacobian
product is one multiplication per entry.

An activation or loss whose derivative jumps at an argument of its own, so that frameworks may differ there,
says where: ``one_sided``, reading what its backward rule reads, gives the entries that are on the kink, and the
two gradients there that the limits from either side would give. Anything between the two is a valid
subgradient (Clarke, "Optimization and Nonsmooth Analysis" (1983), section 2.1).
"""

from __future__ import annotations

from impls.graph.primitive import Array
from impls.hand.parameters import Parametrised


class Activation(Parametrised):
    """A layer without weights that reads z and gives a."""

    reads, gives = "z", "a"
    weights: dict[str, tuple[int, ...]] = {}  # noqa: RUF012  (shared because empty)
    elementwise = True
    """Whether each output depends on its own input only."""
    derivative = ""
    """f'(z) as text, of the output {a}, the input {z} and parameters by name. Where outputs are coupled, da/dz of two
    neurons: of their outputs {a} and {b}, {same} being 1 for one and the same neuron, else 0."""
    elementary: tuple[str, ...] = ()
    """Elementary functions of z that it is made of, by their names in the constants table."""

    def one_sided(self, *read: Array) -> tuple[Array, Array, Array] | None:  # noqa: ARG002
        """Where ``dz`` jumps, and the gradients there from either side; None for an activation without a kink."""
        return None
