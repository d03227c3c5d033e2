"""The catalogue of forms: at a link, every other way of writing it that is known to be right, by the layer's class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from harness.diagnosis.equivalent import activations, losses
from harness.evaluation.expected import Form
from impls.graph import TARGET, Link

Written = Iterable[tuple[str, str, Callable[..., Any]]]


def forms_at(link: Link) -> list[Form]:
    """Other right forms of one link, in the order in which they are tried; often none."""
    kind = type(link.layer)
    if kind in losses.FORMS:
        return list(_forms(link, losses.FORMS[kind](link.layer, link.of is None), (link.layer.reads, TARGET)))
    if kind in activations.FORMS:
        forward, backward = activations.FORMS[kind](link.layer)
        return list(_forms(link, *((forward, ("z",)) if link.of is None else (backward, ("da", "z", "a")))))
    return []


def _forms(link: Link, written: Written, reads: tuple[str, ...]) -> Iterator[Form]:
    """Forms of a link from those of its layer, which read tensors by the layer's own names."""
    names = [link.names[local] for local in reads]
    for text, loses, function in written:
        says = f"{text}, which loses digits {loses}" if loses else text
        yield Form(link.output, says, partial(_run, function, names))


def _run(function: Callable[..., Any], names: list[str], tensors: Any) -> Any:
    return function(*(tensors[name] for name in names))
