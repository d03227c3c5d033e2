"""Causes of a wrong link that can be shown: a library's elementary function is worse than the table says.

Such a link is no wrong gradient. The function is evaluated by itself, at the very arguments of the link,
and compared with the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from harness.arithmetic.true_values import NoTruthError
from harness.candidates.conformance import BreachError
from harness.comparison.judge import Row
from harness.surveys.accuracy.accuracy import evaluated, judged, known, measured
from impls.abilities import Computes
from impls.contract import Array
from impls.graph import Graph, Link


def exceeding(against: str, implementation: Any, function: str, *x: Array) -> str | None:
    """The sentence that says that a function of an implementation is worse than the table at some of x.

    None if it is not, or if that cannot be told: the implementation does not show its functions, breaks
    the contract, or what computes the truth is not installed.
    """
    if not isinstance(implementation, Computes):
        return None
    try:
        computed = evaluated(implementation.elementary()[function], *x)
        worst = measured(function, x, computed, known(function, *x))
    except (BreachError, NoTruthError, KeyError):
        return None
    return judged(function, against, str(x[0].dtype), "sample", worst).reason


def with_causes(rows: list[Row], network: Graph, tensors: Mapping[str, Array], implementation: Any) -> list[Row]:
    """Rows of one pass; a wrong forward link that a poor elementary function explains says so.

    Args:
        tensors: those of the pass, in its dtype.
        implementation: what made them, built for that dtype.
    """
    links = {link.output: link for link in network.forward_links}
    return [
        replace(row, cause=_cause(row, links[row.gradient], tensors, implementation))
        if row.verdict == "FAULT" and row.gradient in links
        else row
        for row in rows
    ]


def _cause(row: Row, link: Link, tensors: Mapping[str, Array], implementation: Any) -> str | None:
    sentences = [
        exceeding(row.against, implementation, function, tensors[link.inputs[0]])
        for function in getattr(link.layer, "elementary", ())
    ]
    return next(filter(None, sentences), None)
