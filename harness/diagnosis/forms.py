"""Forms: at a link, every other way of writing it that is right, and which of them links that are not shown were in.

Each choice of forms is a right program with a bound of its own, so that what one of them explains is right. First
every form is allowed at once, as a hull: what lies outside that is explained by none. Then forms that cannot be
part of an explanation are struck, one by one, and of those left the combinations are tried, those with fewest forms
first: the same form in all layers of a kind, then one for each layer. No more than `MOST` are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, product
from typing import Any

import numpy as np

from harness.arithmetic import Bounded
from harness.diagnosis.equivalent import activations, losses
from harness.evaluation.expected import Form, Walk, bounded_or
from harness.faults.place import of_class
from impls.graph import TARGET, Graph, Link, Rule

MOST = 200
"""Combinations tried, in the search by layer and in that by kind."""

Option = Sequence[Form]
"""Forms that are taken together, at one link or at all links of a kind; none of them for the hand code's own."""


Written = Iterable[tuple[str, str, Callable[..., Any]]]


def forms_at(link: Link) -> list[Form]:
    """Other right forms of one link, in the order in which they are tried; often none."""
    of_loss = of_class(losses.FORMS, link.layer)
    if of_loss:
        return list(_forms(link, of_loss(link.layer, link.of is None), (link.layer.reads, TARGET)))
    kind = type(link.layer)
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


def hidden_forms(
    network: Graph,
    shown: Collection[str],
    forms: Callable[[Link], Sequence[Form]],
    walked: Callable[[Mapping[str, Rule]], Walk],
    wrong: Callable[[Walk], frozenset[str]],
) -> dict[str, Form]:
    """Forms of links that are not shown with which least of what is shown is wrong; empty if none helps.

    Args:
        forms: of a link.
        walked: the walk with rules planted.
        wrong: what is wrong given a walk.
    """
    before = wrong(walked({}))
    links = {link.output: link for link in network.links if link.output not in shown}
    found = {name: list(forms(link)) for name, link in links.items()}
    found = {name: options for name, options in found.items() if options}
    if not before or not found:
        return {}
    hulls: dict[str, Rule] = {name: partial(hull, links[name], options) for name, options in found.items()}
    never = wrong(walked(hulls))
    if not before - never:
        return {}
    best: tuple[int, dict[str, Form]] = (len(before), {})
    for groups in _groupings(found, links):
        left = [_struck(group, hulls, links, walked, wrong, never) for group in groups]
        for choice in islice(_combinations(left), MOST):
            forms_taken = {form.at: form for option in choice for form in option}
            rest = wrong(walked(planted_forms(forms_taken, links)))
            if len(rest) < best[0]:
                best = len(rest), forms_taken
            if rest <= never:
                return forms_taken
    return best[1]


def planted_forms(forms: Mapping[str, Form], links: Mapping[str, Link]) -> dict[str, Rule]:
    """The rules of forms, for a walk."""
    return {name: form.beside(links[name]) for name, form in forms.items()}


def hull(link: Link, forms: Sequence[Form], tensors: Mapping[str, Any]) -> Bounded:
    """What a link gives in any of its forms."""
    base = link(tensors)
    bound = base.bound
    for form in forms:
        value = bounded_or(form.rule(tensors), base)
        with np.errstate(invalid="ignore"):
            bound = np.fmax(bound, np.abs(value.value - base.value) + value.bound)
    return Bounded(base.value, bound, base.context)


def _groupings(found: Mapping[str, Sequence[Form]], links: Mapping[str, Link]) -> Iterator[list[list[Option]]]:
    """By kind of link, and, where several are of one kind, by link; each group with the option of no form."""
    kinds: dict[tuple[str, str], dict[str, list[Form]]] = {}
    for name, forms in found.items():
        same = kinds.setdefault((repr(links[name].layer), links[name].rule.__name__), {})
        for form in forms:
            same.setdefault(form.says, []).append(form)
    yield [[(), *same.values()] for same in kinds.values()]
    if len(found) > len(kinds):
        yield [[(), *([form] for form in forms)] for forms in found.values()]


def _struck(
    group: Sequence[Option],
    hulls: Mapping[str, Rule],
    links: Mapping[str, Link],
    walked: Callable[[Mapping[str, Rule]], Walk],
    wrong: Callable[[Walk], frozenset[str]],
    never: frozenset[str],
) -> list[Option]:
    """The options with which all else may still be explained."""
    at = {form.at for option in group for form in option}
    others = {name: rule for name, rule in hulls.items() if name not in at}
    left = []
    for option in group:
        forms = planted_forms({form.at: form for form in option}, links)
        if wrong(walked({**others, **forms})) <= never:
            left.append(option)
    return left or [()]


def _combinations(groups: Sequence[Sequence[Option]]) -> Iterator[tuple[Option, ...]]:
    """One option of each group, those with fewest forms first."""
    size = 1
    for group in groups:
        size *= len(group)
    if size > MOST * MOST:  # too many to be put in order
        yield from product(*groups)
        return
    yield from sorted(product(*groups), key=lambda choice: sum(bool(option) for option in choice))
