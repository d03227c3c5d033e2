"""Rebuilding: the network and the batches of a record, from what its head says.

A head holds the network as ``Network([Dense(4, 3), Sigmoid()], SumSquaredError())``, or as the inputs and nodes of a
graph. That text is parsed, never run: names of the hand code's layers, losses and networks, inputs and nodes, and
literals, are all that it may hold.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import numpy as np

import impls.hand
from harness.evaluation.given import digest_of
from harness.evaluation.point import Point
from harness.inputs.batches import Batches, batches_of
from harness.inputs.datasets.loading import DATA_SETS, RANDOM, load_data
from harness.results.record import Head
from harness.usage import UsageError
from impls.contract import Inputs
from impls.graph import TARGET, Graph

if TYPE_CHECKING:
    from harness.results.setting import Setting

LONGEST = 100_000
"""Characters of a network's text that are read: a thousand layers take a third of it."""


def network_of(text: str) -> Graph:
    """The network that the text of a record describes.

    >>> network_of("Network([Dense(2, 1), Sigmoid()], SumSquaredError())").weights
    {'W1': (2, 1), 'b1': (1,)}
    >>> graph = "Graph([Input('x', 2)], [node('out', Dense(2, 1), 'x')], SumSquaredError(), 'out.z')"
    >>> repr(network_of(graph)) == graph
    True

    Raises:
        UsageError: the text holds anything but layers and losses of the hand code.
    """
    try:
        made = _made(ast.parse(text[:LONGEST], mode="eval").body)
    except (
        SyntaxError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        MemoryError,
    ):
        made = None
    if isinstance(made, Graph):
        return made
    raise UsageError(
        f"Cannot rebuild the network {text[:60]!r}, because it is not made of layers of the hand code alone; make the "
        f"page where the run was made."
    )


def _made(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in impls.hand.__all__:
        make = getattr(impls.hand, node.func.id)
        if isinstance(make, type) or make is impls.hand.node:
            keywords = {str(keyword.arg): _made(keyword.value) for keyword in node.keywords}
            return make(*map(_made, node.args), **keywords)
    if isinstance(node, ast.List):
        return list(map(_made, node.elts))
    return ast.literal_eval(node)


def batches_of_head(head: Head, network: Graph) -> Batches | None:
    """The batches of a run, in its dtype: of the data that its record holds, or of a data set that has a name.

    None where neither is so. No file is read: a record names none that could be trusted.

    Raises:
        UsageError: what there is does not fit the network, or is not what the run saw.
    """
    if head.x is not None and head.y is not None:
        batches = _kept(head, network)
    else:
        named = _named(head.data, network, head.dtype, max(head.batch, 1), head.seed)
        if named is None:
            return None
        batches = named
    if head.data_digest != digest_of(batches.named):
        raise UsageError("Cannot use the data of the record, because its digest is another; make a new record.")
    return batches


def batches_of_check(setting: Setting, point: Point) -> Batches:
    """The batches of a check, the first of which is its point's: of the data set, where that has a name.

    Elsewhere the batch is all there is, and its samples are counted within it.
    """
    inputs = Inputs({source.name: point.named[source.name] for source in point.network.sources})
    seed = setting.seed or 0
    alone = Batches(inputs=inputs, y=point.y, size=point.rows, seed=seed, dtype=setting.dtype)
    try:
        named = _named(setting.data, point.network, setting.dtype, point.rows, seed)
    except UsageError:
        return alone
    if named is None:
        return alone
    rows = named.rows(1)
    same = digest_of({name: array[rows] for name, array in named.named.items()}) == digest_of(alone.named)
    return named if same else alone


def _named(data: str, network: Graph, dtype: str, size: int, seed: int) -> Batches | None:
    """The batches of a data set as a head or a setting describes it; None where it has no name."""
    name, _, rest = data.partition(" N=")
    if name not in (*DATA_SETS, RANDOM):
        return None
    loaded = load_data(name, raw="raw values" in rest, network=network, seed=seed)
    return batches_of(network, loaded, dtype, size, seed)


def _kept(head: Head, network: Graph) -> Batches:
    try:
        held = {**(head.x if isinstance(head.x, dict) else {network.sources[0].name: head.x}), TARGET: head.y}
        tensors = {name: network.tensors[name] for name in held}
        read = {name: np.array(held[name], np.int64 if t.whole else head.dtype) for name, t in tensors.items()}
        y, inputs = read.pop(TARGET), Inputs(read)
        network.check_batch({**network.fresh_buffers(head.dtype), **inputs}, y)
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise UsageError(f"Cannot use the data of the record, because {' '.join(str(error).split())[:200]}") from None
    return Batches(inputs=inputs, y=y, size=max(head.batch, 1), seed=head.seed, dtype=head.dtype)
