"""The right formula of a link as text, in the names of the tensors: ``dz2 = da2 · a2·(1 − a2)``."""

from __future__ import annotations

import re
from typing import Any

from harness.faults.place import Place, place_of
from impls.graph import Graph, Link
from impls.hand import Dense, Scaled


def right_formula(network: Graph, link: Link) -> str:
    """What a link should compute.

    >>> from impls.hand import from_text
    >>> network = from_text("4-3-2-1")
    >>> [right_formula(network, link) for link in network.backward_links[:4]]
    ['da3 = 2·(a3 − y)', 'dz3 = da3 · a3·(1 − a3)', 'dW3 = a2ᵀ · dz3', 'db3 = sum of dz3 over the samples']
    """
    place = place_of(network, link)
    return f"{link.output} = {_right(place)}"


def _right(place: Place) -> str:
    names = place.names
    match place.kind:
        case "dz":
            return vjp_text(place.layer, da=names["da"], z=names["z"], a=names["a"])
        case "da":
            return loss_text(place.layer, names["a"], place.network.outputs)
        case "dx":
            return f"{names['dz']} · {names['W']}ᵀ"
        case "dW":
            return f"{names['x']}ᵀ · {names['dz']}"
        case "db":
            return f"sum of {names['dz']} over the samples"
    if isinstance(place.layer, Dense):
        return f"{names['x']} · {names['W']}" + (f" + {names['b']}" if place.layer.bias else "")
    if place.at == "loss":
        return str(place.layer.formula(names["a"], place.network.outputs)).removeprefix("L = ")
    return f"{place.label}({names['z']})"


def vjp_text(layer: Any, *, da: str, z: str, a: str) -> str:
    """What an activation's link gives: ``da2 · a2·(1 − a2)``."""
    if not layer.elementwise:
        weighted = a if da == "1" else f"{da}·{a}"
        return f"{a}·({da} − sum of {weighted} over the neurons)"
    text = with_dots(layer.derivative.format(z=z, a=a, **layer.parameters()))
    if text == "1" or da == "1":
        return da if text == "1" else text
    return f"{da} · {text}"


def loss_text(loss: Any, a: str, outputs: int) -> str:
    """dL/da of a loss, for the whole batch."""
    given = (loss.loss if isinstance(loss, Scaled) else loss).parameters()
    entries = "N" if outputs == 1 else f"({outputs}·N)"
    y = "[class is y]" if loss.labels else "y"
    total = "(sum of y over the classes)"
    filled = loss.derivative.format(a=a, y=y, p=f"softmax({a})", rows="N", entries=entries, total=total, **given)
    return with_dots(filled)


def with_dots(text: str) -> str:
    """Products written with a dot, and without factors 1: ``1·a2(1 − a2)`` is ``a2·(1 − a2)``."""
    return re.sub(r"(\)|\b[az]\d+)\(", r"\1·(", re.sub(r"\b1·", "", text))
