"""Edits of the reference: what its own framework gives where an option, a term or a constant of it is another one.

A backward pass may be right, but that of another function: without the mask, without the padding, with another power,
with a mean that is taken for a constant. Whoever gave the reference has written that function down, so each small
change of its source is such another function, differentiated as the reference is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import partial
from types import FunctionType
from weakref import WeakKeyDictionary

import numpy as np

from harness.arithmetic import Bounded
from harness.edits.changes import changes_of
from harness.edits.numbers import doubled
from harness.edits.operators import OPERATORS, Operator
from harness.edits.syntax import Site
from harness.evaluation.references.expected import Expected, gradient_of
from harness.evaluation.references.measured import MeasuredReference, double
from harness.faults.operations.operation_fault import OperationFault
from harness.faults.operations.situation import Situation
from harness.inputs.calls import Call
from harness.inputs.recompiled import Mould, definition_of, unwrapped
from impls.contract import Array

MOST = 300
"""Edits of one reference."""


def option(site: Site) -> Iterator[ast.AST]:
    """A keyword left out, or the other way."""
    node = site.node
    if isinstance(node, ast.Call):
        for place in range(len(node.keywords)):
            yield ast.Call(node.func, node.args, [*node.keywords[:place], *node.keywords[place + 1 :]])
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)


def held(site: Site) -> Iterator[ast.AST]:
    """A value that is taken for a constant."""
    node = site.node
    inner = isinstance(site.parent, ast.BinOp | ast.Assign | ast.Call) and site.slot not in ("func", "targets")
    if inner and isinstance(node, ast.Name | ast.Call | ast.BinOp):
        yield ast.Call(ast.Attribute(node, "detach", ast.Load()), [], [])


EDITS: Mapping[str, Operator] = {"option": option, **OPERATORS, "doubled term": doubled, "constant": held}
CAUSES = {"option": "option left out", "constant": "taken for a constant"}
"""By the operator; of all others the cause is that another function is differentiated."""

Edited = tuple[str, str, MeasuredReference]
"""The cause, the mistake in words, and the function whose derivative it is."""
_KNOWN: WeakKeyDictionary[MeasuredReference, list[Edited]] = WeakKeyDictionary()
_GRADIENTS: WeakKeyDictionary[Expected, list[list[Array | None] | None]] = WeakKeyDictionary()
"""Of all edits of a reference, at a point."""


def other_functions(at: Situation, name: str) -> Iterator[OperationFault]:
    """The gradient of one input, of every edit of the reference's source."""
    dx = gradient_of(name)
    reference = at.reference
    if not isinstance(reference, MeasuredReference):
        return
    if reference not in _KNOWN:
        _KNOWN[reference] = list(_edits(reference))
    for place, (cause, says, other) in enumerate(_KNOWN[reference]):
        again = partial(_bounded, other, name)
        plain = partial(_plain, at.at, name, place)
        yield OperationFault(cause, f"{says}, in {dx}", partial(again, at), plain=plain, again=again)


def _edits(reference: MeasuredReference) -> Iterator[Edited]:
    given = reference.form
    function = unwrapped(given)
    tree = definition_of(function) if isinstance(function, FunctionType) else None
    if tree is None:
        return
    mould = Mould(tree, function)
    for number, change in enumerate(changes_of(tree, EDITS)):
        code = None if change.equal else mould.code(change.site.block[change.site.position])
        if code is not None:
            edited = FunctionType(
                code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
            )
            edited.__kwdefaults__ = function.__kwdefaults__
            after, before = (text.removeprefix("return ") for text in (change.after, change.before))
            says = f"the derivative is that of {after}, where the reference is {before}"
            called = Call(edited, given.signature, given.settings) if isinstance(given, Call) else edited
            yield CAUSES.get(change.operator, "derivative of another function"), says, reference.of(called)
        if number > MOST:
            return


def _plain(at: Expected, name: str, place: int) -> Array:
    """The gradient of one input in plain floats; all edits are asked at once, for every input."""
    reference = at.reference
    assert isinstance(reference, MeasuredReference)
    if at not in _GRADIENTS:
        inputs = [double(array) for array in at.given.values()]
        functions = [other.function for _, _, other in _KNOWN[reference]]
        _GRADIENTS[at] = reference.host.vjp_of_each(functions, inputs, np.asarray(at.upstream, np.float64))
    found = _GRADIENTS[at][place]
    if found is None:
        raise ValueError("it raises there")
    gradient = dict(zip(at.given, found, strict=True))[name]
    assert gradient is not None
    return gradient


def _bounded(other: MeasuredReference, name: str, at: Situation) -> Bounded:
    return other.gradients(at.inputs, at.upstream, at.dtype)[name]
