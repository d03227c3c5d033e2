"""A network and an optimizer as somebody asks for them, by options as they are typed in the shell or in a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

from harness.inputs.arguments import as_optimizer
from harness.inputs.networks import load_network
from impls.graph import Graph

OF_A_NETWORK = tuple(name for name in signature(load_network).parameters if name not in ("source", "data"))


def network_asked(options: Mapping[str, Any]) -> Graph:
    """The network that options describe.

    Raises:
        UsageError: a text, a name or a number cannot be used.
    """
    return load_network(options["model"], data=options["data"], **{name: options[name] for name in OF_A_NETWORK})


def optimizer_asked(options: Mapping[str, Any]) -> Any:
    """The optimizer that options describe.

    Raises:
        UsageError: a name or a number cannot be used.
    """
    return as_optimizer(options["optimizer"], **({} if options["lr"] is None else {"lr": options["lr"]}))
