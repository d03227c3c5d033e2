"""Conventions: the network's own loss and gradients of the weights, with other tensors in between.

softmax output     a2 = softmax(z2), where the network's loss takes the softmax itself and its a2 is z2; da2 is then
                   the gradient by the probability, or by z2
fused gradient     what is called da2 is the gradient by z2 already: there is no other step from da2 to dz2
moved factor       gradients sample by sample are those of f L, and the gradients of the weights are divided by f:
                   with f = N the loss of each sample by itself, and 1/N in dW and db

Sources of the last: Goodfellow, Bengio and Courville, "Deep Learning" (2016), section 8.1.3, where the gradient is a
mean of gradients of single samples; Nielsen, "Neural Networks and Deep Learning" (2015), equation (20), likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial, wraps
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, Context
from harness.dialects.dialect import Dialect
from harness.dialects.factors import Factor, either
from harness.dialects.given import given_all
from harness.dialects.losses import factors_in, with_factor
from harness.evaluation.point import Point
from harness.faults.place import Place, is_activation
from impls.contract import Array
from impls.graph import Graph, Link
from impls.hand.activations.softmax import softmax
from impls.hand.losses.classes import rows_in
from impls.hand.losses.scaled import bare


def softmax_outputs(point: Point, shown: Mapping[str, Array]) -> Iterator[Dialect]:
    """The output is shown after the softmax that the network's loss takes."""
    network = point.network
    link = network.link.get(network.output)
    if link is None or not {link.output, network.gradient[link.output]} & shown.keys():
        return
    if Place(network, link).hands_on and bare(network.loss).applies == "softmax":
        says = f"with {link.output} = softmax({link.inputs[0]}), which its loss takes itself"
        yield Dialect(says=says, network=network, taken=partial(_logits, link))


def _logits(link: Link, point: Point, shown: Mapping[str, Array]) -> Mapping[str, Array]:
    """Without the probabilities, and without their gradient, where they are what they should be."""
    context, output = Context(point.profile), link.output
    (read,) = link.inputs
    logits = context.exact(shown[read]) if read in shown else point.centre(point.dtype).tensors[read]
    probabilities = softmax(logits)
    if output in shown and not probabilities.holds(shown[output]):
        return shown
    gradient, p = point.network.gradient[output], context.exact(shown[output]) if output in shown else probabilities
    taken = {output}
    if gradient in shown and _by_probability(context, point, p).holds(shown[gradient]):
        taken.add(gradient)
    return {name: array for name, array in shown.items() if name not in taken} if taken & shown.keys() else shown


def _by_probability(context: Context, point: Point, p: Bounded) -> Bounded:
    """−y/p/N, the gradient of the cross-entropy by the probabilities, times what the loss is multiplied by."""
    loss = point.network.loss
    y = np.eye(p.value.shape[-1])[point.y] if loss.labels else point.y
    exact: Bounded = context.exact(-np.asarray(y, np.float64)) / p / rows_in(p)
    times: Bounded = loss.times(exact, p.value)
    return times


def fused_gradients(point: Point, shown: Mapping[str, Array]) -> Iterator[Dialect]:
    """What is called the gradient by the output is that by its pre-activation."""
    network = point.network
    link = network.link.get(network.output)
    if link is None or not is_activation(link.layer) or network.gradient[network.output] not in shown:
        return
    da, dz = network.gradient[network.output], network.gradient[link.inputs[0]]
    says = f"with {da} for the gradient by {link.inputs[0]}, in one step"
    yield Dialect(says=says, network=network, taken=partial(_one_step, da, dz))


def _one_step(da: str, dz: str, _point: Point, shown: Mapping[str, Array]) -> Mapping[str, Array]:
    """Under the name of the gradient by the pre-activation, where both are the same or only one is shown."""
    if da not in shown or (dz in shown and not np.array_equal(shown[da], shown[dz])):
        return shown
    return {**{name: array for name, array in shown.items() if name != da}, dz: shown[da]}


def moved_factors(point: Point, shown: Mapping[str, Array]) -> Iterator[Dialect]:
    """A factor of the loss stands in the gradients of the weights instead."""
    network = point.network
    by_row = [link.output for link in network.backward_links if network.tensors[link.output].per_row]
    if any(source.gradient for source in network.sources):
        return
    factors = list(factors_in(point, shown, by_row, negated=True))
    if not factors and any(name in shown for name in by_row):  # none of them is right; what is made of them may be
        factors = list(factors_in(point, shown, network.gradients, given_all(point, shown), inverse=True))
    for factor in factors:
        says = f"with {factor.text} times the loss in gradients sample by sample, and the weights' divided by it"
        if factor.text == "N":
            says = "with gradients of each sample's own loss, and 1/N in those of the weights"
        yield Dialect(says=says, network=with_moved(network, factor, point.rows))


def with_moved(network: Graph, factor: Factor, rows: int) -> Graph:
    """The network with a factor in the gradient of the loss, and none in those of the weights."""
    moved = with_factor(network, factor, rows, moved=True)
    links = {
        link.output: replace(link, rule=_divided(link, upstream, factor))
        for link in network.backward_links
        if link.of in network.weights and (upstream := _upstream(network, link))
    }
    return moved.with_links(links)


def _upstream(network: Graph, link: Link) -> tuple[int, ...]:
    """The places, among what a link reads, of gradients with a row for each sample."""
    tensors = [network.tensors[name] for name in link.inputs]
    return tuple(place for place, tensor in enumerate(tensors) if tensor.role == "gradient" and tensor.per_row)


def _divided(link: Link, upstream: tuple[int, ...], factor: Factor) -> Callable[..., Any]:
    """The gradient of a weight divided by the factor: after the sum over the samples, or each of them before it."""

    @wraps(link.rule)
    def rule(*reads: Any) -> Any:
        rows = len(reads[upstream[0]])
        before = [factor.times(r, rows, inverse=True) if place in upstream else r for place, r in enumerate(reads)]
        return either(factor.times(link.rule(*reads), rows, inverse=True), link.rule(*before))

    return rule


CONVENTIONS = (softmax_outputs, fused_gradients, moved_factors)
"""Every convention, in the order in which they are tried."""
