"""Why a gradient of a chain is wrong: the causes that operations have, at the link of one reader after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import combinations
from operator import add
from typing import Any

import numpy as np

from harness.arithmetic import Bounded
from harness.evaluation.references.chained import ChainReference, LinkReference
from harness.evaluation.references.derived import HandReference
from harness.evaluation.references.expected import Expected, gradient_of
from harness.faults.cause import Cause
from harness.faults.operations.causes import cause_of
from harness.faults.operations.explanation import Explanation
from harness.faults.operations.situation import Situation
from impls.contract import Array
from impls.graph import LOSS, TARGET
from impls.hand.notation import ACTIVATIONS


def cause_in_chain(
    reference: ChainReference, name: str, shown: Mapping[str, Array], own: Mapping[str, Any]
) -> Explanation:
    """The cause, or unknown with what is known.

    Args:
        name: of the tensor whose gradient is wrong.
        shown: every gradient, by its tensor's name; `own` as they were given, by their own names.
    """
    gradient, actual = gradient_of(name), shown[name]
    links = [LinkReference(reference.chain, name, reader, reference.given) for reader in reference.readers(name)]
    parts = [link.gradients(link.usual, reference.given[link.reader], reference.dtype)[name] for link in links]
    seen = _of_another_shape(gradient, name, actual, reference.expected[name])
    seen = seen or _dropped(gradient, actual, links, parts)
    if seen is not None:
        return seen
    first = None
    for link, rest, where in _aspects(links, parts, actual):
        upstream = np.asarray(reference.given[link.reader], reference.dtype)
        at = Expected(link, link.usual, upstream, reference.dtype)
        found = cause_of(name, [Situation(at, {name: rest}, {name: None})])
        if found.causes:
            return _in_words(found, link.reader, where)
        first = first or found
    if len(links) == 1 and (hand := _of_an_activation(links[0], reference, actual)):
        return hand
    if len(links) == 1 and (other := _of_another_upstream(links[0], reference, actual)):
        return other
    twins = [other for other, value in own.items() if other != gradient and value is own[gradient]]
    if twins:
        says = f"{gradient} and {twins[0]} are one array: what is added to one of them is added to both"
        return _one(gradient, "one array for two gradients", says, 0.0)
    return first or Explanation(gradient, (), f"the loss does not depend on {name}, so that {gradient} is 0", 0, None)


def _of_an_activation(link: LinkReference, reference: ChainReference, actual: Array) -> Explanation | None:
    """The cause that the rule of an activation has, where a tensor is one of what is wrong; None if there is none."""
    z, a = (reference.chain.tensors[name] for name in (link.of, link.reader))
    own = {"z": link.of, "a": link.reader}
    known = len({*own.values(), TARGET, LOSS}) == 4  # what the names of a graph cannot be
    read, names = (link.of, "") if known else ("z", f" (z is {link.of}, a is {link.reader})")
    for activation in ACTIVATIONS.values():
        hand = HandReference(activation(), called=own if known else {})
        if z.shape != a.shape or not hand.output({read: z}, reference.dtype).holds(a):
            continue
        at = Expected(hand, {read: z}, np.asarray(reference.given[link.reader], reference.dtype), reference.dtype)
        found = cause_of(read, [Situation(at, {read: actual}, {read: None})])
        if found.causes:
            causes = (replace(each, at=gradient_of(link.of), says=f"{each.says}{names}") for each in found.causes)
            return replace(found, at=gradient_of(link.of), causes=tuple(causes))
    return None


def _of_another_upstream(link: LinkReference, reference: ChainReference, actual: Array) -> Explanation | None:
    """The right formula with the gradient of another tensor in place of its own; None if it is not that."""
    meant, gradient = reference.given[link.reader], gradient_of(link.of)
    for name, other in reference.given.items():
        if name in (link.reader, link.of) or other.shape != meant.shape:
            continue
        right = link.gradients(link.usual, other, reference.dtype)[link.of]
        if right.holds(actual):
            says = f"{gradient} is made from {gradient_of(name)}, where {gradient_of(link.reader)} belongs"
            return _one(gradient, "upstream of another layer", says, right.off(actual))
    return None


def _one(gradient: str, cause: str, says: str, off: float) -> Explanation:
    return Explanation(gradient, (Cause(cause, gradient, says, "", off),), "", 1, None)


def _in_words(found: Explanation, reader: str, where: str) -> Explanation:
    """With the names that an operation's output and upstream have in a chain."""

    def named(says: str) -> str:
        return says.replace("the output", reader).replace("the upstream", gradient_of(reader))

    first, *others = (replace(cause, says=named(cause.says)) for cause in found.causes)
    return replace(found, causes=(replace(first, says=f"{first.says}{where}"), *others))


def _of_another_shape(gradient: str, name: str, actual: Array, right: Bounded) -> Explanation | None:
    """Summed over too few or too many axes; None if it is neither."""
    if actual.shape == right.shape or actual.size == right.value.size:
        return None
    for count in range(1, right.value.ndim + 1):
        for axes in combinations(range(right.value.ndim), count):
            total = Bounded(right.value.sum(axis=axes), right.bound.sum(axis=axes), right.context)
            if total.shape == actual.shape and total.holds(actual):
                says = f"{gradient} is summed over {_axes(axes)} too, along which {name} has entries of its own"
                return _one(gradient, "summed over too many axes", says, total.off(actual))
    return _unsummed(gradient, name, actual, right)


def _unsummed(gradient: str, name: str, actual: Array, right: Bounded) -> Explanation | None:
    """The right terms, not summed over the axes along which the tensor is broadcast; None if it is not that."""
    padded = (1,) * (actual.ndim - right.value.ndim) + right.shape
    axes = [axis for axis, (size, own) in enumerate(zip(padded, actual.shape, strict=False)) if size == 1 != own]
    total = np.asarray(actual, np.float64).sum(axis=tuple(axes), keepdims=True)
    if total.shape != padded or not right.holds(total.reshape(right.shape)):
        return None
    says = f"{gradient} is not summed over {_axes(axes)}, along which {name} is broadcast"
    return _one(gradient, "broadcast gradient not summed", says, right.off(np.asarray(total.reshape(right.shape))))


def _axes(axes: Sequence[int]) -> str:
    return f"{'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))}"


def _dropped(
    gradient: str, actual: Array, links: Sequence[LinkReference], parts: Sequence[Bounded]
) -> Explanation | None:
    """One reader's part is missing and the others are right; None if it is not that."""
    for place, link in enumerate(links if len(links) > 1 and actual.shape == parts[0].shape else []):
        others = _sum(parts, place)
        if others.holds(actual):
            says = f"{gradient} lacks what comes from {gradient_of(link.reader)}: its tensor is used there too"
            return _one(gradient, "dropped path", says, others.off(actual))
    return None


def _aspects(
    links: Sequence[LinkReference], parts: Sequence[Bounded], actual: Array
) -> Iterator[tuple[LinkReference, Array, str]]:
    """Each reader's part, if the others' are right; then the whole gradient, as a function of the first reader.

    With each stands what the gradient is of it, and the words for it.
    """
    for place, link in enumerate(links if len(links) > 1 and actual.shape == parts[0].shape else []):
        others = _sum(parts, place)
        rest = np.asarray(actual - others.value, actual.dtype)
        room = Bounded(np.zeros(others.shape), others.bound, others.context)
        yield link.plus(room), rest, f" (the part of it that comes from {gradient_of(link.reader)})"
    if links:
        yield links[0].plus(_sum(parts, 0)) if len(links) > 1 else links[0], actual, ""


def _sum(parts: Sequence[Bounded], without: int) -> Bounded:
    return reduce(add, [part for place, part in enumerate(parts) if place != without])
