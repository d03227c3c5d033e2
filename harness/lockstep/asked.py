"""A run as somebody asks for it: options of ``harness run`` as they are typed, from the shell or a matrix of runs."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

from harness.inputs.arguments import as_optimizer
from harness.inputs.networks import load_network
from harness.lockstep.training import run
from harness.results.run import Run
from impls.graph import Graph

OF_A_NETWORK = tuple(name for name in signature(load_network).parameters if name not in ("source", "data"))
SAME = ("raw", "target", "steps", "epochs", "batch", "dtype", "seed", "check_every", "free_run", "exact")
"""Options that `harness.run` takes by the same name."""


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


def run_asked(options: Mapping[str, Any], against: list[str] | None, **more: Any) -> Run:
    """The run that options describe; `against` names its implementations, `more` is passed on.

    Raises:
        UsageError: something impossible was asked for.
    """
    return run(
        network_asked(options), options["data"], against, optimizer=optimizer_asked(options),
        full=options["check"] == "full", **{name: options[name] for name in SAME}, **more,
    )  # fmt: skip
