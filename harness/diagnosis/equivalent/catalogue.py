"""The catalogue of forms: at a link, every other way of writing it that is known to be right."""

from __future__ import annotations

from typing import Any

from harness.diagnosis.equivalent.activations import forms_of_activation
from harness.diagnosis.equivalent.losses import forms_of_loss
from harness.evaluation.expected import Form
from harness.faults.place import Place, place_of
from impls.graph import Graph, Link, Rule


def forms_at(network: Graph, link: Link) -> list[Form]:
    """Other right forms of one link of a network, in the order in which they are tried; often none."""
    place = place_of(network, link)
    if place.layer is network.loss:
        return [
            Form(place.at, _says(text, loses), _of_loss(place, rule))
            for text, loses, rule in forms_of_loss(network.loss, place.kind)
        ]
    return [
        Form(place.at, _says(text, loses), _of_activation(place, rule))
        for text, loses, rule in forms_of_activation(place.layer, place.kind)
    ]


def _says(text: str, loses: str) -> str:
    return f"{text}, which loses digits {loses}" if loses else text


def _of_loss(place: Place, rule: Any) -> Rule:
    a, y = place.names[place.layer.reads], place.names["y"]
    return lambda t: rule(t[a], t[y])


def _of_activation(place: Place, rule: Any) -> Rule:
    names = place.names
    if place.kind == "forward":
        return lambda t: rule(t[names["z"]])
    return lambda t: rule(t[names["da"]], t[names["z"]], t[names["a"]])
