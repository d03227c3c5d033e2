"""Loops: a formula of entries, compiled, is one pass over memory; by NumPy each of its operations is one.

A formula is a function of entries, written once, of arithmetic, comparisons, ufuncs of NumPy that round to nearest or
not at all, and the two words below. NumPy evaluates it on blocks of arrays; numba, where it is installed, compiles that
very function. The results are the same, bit for bit: LLVM contracts, reorders or approximates nothing that it is not
told to.

To import numba, and to load what an earlier process compiled and kept, takes about a second. It is not done before as
much has been evaluated without: a short command never pays for it, and a long one at most twice. To compile takes half
a second for each formula and each kind of operands, once for an installation: for a transformer half a minute in all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dis import get_instructions
from functools import cache
from hashlib import sha256
from threading import RLock
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

Formula = Callable[..., Any]

AFTER = 2**29
"""Entries that formulas are evaluated at by NumPy, in a second or two, before they are compiled."""

WORTH = 2**11
"""Entries of arrays from which on a loop is called sooner than NumPy's operations one after the other."""


PIECE = 2**10
"""Of what a formula gives, so much is at hand at a time while the largest of it is looked for."""


def where(condition: Any, x: Any, y: Any) -> Any:
    """As numpy.where, of arrays or of single entries."""
    return np.where(condition, x, y)


def most(x: Any) -> Any:
    """The largest entry of an array, NaN if there is one; a single entry itself."""
    return np.maximum.reduce(x, axis=None, initial=-np.inf)  # as numpy.max, in less time


class PerRow(NamedTuple):
    """What stands for each row of a matrix, a vector."""

    entries: Any


class PerColumn(NamedTuple):
    """What stands for each column of a matrix, a vector."""

    entries: Any


class Loops(NamedTuple):
    """A formula compiled, to be called with matrices of one shape, vectors of theirs, and what else it takes as it is.

    Attributes:
        fill: writes what the formula gives into a matrix, which comes first.
        reduce: of what the formula gives first, the largest and its place; and added to counts, a tuple that comes
            first, how often each of the conditions holds that it gives besides. The number of columns comes second, and
            there is one row.
    """

    fill: Callable[..., None]
    reduce: Callable[..., tuple[float, int, tuple[int, ...]]]


class Compiler:
    """Gives loops of formulas, after so many entries, where numba is installed and can keep what it compiles.

    What two threads count at the same time may be counted once.
    """

    def __init__(self, after: float = AFTER) -> None:
        self.after = after
        self._made: dict[Formula, Loops] = {}
        self._lock = RLock()

    def loops(self, formula: Formula, entries: int) -> Loops | None:
        """Of a formula that is to be evaluated at so many entries; None where NumPy has to."""
        if entries < WORTH:
            return None
        if self.after > 0:
            self.after -= entries
            return None
        made = self._made.get(formula)
        if made is None:
            with self._lock:
                made = self._made.get(formula) or compiled(formula)
                if made is None:
                    self.after = math.inf
                else:
                    self._made[formula] = made
        return made


COMPILER = Compiler()
"""Of this process."""


def _at(arrays: Any, row: Any, column: Any) -> Any:
    """The entries at a place of matrices, in float64, and what is no array as it is. Compiled only."""
    raise NotImplementedError


def _plus(counts: Any, conditions: Any) -> Any:
    """Counts of conditions, one entry more. Compiled only."""
    raise NotImplementedError


def compiled(formula: Formula) -> Loops | None:
    """The loops of a formula; None where numba is missing, switched off, or has no folder to keep them in."""
    jit = _jit()
    if jit is None:
        return None
    for function in dict.fromkeys(_called(formula)):
        _known(function)
    version = _version(formula)

    def fill(result: Any, *arguments: Any) -> None:
        version  # noqa: B018  (what a function encloses is part of what it is kept by)
        for row in range(result.shape[0]):
            for column in range(result.shape[1]):
                result[row, column] = formula(*_at(arguments, row, column))

    def reduce(counts: Any, entries: int, *arguments: Any) -> Any:
        version  # noqa: B018
        found, place, piece = -np.inf, 0, np.empty(PIECE)
        for begin in range(0, entries, PIECE):
            size = min(PIECE, entries - begin)
            larger = 0
            for i in range(size):
                given = formula(*_at(arguments, 0, np.uintp(begin + i)))
                piece[i], counts = given[0], _plus(counts, given[1:])
            for i in range(size):
                larger += not piece[i] <= found
            if larger and not np.isnan(found):
                for i in range(size):
                    if not piece[i] <= found:
                        found, place = piece[i], begin + i
                        if np.isnan(found):
                            break
        return found, place, counts

    try:
        return Loops(jit(fill), jit(reduce))
    except RuntimeError:  # nothing can be written, beside this file or in the user's own folder
        return None


OPTIONS: dict[str, Any] = {"error_model": "numpy"}
"""A division by 0 raises nothing."""


@cache
def _jit() -> Callable[[Callable[..., Any]], Callable[..., Any]] | None:
    """What compiles a loop, which the words of formulas are then known to."""
    try:
        import numba
        from numba.extending import overload
    except ImportError:  # which it raises too where it does not know this NumPy
        return None
    if numba.config.DISABLE_JIT:
        return None

    # From types to what is compiled for them.
    overload(where)(lambda condition, x, y: lambda condition, x, y: x if condition else y)
    overload(most)(lambda x: lambda x: x)
    overload(_at)(
        lambda arrays, row, column: (
            (lambda arrays, row, column: ())
            if not len(arrays)
            else (lambda arrays, row, column: (np.float64(arrays[0][row, column]), *_at(arrays[1:], row, column)))
            if isinstance(arrays[0], numba.types.Array)
            else (lambda arrays, row, column: (np.float64(arrays[0].entries[row]), *_at(arrays[1:], row, column)))
            if getattr(arrays[0], "instance_class", None) is PerRow
            else (lambda arrays, row, column: (np.float64(arrays[0].entries[column]), *_at(arrays[1:], row, column)))
            if getattr(arrays[0], "instance_class", None) is PerColumn
            else (lambda arrays, row, column: (arrays[0], *_at(arrays[1:], row, column)))
        )
    )
    overload(_plus)(
        lambda counts, conditions: (
            (lambda counts, conditions: ())
            if not len(counts)
            else (lambda counts, conditions: (counts[0] + conditions[0], *_plus(counts[1:], conditions[1:])))
        )
    )
    jit = numba.njit(nogil=True, cache=True, **OPTIONS)

    def called(loop: Callable[..., Any]) -> Callable[..., Any]:
        made = jit(loop)

        def call(*arguments: Any) -> Any:
            try:
                return made(*arguments)
            except OSError:  # a full disk does not keep what was compiled, which is there all the same
                return made(*arguments)

        return call

    return called


@cache
def _known(function: FunctionType) -> None:
    """Make a function of entries one that compiled code may call."""
    from numba.extending import register_jitable

    register_jitable(**OPTIONS)(function)


def _called(formula: Any) -> Iterator[FunctionType]:
    """A formula, and the functions that it calls, but for the two words."""
    yield formula
    for named in _named(formula).values():
        if isinstance(named, FunctionType) and named not in (where, most):
            yield from _called(named)


def _named(function: Any) -> dict[str, Any]:
    """What a function names of its module's: not what an attribute is called, as sqrt is of NumPy."""
    loaded = [each.argval for each in get_instructions(function) if each.opname == "LOAD_GLOBAL"]
    return {name: function.__globals__.get(name) for name in loaded}


def _version(formula: Any) -> str:
    """All that a compiled formula depends on: its code, and the constants that it names."""
    found = []
    for function in _called(formula):
        code = function.__code__
        constants = {name: named for name, named in _named(function).items() if isinstance(named, int | float)}
        found.append((code.co_code.hex(), repr(code.co_consts), constants))
    return sha256(repr(found).encode()).hexdigest()
