"""Mistakes in the derivative of an activation, dz = da · f'(z).

    missing          da                     at z             da · z(1 − z)      where f' is written with a
    alone            f'(z)                  at a             da · f'(a)         where f' is written with z
    twice            da · f'(z) · f'(z)     function twice   da · f'(f(z))      where f' is written with a
    of another       da · g'(z)             other layer      da · f'(z of another layer)
    function         da · f(z)

f' stands for the whole vector-Jacobian product where outputs are coupled (softmax).
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature
from typing import Any

from harness.faults.fault import Fault
from harness.faults.formulas import vjp_text
from harness.faults.place import Place, is_activation
from impls.hand import Gelu, GeluTanh, LeakyRelu, Relu
from impls.hand.notation import ACTIVATIONS, name_of

_SIGNS_KEPT = (Relu, LeakyRelu)


def derivative_faults(place: Place) -> Iterator[Fault]:
    """Mistakes that the derivative of any activation can have."""
    if not (place.of_read and is_activation(place.layer)):
        return
    right, names, layer, label = place.link, place.names, place.layer, place.label
    da, z, a = names["da"], names["z"], names["a"]
    if da in right.inputs and len(right.inputs) == 1:  # the identity has nothing to get wrong
        yield from _of_others(place)
        return
    written = a if a in right.inputs else z

    def applied(da: str = da, z: str = z, a: str = a) -> str:
        return vjp_text(layer, da=da, z=z, a=a)

    text = f"the {label}'s derivative is missing"
    yield place.fault("derivative missing", text, da, lambda t: +t[da])
    text = f"only the {label}'s derivative is taken; the upstream gradient {da} is missing"
    yield place.fault("upstream missing", text, applied(da="1"), lambda t: right({**t, da: 0 * t[da] + 1}))
    text = f"the {label}'s derivative is applied twice"
    formula = applied(da=applied() if layer.elementwise else place.at)
    yield place.fault("derivative twice", text, formula, lambda t: right({**t, da: right(t)}))
    text = f"{da} is multiplied by the {label} itself instead of its derivative"
    if not layer.elementwise:
        text += ", whose sum over the neurons is missing"
    yield place.fault("function in place of its derivative", text, f"{da} · {a}", lambda t: t[da] * t[a])
    if written == a:
        text = f"the {label}'s derivative is written with {z} instead of its output {a}"
        at_z = applied(a=z)
        yield place.fault("derivative at z", text, at_z, lambda t: right({**t, a: t[z]}))
        text = f"the {label} is applied to {a}, which is its output already"
        twice = applied(a=f"{label}({a})")
        yield place.fault("function applied twice", text, twice, lambda t: right({**t, a: layer.forward(t[a])}))
    elif type(layer) not in _SIGNS_KEPT:  # whose outputs have the signs of their inputs
        text = f"the {label}'s derivative is taken at its output {a} instead of its input {z}"
        at_a = applied(z=a)
        yield place.fault("derivative at a", text, at_a, lambda t: right({**t, z: t[a]}))
    for other in place.alike(written):
        text = f"the {label}'s derivative is taken at {other}, which belongs to another layer, instead of {written}"
        formula = applied(z=other, a=other)
        yield place.fault("derivative at another layer", text, formula, _reading(place, written, other))
    for other in place.gradients_alike(da):
        text = f"{other} is used as the upstream gradient instead of {da}"
        yield place.fault("upstream of another layer", text, applied(da=other), _reading(place, da, other))
    yield from _of_others(place)


def _reading(place: Place, name: str, other: str) -> Any:
    return lambda t: place.link({**t, name: t[other]})


def _of_others(place: Place) -> Iterator[Fault]:
    """The derivative of every other activation, and for those written with the output, with this one's output."""
    da, z, a = (place.names[name] for name in ("da", "z", "a"))
    for kind in ACTIVATIONS.values():
        other = kind()
        if type(other) is type(place.layer) or _named_elsewhere(place.layer, other):
            continue
        label = name_of(other)
        if signature(other.dz).parameters.keys() == {"da"}:
            continue
        text = f"the derivative of {label} is taken instead of {place.label}'s"
        if "a" in signature(other.dz).parameters:
            own = vjp_text(other, da=da, z=z, a=a)
            if place.layer.elementwise or label != "sigmoid":  # that is a coupling dropped
                yield place.fault("derivative of another activation", text, own, _other(other, da, a))
            formula = vjp_text(other, da=da, z=z, a=f"{label}({z})")
            anew = lambda t, other=other: other.dz(t[da], other.forward(t[z]))  # noqa: E731
            yield place.fault("derivative of another activation", text, formula, anew)
        else:
            formula = vjp_text(other, da=da, z=z, a=a)
            yield place.fault("derivative of another activation", text, formula, _other(other, da, z))


def _other(other: Any, da: str, read: str) -> Any:
    return lambda t: other.dz(t[da], t[read])


def _named_elsewhere(layer: Any, other: Any) -> bool:
    """Variants of one function, which `variants` names."""
    pairs = ({Gelu, GeluTanh}, {Relu, LeakyRelu})
    return {type(layer), type(other)} in pairs
