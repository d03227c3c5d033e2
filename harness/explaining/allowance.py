"""Where an allowance comes from, term by term: the bound of one entry, split into what each link contributes.

A bound grows along the pass. Each link adds its own rounding, and carries on what its inputs are uncertain by.
To split it, the pass is run on bounded arrays again and again, each time letting one more link round: first
the link that gives the tensor itself, then the one before, and so on back to the first. What the bound of
the entry grows by when a link begins to round is that link's contribution:

    own rounding     the bound with this link rounding, all others exact
    inherited        the growth with each earlier link
    of the centre    what is left when nothing rounds: the float64 centre's own rounding

The bounds of the runs telescope, so the contributions add up to the allowance, whatever products of
uncertainties there are; a product is counted where the later of its two factors is switched on.

Beside each stands the leading term of the link's rounding; the rules in harness/arithmetic/rules have them in full.
A sum is marked *: where its terms cancel, up to half of that.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from msgspec import Struct, to_builtins

from harness.arithmetic import Bounded, Context, Profile, profile_of
from harness.candidates.implementation import profile_for
from harness.evaluation.centre import alone, parts_of
from harness.evaluation.given import as_numbers, with_buffers
from harness.evaluation.point import Point, moment_after
from harness.explaining.leading_terms import formula_of
from harness.explaining.references import entry
from harness.formats import FORMATS
from harness.inputs.arguments import as_data, as_dtype, as_network, as_optimizer, check_parameters
from harness.inputs.batches import batches_of
from harness.inputs.datasets import Data
from harness.inputs.plain import as_count, as_text
from impls.contract import Arithmetic
from impls.graph import Graph, Link, Rule, evaluate
from impls.hand_numpy import Hand


class Term(Struct, frozen=True):
    """What one link contributes to the allowance of an entry.

    Attributes:
        link: the tensor that the link gives; None for the centre's own rounding.
        kind: own rounding, inherited or centre.
        formula: the rounding of the link, as its rule bounds it.
        amount: in the units of the tensor.
        share: of the allowance, from 0 to 1.
    """

    link: str | None
    kind: str
    formula: str
    amount: float
    share: float


@dataclass(frozen=True)
class Allowance:
    """The allowance of one entry of one tensor, and where it comes from.

    Attributes:
        tensor, index: which entry, counted from 0.
        dtype: of the programs that the bound covers.
        value: the centre.
        allowed: its bound, the sum of all `terms`.
        alone: the bound of the last link alone, fed the hand code's own tensors, as the rounding check has it.
    """

    tensor: str
    index: tuple[int, ...]
    dtype: str
    value: float
    allowed: float
    alone: float
    terms: list[Term]

    @property
    def inherited(self) -> float:
        """What the inputs of the last link bring with them."""
        return sum(term.amount for term in self.terms if term.kind == "inherited")

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``harness why --json``; indices counted from 1, as on screen."""
        return {
            "tensor": self.tensor,
            "index": [i + 1 for i in self.index],
            "dtype": self.dtype,
            "value": self.value,
            "allowed": self.allowed,
            "alone": self.alone,
            "inherited": self.inherited,
            "terms": to_builtins(self.terms),
        }


def allowance_of(point: Point, tensor: str, index: tuple[int, ...]) -> Allowance:
    """The allowance of an entry at a point, in the point's dtype, end to end.

    Args:
        index: counted from 0, of the tensor's dimension.
    """
    dtype = point.dtype
    profile = profile_of(dtype, arithmetic=Arithmetic())
    reached = _reached(point, tensor)
    way = [link.output for link in reversed(_to(point, tensor)) if link.output in reached]
    bounds = [_bound(point, tensor, index, profile, frozenset(way[:count])) for count in range(len(way) + 1)]
    allowed = bounds[-1]
    terms = []
    for count, name in enumerate(way):
        amount = bounds[count + 1] - bounds[count]
        kind = "inherited" if count else "own rounding"
        formula = formula_of(point.network, point.network.link[name])
        terms.append(Term(name, kind, formula, amount, _share(amount, allowed)))
    terms.append(Term(None, "centre", "2^-53 per operation", bounds[0], _share(bounds[0], allowed)))
    value = float(np.asarray(point.centre(dtype).tensors[tensor].value)[index])
    return Allowance(tensor, index, dtype, value, allowed, _alone(point, tensor, index, dtype), terms)


def _alone(point: Point, tensor: str, index: tuple[int, ...], dtype: str) -> float:
    with np.errstate(all="ignore"):
        result = Hand(point.network, dtype).differentiate(point.weights, point.x, point.y)
    link = point.network.link[tensor]
    parts = parts_of(point.network, link, ())
    bounded = alone(
        link, point.tensors(result), profile_for(Hand(point.network, dtype), dtype, point.network), parts=parts
    )
    return float(np.asarray(bounded.bound)[index])


def _share(amount: float, allowed: float) -> float:
    return amount / allowed if allowed else 0.0


def _to(point: Point, tensor: str) -> list[Link]:
    """The links up to the one that gives a tensor."""
    links = point.network.links
    return links[: links.index(point.network.link[tensor]) + 1]


def _reached(point: Point, tensor: str) -> set[str]:
    """The tensor and every tensor that it depends on."""
    reached = {tensor}
    for link in reversed(point.network.links):
        if link.output in reached:
            reached |= set(link.inputs)
    return reached


def _bound(point: Point, tensor: str, index: tuple[int, ...], profile: Profile, rounding: frozenset[str]) -> float:
    """The bound of an entry where only the links that give the named tensors round."""
    exact = replace(
        profile, u=0.0, u_acc=0.0, u_sum=0.0, u_met=0.0, eta=0.0, computes=FORMATS["float64"],
        constants=dict.fromkeys(profile.constants, 0.0), besides={}, eager=True,
    )  # fmt: skip
    context = Context(exact)

    def rounded(link: Link) -> Rule:
        def rule(tensors: Mapping[str, Any]) -> Any:
            context.profile = profile if link.output in rounding else exact
            return link(tensors)

        return rule

    links, given = _to(point, tensor), as_numbers(point.network, point.named, context.exact)
    tensors = evaluate(links, given, planted={link.output: rounded(link) for link in links})
    result: Bounded = tensors[tensor]
    return float(np.asarray(result.bound)[index])


def why(
    reference: str,
    network: Graph | str | os.PathLike[str] = "4-3-2-1",
    data: Data | str | os.PathLike[str] | tuple[Any, Any] = "iris",
    *,
    raw: bool = False,
    target: str | None = None,
    optimizer: Any = "gradient-descent",
    step: int = 1,
    batch: int | None = None,
    dtype: str = "float64",
    seed: int = 0,
) -> Allowance:
    """Where the allowance of an entry comes from: own rounding and what it inherits, link by link.

    Args:
        reference: a tensor and a place counted from 1: ``dW1[3,2]``, ``dz2[5,1]``, ``loss``.
        network, data, raw, target, optimizer, batch, seed: as `harness.run` takes them.
        step: of a run, counted from 1: step 1 is at the initial weights.
        dtype: float64, the formula check's, or float32, end to end.

    Raises:
        UsageError: there is no such entry, or something impossible was asked for.
    """
    network, optimizer = as_network(network, data), as_optimizer(optimizer)
    reference = as_text("reference", reference, "dW1[3,2]")
    dtype, number = as_dtype(dtype), as_count("step", step, 1) or 1
    check_parameters(network, optimizer, dtype)
    size, seed = as_count("batch", batch, 1), as_count("seed", seed, 0) or 0
    loaded = as_data(data, network, seed, raw=raw, target=target)
    batches = batches_of(network, loaded, dtype, size, seed)
    moment = moment_after(network, batches, optimizer, seed, number - 1)
    x, y = batches.at(number)
    point = Point(network, moment.weights, with_buffers(network, x, moment.buffers), y, number)
    shown = [name for name in network.link if network.tensors[name].through is None]
    shapes = {name: network.tensors[name].sized(point.rows) for name in (*network.gradients, *shown)}
    name, index = entry(reference, shapes)
    return allowance_of(point, name, index)
