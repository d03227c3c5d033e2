"""Mistakes in the forward pass, for whoever shows it, or shows gradients that only a wrong one explains.

z = x W + b     b left out, subtracted or added twice; the weights of another layer; W not transposed
a = f(z)        f left out, applied twice, another activation
L               a factor, sum for mean and mean for sum, another loss
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.faults.fault import Fault
from harness.faults.guards import EPSILONS
from harness.faults.losses import other_losses
from harness.faults.penalties import unsaid_penalties
from harness.faults.place import Place, RuleTable
from harness.faults.targets import MEANS_OF_LOGITS, targets, what_rows_are
from impls.graph import LOSS, TARGET, Rule
from impls.hand import Dense
from impls.hand.activations import Activation
from impls.hand.activations.softmax import log_softmax, softmax
from impls.hand.losses.classes import rows_in
from impls.hand.losses.scaled import around, bare
from impls.hand.notation import ACTIVATIONS, name_of


def forward_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at forward links."""
    if place.forward:
        yield from _of_loss(place) if place.at == LOSS else place.faults_of(_FAULTS)


def _of_dense(place: Place) -> Iterator[Fault]:
    right, names, shapes = place.link, place.names, place.network.weights
    x, W = names["x"], names["W"]
    plus = f" + {names['b']}" if place.layer.bias else ""
    yield from bias_faults(place, f"{x} · {W}")
    for other, shape in shapes.items():
        if other != W and shape == shapes[W]:
            text = f"{other} is used, which belongs to another layer, in place of {W}"
            rule = lambda t, other=other: right({**t, W: t[other]})  # noqa: E731
            yield place.fault("weights of another layer forward", text, f"{x} · {other}{plus}", rule)
    if shapes[W][0] == shapes[W][1] > 1:
        text = f"{W} is transposed, where entry [i, j] belongs to the weight from neuron i to neuron j"
        yield place.fault("not transposed forward", text, f"{x} · {W}ᵀ{plus}", lambda t: right({**t, W: t[W].T}))


def bias_faults(place: Place, product: str) -> Iterator[Fault]:
    """Mistakes with the bias that is added to a product."""
    if not place.layer.bias:
        return
    right, b = place.link, place.names["b"]
    text = f"the bias {b} is left out of {place.at}"
    yield place.fault("bias missing", text, product, lambda t: right({**t, b: 0 * t[b]}))
    yield place.fault(
        "bias subtracted", f"the bias {b} is subtracted", f"{product} − {b}", lambda t: right({**t, b: -t[b]})
    )
    twice = lambda t: right({**t, b: 2 * t[b]})  # noqa: E731
    yield place.fault("bias added twice", f"the bias {b} is added twice", f"{product} + 2·{b}", twice)


def _of_activation(place: Place) -> Iterator[Fault]:
    z, layer = place.names["z"], place.layer
    for kind in ACTIVATIONS.values():
        other = kind()
        if type(other) is type(layer):
            continue
        label = name_of(other)
        rule = lambda t, other=other: other.forward(t[z])  # noqa: E731
        if label == "identity":
            yield place.fault("activation missing", f"the {place.label} is left out: {place.at} is {z}", z, rule)
        else:
            text = f"{label} is applied, where the network has {place.label}"
            yield place.fault("another activation", text, f"{label}({z})", rule)
    if not layer.elementwise:
        axis = len(place.tensor.shape) - 1
        text = f"the softmax of {z} is taken over the samples (axis 0), where it belongs over the neurons (axis {axis})"
        yield place.fault("softmax over the samples", text, f"softmax({z}ᵀ)ᵀ", lambda t: softmax(t[z].T).T)
    if place.label != "identity":
        text, formula = f"the {place.label} is applied twice", f"{place.label}({place.label}({z}))"
        yield place.fault("activation applied twice", text, formula, lambda t: layer.forward(layer.forward(t[z])))


def _of_loss(place: Place) -> Iterator[Fault]:
    right, a, K, inner = place.link, place.network.output, place.network.outputs, bare(place.layer)
    factors: dict[str, Any] = {
        "half": lambda t: 0.5,  # noqa: ARG005
        "twice": lambda t: 2.0,  # noqa: ARG005
        f"the number of {what_rows_are(place)} times": lambda t: rows_in(t[a]),
    }
    if K > 1:
        factors["the number of samples and outputs times"] = lambda t: t[a].size
    for what, number in factors.items():
        text = f"the loss is {what} what it should be"
        times = lambda t, n=number: n(t) * right(t)  # noqa: E731
        yield place.fault("loss scaled", text, f"{what} L", times)
        if what not in ("half", "twice"):
            text = f"the loss should be {what} what it is"
            over = lambda t, n=number: right(t) / n(t)  # noqa: E731
            yield place.fault("loss scaled", text, f"L / {what}", over)
    y = targets(inner, a)
    if type(inner) in MEANS_OF_LOGITS:
        text = f"the log-softmax of {a} is taken over the samples (axis 0), where it belongs over the classes (axis 1)"
        across = lambda t: -(log_softmax(t[a].T).T * y(t)).sum() / rows_in(t[a])  # noqa: E731
        formula = f"mean over samples of −log softmax({a}ᵀ)ᵀ[y]"
        yield place.fault("softmax over the samples", text, formula, _with_penalty(place, across))
    yield from _of_logarithm(place, inner)
    for other in other_losses(place, inner):
        text = f"the loss is the {name_of(other)}, where the network has the {name_of(inner)}"
        rule = lambda t, other=other: other.forward(t[a], y(t))  # noqa: E731
        yield place.fault("another loss", text, str(other.formula(a, K)), _with_penalty(place, rule))
    yield from unsaid_penalties(place)
    yield from _of_penalty(place)


def _of_penalty(place: Place) -> Iterator[Fault]:
    """The penalty that the network's loss has, left out of it or with another factor."""
    loss, right, a = place.layer, place.link, place.network.output
    if not loss.penalised(place.network.weights):
        return
    rest, formula = loss.loss, loss.loss.formula(a, place.network.outputs)

    def without(t: Mapping[str, Any]) -> Any:
        return rest.forward(t[a], t[TARGET])

    text = "the penalty is left out of the loss"
    yield place.fault("penalty missing", text, formula, without)
    factors: dict[str, tuple[str, Any]] = {
        "half": ("half", lambda t: 0.5),  # noqa: ARG005
        "doubled": ("twice", lambda t: 2.0),  # noqa: ARG005
    }
    factors |= {"times N": ("N times", lambda t: len(t[TARGET]))} if loss.mean else {
        "divided by N": ("1/N of", lambda t: 1 / len(t[TARGET]))
    }  # fmt: skip
    for cause, (what, number) in factors.items():
        text = f"the penalty in the loss is {what} what it should be"
        rule = lambda t, n=number: without(t) + n(t) * (right(t) - without(t))  # noqa: E731
        yield place.fault(cause, text, f"{formula}, plus {what} the penalty", rule)


def _of_logarithm(place: Place, inner: Any) -> Iterator[Fault]:
    """Guards that keep the logarithm of a cross-entropy from that of 0, where the network has another or none."""
    a, K = place.network.output, place.network.outputs

    def with_guard(guard: Mapping[str, float]) -> tuple[str, Rule]:
        other = around(place.layer, type(inner)(**guard))
        penalised = other.penalised(place.network.weights)
        return str(other.formula(a, K)), lambda t: other.forward(t[a], t[TARGET], *[t[w] for w in penalised])

    if not hasattr(inner, "guard"):
        return
    for name, size in inner.guard.items():
        text = f"the {name} {size:g} of the loss is left out"
        yield place.fault("another clamp", text, *with_guard({}))
    p = a if inner.on_probabilities else f"the {inner.applies} of {a}"
    for eps in EPSILONS if not inner.guard else ():
        text = f"{p} is clipped to [{eps:g}, 1 − {eps:g}] in the loss"
        yield place.fault("output clipped", text, *with_guard({"clip": eps}))
        text = f"{eps:g} is added inside the logarithm"
        yield place.fault("epsilon inside the logarithm", text, *with_guard({"epsilon": eps}))


def _with_penalty(place: Place, rule: Rule) -> Rule:
    """A loss and the penalty that the network's loss has."""
    loss, network = place.layer, place.network
    penalised = loss.penalised(network.weights)
    if not penalised:
        return rule
    return lambda t: rule(t) + sum(loss.penalty.forward(t[w], t[TARGET]) for w in penalised)


_FAULTS: RuleTable = {Dense: {"z": _of_dense}, Activation: {"a": _of_activation}}
