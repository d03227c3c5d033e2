"""Repairs: the single edits of somebody's own code with which a wrong gradient is right, in every case that was tried.

An edit that gives the reference's numbers at points of other values and other sizes is no chance: the line that it is
made in is where the mistake stands, whatever it is called. Every edit of the backward pass, of the functions of its
file that it names, and of a forward pass that hands something on to it, is put in the function's place and asked in one
case; few come through, and these are asked in all of them. Nothing that was right may become wrong, the output
included. Only code that does nothing but compute is edited (`harmless`): an edit may run a branch that never ran.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from types import CodeType, FunctionType
from typing import Any

from harness.candidates.harmless import harmless
from harness.candidates.operation import Operation
from harness.comparison.operation import JudgedAnswer
from harness.edits.changes import Change, changes_of
from harness.edits.inverse import OMISSIONS, SLIPS
from harness.edits.syntax import FunctionTree
from harness.evaluation.references.expected import gradient_of
from harness.inputs.recompiled import Mould, definition_of, replaced, unwrapped
from harness.pace import pace

SECONDS, MOST = 3.0, 3000
"""Of the processor, at pace 1, after which a search is given up whose edits take long; and edits that are asked. These
usually end it first, so that a slow machine finds the same."""
MOST_FUNCTIONS = 6
MOST_FOUND = 4
"""Edits that put something right, after which the search ends."""
ASKED = 16
"""Edits after which the clock is asked again, which takes longer than one of them."""


@dataclass(frozen=True)
class Repair:
    """One edit.

    Attributes:
        file, line: where the statement stands.
        before, after: it, as it is and as it would be right.
        of: names of the inputs whose wrong gradients it puts right.
    """

    file: str
    line: int
    before: str
    after: str
    of: tuple[str, ...]


def repairs_of(
    candidate: Operation, given: Sequence[Any], cases: Sequence[JudgedAnswer], share: float = 1.0
) -> list[Repair]:
    """The edits that put a gradient right and nothing wrong, those that put most of them right first.

    Args:
        given: the functions that somebody gave: forward, backward.
        share: of the edits.
    """
    begin, first = time.process_time(), next(case for case in cases if _wrong(case))
    candidate.answer(first.at)
    asked = ASKED if time.process_time() - begin < SECONDS / ASKED / 10 else 1
    until = begin + SECONDS * pace()
    written = list(_written(given))
    found: list[Repair] = []
    for number, (function, change, code) in enumerate(islice(_changed(written), round(MOST * share))):
        if len(found) >= MOST_FOUND or (number % asked == 0 and time.process_time() > until):
            break
        with replaced(function, code):
            of = _right_with(candidate, first, cases)
        if of:
            file, line = function.__code__.co_filename, change.site.statement.lineno
            found.append(Repair(file, line, change.before, change.after, of))
    # Where torch sums by itself what is too large, leaving a mean out is as right as a sum, and says less.
    return sorted(found, key=lambda each: (-len(each.of), _calls(each.after) < _calls(each.before), len(each.after)))


def _calls(statement: str) -> int:
    """How many calls a statement makes; of one that holds others, and has no end here, none are counted."""
    with suppress(SyntaxError):
        return sum(isinstance(node, ast.Call) for node in ast.walk(ast.parse(statement)))
    return 0


def _changed(
    written: Sequence[tuple[FunctionType, FunctionTree]],
) -> Iterator[tuple[FunctionType, Change, CodeType]]:
    """Every edit of every function, small slips in all of them first."""
    moulds = [(function, Mould(tree, function)) for function, tree in written]
    for operators in (SLIPS, OMISSIONS):
        for function, mould in moulds:
            for change in changes_of(mould.tree, operators):
                statement = change.site.block[change.site.position]
                code = None if change.equal else mould.code(statement)
                if code is not None:
                    yield function, change, code


def _right_with(candidate: Operation, first: JudgedAnswer, cases: Sequence[JudgedAnswer]) -> tuple[str, ...]:
    """Names of the inputs whose wrong gradient is right now in every case; none if anything is wrong that was right."""
    fixed = _fixed(candidate, first)
    for case in cases:
        if not fixed:
            return ()
        if case is not first:
            here = _fixed(candidate, case)
            fixed = None if here is None else {name for name in fixed if name in here or name not in _wrong(case)}
    return tuple(sorted(fixed or ()))


def _wrong(case: JudgedAnswer) -> set[str]:
    """Names of the inputs whose gradient is wrong, or did not come."""
    return {name for tensor, name in case.at.inputs.items() if tensor in case.faulty}


def _fixed(candidate: Operation, case: JudgedAnswer) -> set[str] | None:
    """Names of the inputs whose wrong gradient is right now; None where something is wrong that was right."""
    try:
        answer = candidate.answer(case.at)
    except Exception:  # an edit may do anything
        return None
    off = set(candidate.wrong(case.at, answer))
    if off.difference(case.faulty):
        return None
    return {name for name in _wrong(case) if gradient_of(name) not in off}


def _written(given: Sequence[Any]) -> Iterator[tuple[FunctionType, FunctionTree]]:
    """Functions with their trees: the backward pass, what it names in its file, then forward."""
    todo, seen = list(_of_its_own(given)), set[int]()
    while todo and len(seen) < MOST_FUNCTIONS:
        function = todo.pop(0)
        if id(function) in seen:
            continue
        seen.add(id(function))
        tree = definition_of(function)
        if tree is None:
            continue
        named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        near = [_plain(function.__globals__.get(name)) for name in sorted(named)]
        todo[0:0] = [other for other in near if other and other.__code__.co_filename == function.__code__.co_filename]
        if harmless(function):
            yield function, tree


def _of_its_own(given: Sequence[Any]) -> Iterator[FunctionType]:
    """The functions of an operation, what makes gradients first."""
    for thing in reversed(given):
        parts = [getattr(thing, name, None) for name in ("backward", "bwd", "forward", "fwd")]
        owner = getattr(thing, "__self__", None)  # of a class's apply
        parts += [getattr(owner, name, None) for name in ("backward", "forward")] if isinstance(owner, type) else []
        for part in [*parts, thing]:
            if plain := _plain(part):
                yield plain


def _plain(thing: Any) -> FunctionType | None:
    inner = unwrapped(thing) if callable(thing) else thing
    return inner if isinstance(inner, FunctionType) else None
