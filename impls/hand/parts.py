"""Parts of a network: what activations, losses, layers and optimizers share.

A class lists its parameters in its constructor and keeps each under its own name; that is all that its
text form needs, in Python (``LeakyRelu(slope=0.1)``), on the command line and in a file.

An activation or loss whose derivative jumps at an argument of its own, so that frameworks may differ there,
says where: ``one_sided``, reading what its backward rule reads, gives the entries that are on the kink, and the
two gradients there that the limits from either side would give. Anything between the two is a valid
subgradient (Clarke, "Optimization and Nonsmooth Analysis" (1983), section 2.1).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from inspect import signature
from typing import Any

from impls.graph.primitive import Array


class Parametrised:
    """Something with parameters, printed as the call that makes it."""

    def parameters(self) -> dict[str, Any]:
        """Every parameter by name; one that is off (0, False or None, and so by default) is left out."""
        kind: Any = type(self)
        defaults = _defaults(kind)
        given = {name: getattr(self, name) for name in defaults}
        return {name: value for name, value in given.items() if value or value != defaults[name]}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in self.parameters().items())})"


@cache  # a network of a hundred layers asks tens of thousands of times
def _defaults(kind: Any) -> Mapping[str, Any]:
    """The parameters of a class, each with its usual value."""
    return {name: parameter.default for name, parameter in signature(kind).parameters.items()}


def number(name: str, value: float, *, above: float = -math.inf, least: float = -math.inf, why: str) -> float:
    """The value as a float, or a ValueError unless it is finite, above `above` and at least `least`."""
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if real and abs(value) <= sys.float_info.max and value > above and value >= least:
        return float(value)
    bounds = f" above {above:g}" if above > -math.inf else f" from {least:g} on" if least > -math.inf else ""
    raise ValueError(f"Cannot use {name}={value!r}, because {why}; give a finite number{bounds}.")


def count(name: str, value: int, *, doing: str = "use", why: str = "it is a count") -> int:
    """A whole number from 1 on, or a ValueError that says what cannot be done with the value."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ValueError(f"Cannot {doing} {name}={value!r}, because {why}; give a whole number from 1 on.")


def positive(name: str, value: float, why: str = "only a positive number makes sense there") -> float:
    """A finite number above 0."""
    return number(name, value, above=0, why=why)


def fraction(name: str, value: float) -> float:
    """A number from 0 to below 1."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1:
        return float(value)
    raise ValueError(
        f"Cannot use {name}={value!r}, because it is the share of the past that is kept; "
        f"give a number from 0 to below 1, such as 0.9."
    )


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if isinstance(value, bool):
        return value
    raise ValueError(f"Cannot use {name}={value!r}, because it is a choice of two; give True or False.")


def choice(name: str, value: Any, choices: Sequence[Any]) -> Any:
    """One of the choices."""
    if value in choices:
        return value
    raise ValueError(
        f"Cannot use {name}={value!r}, because there is no such form; choose one of {', '.join(map(repr, choices))}."
    )


class Activation(Parametrised):
    """A layer without weights that reads z and gives a.

    Shapes: z, a, da, dz all (N, K). None of them sums, averages or scales anything over rows. Where a neuron's
    output depends on its own input only (all but softmax), the Jacobian is diagonal and the vector-Jacobian
    product is one multiplication per entry.
    """

    reads, gives = "z", "a"
    weights: dict[str, tuple[int, ...]] = {}  # noqa: RUF012  (shared because empty)
    elementwise = True
    """Whether each output depends on its own input only."""
    derivative = ""
    """f'(z) as text, of the output {a}, the input {z} and parameters by name. Where outputs are coupled, da/dz of two
    neurons: of their outputs {a} and {b}, {same} being 1 for one and the same neuron, else 0."""
    elementary: tuple[str, ...] = ()
    """Elementary functions of z that it is made of, by their names in the constants table."""
    usual_inputs = "z=N,K"
    """What its forward rule reads, as ``--inputs`` says it, where it is checked by itself and the user does not say."""

    def one_sided(self, *read: Array) -> tuple[Array, Array, Array] | None:  # noqa: ARG002
        """Where ``dz`` jumps, and the gradients there from either side; None for an activation without a kink."""
        return None


class Loss(Parametrised):
    """One number L for the whole batch, of the last activation a (N, K) and real targets y of the same shape."""

    reads = "a"
    """The local name of what it reads, as layers have it."""
    labels = False
    """Whether the targets are class labels, whole numbers, one per row."""
    output_activation: str | None = None
    """The activation that the last layer should have, if the loss needs a certain one."""
    unit_targets = False
    """Whether each target must be a probability, from 0 to 1."""
    derivative = ""
    """dL/da as text, of the output {a}, its target {y}, parameters by name, and what a loss needs of these: its softmax
    {p}, the sum {total} of its row's targets, the number of {rows} N and of {entries} N K."""
    applies = ""
    """The activation that it applies itself to what it reads, by name."""
    by = 1.0
    """The constant that scales it."""
    penalty: Any = None
    """What it adds for each of the weights that `penalised` names."""

    @property
    def on_probabilities(self) -> bool:
        """Whether it reads numbers from 0 to 1, which an activation has made of logits."""
        return self.output_activation in ("sigmoid", "softmax")

    @property
    def unpenalised(self) -> Any:
        """The loss without what its penalty adds."""
        return self

    def times(self, inner: Array, a: Array) -> Array:  # noqa: ARG002
        """What is multiplied by all that scales it, of an output a."""
        return inner

    def terms(self, a: Array) -> int:
        """Of how many numbers the loss of an output a is the mean, at most."""
        return int(a.size)

    def magnified(self, a: Array) -> Array:  # noqa: ARG002
        """By how much the gradient multiplies, at most, what it has multiplied with all that scales the loss first."""
        return 1.0

    def penalised(self, weights: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:  # noqa: ARG002
        """Names of the weights that ``forward`` reads after a and y, from the shapes of all: those with a penalty."""
        return ()

    @property
    def usual_inputs(self) -> str:
        """What its forward rule reads, as `Activation.usual_inputs` says it."""
        a = "a=N,K probabilities" if self.on_probabilities else "a=N,K"
        y = "y=N below K" if self.labels else "y=N,K probabilities" if self.unit_targets else "y=N,K"
        return f"{a}; {y}"

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
