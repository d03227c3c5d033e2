"""Arrays of numbers that NumPy does not know, entry by entry: what exact rationals and balls have in common.

An `Entries` array holds one Python object per entry and speaks NumPy's protocols, so that the hand code runs on it
unchanged. What the entries are, and how they are added, compared or exponentiated, says its `Numbers`. Bare object
arrays will not do: they decide comparisons that nobody can decide, and refuse Python's floats.

Constants of the hand code are taken exactly, as the double nearest to the decimal written. So are the numbers that a
named primitive is given: 1 - beta^t, say, is computed from them without rounding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from harness.arithmetic.bounded import Floats

MOVES = (np.copy, np.transpose, np.reshape, np.flip, np.pad, np.repeat, np.broadcast_to, np.take, sliding_window_view)
"""Each of one array; any array of numbers with bounds, of balls or of rationals goes through them as floats do."""


Objects = NDArray[np.object_]

METHODS: Mapping[Any, str] = {np.sum: "sum", np.mean: "mean", np.max: "max", np.min: "min", np.cumsum: "cumsum"}
"""NumPy functions that are methods of an array."""

OPERATORS: Mapping[Any, Callable[..., Any]] = {
    ufunc: ufunc for ufunc in (np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.absolute)
}
"""What entries do by operators of their own, of which NumPy's ufuncs make use."""


class Numbers(ABC):
    """What the arrays of one computation share: the kind of number, its rules, and a count of undecided comparisons.

    Attributes:
        rules: from a ufunc, `numpy.where` or a named primitive to its rule on arrays of objects.
        undecided: comparisons so far whose operands did not decide them.
    """

    rules: ClassVar[Mapping[Any, Callable[..., Any]]]
    undecided: int = 0

    @abstractmethod
    def number(self, value: Any) -> Any:
        """One entry, exactly this Python float, integer or truth value."""

    @abstractmethod
    def product(self, x: Objects, y: Objects) -> Objects:
        """The matrix product of two matrices of entries."""

    @abstractmethod
    def radii(self, entries: Objects) -> Floats:
        """How far the truth may be from each entry's midpoint, never rounded down; infinite where nothing is known."""

    @abstractmethod
    def midpoint(self, entry: Any) -> Fraction:
        """The midpoint of one entry whose radius is finite."""

    def working(self) -> AbstractContextManager[Any]:
        """A context in which entries are operated on."""
        return nullcontext()

    def missing(self, function: Any) -> Any:  # noqa: ARG002  (rationals say which it was)
        """What an operation without a rule evaluates to; of NotImplemented NumPy makes a TypeError."""
        return NotImplemented

    def evaluate(self, function: Any, operands: tuple[Any, ...]) -> Any:
        """An operation, by its rule."""
        rule = self._products if function is np.matmul else self.rules.get(function)
        if rule is None:
            return self.missing(function)
        arrays = [self.objects(operand) for operand in operands]
        with self.working():
            return Entries(rule(*arrays), self)

    def _products(self, x: Objects, y: Objects) -> Objects:
        """Matrix products, one for each of the axes before the last two."""
        if y.ndim <= 2:
            return self.product(x, y)
        before = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        xs = np.broadcast_to(x, (*before, *x.shape[-2:])).reshape(-1, *x.shape[-2:])
        ys = np.broadcast_to(y, (*before, *y.shape[-2:])).reshape(-1, *y.shape[-2:])
        products = np.stack([self.product(*pair) for pair in zip(xs, ys, strict=True)])
        return products.reshape(*before, *products.shape[1:])

    def exact(self, array: Any) -> Entries:
        """An array of exactly the numbers given."""
        return Entries(self.objects(array), self)

    def objects(self, operand: Any) -> Objects:
        """An operand of any type as an array of entries."""
        if isinstance(operand, Entries):
            return operand.entries
        given = np.asarray(operand)
        return as_objects(list(map(self.number, given.ravel().tolist())), given.shape)


class Entries(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of entries, one object each; made by `Numbers.exact`."""

    __slots__ = ("entries", "numbers")

    def __init__(self, entries: Any, numbers: Numbers) -> None:
        # NumPy makes of a 0-dimensional array of objects the object itself.
        self.entries: Objects = entries if isinstance(entries, np.ndarray) else as_objects([entries], ())
        self.numbers = numbers

    shape = property(lambda self: self.entries.shape)
    ndim = property(lambda self: self.entries.ndim)
    size = property(lambda self: self.entries.size)
    dtype = property(lambda self: self.entries.dtype)
    T = property(lambda self: Entries(self.entries.T, self.numbers))

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: Any) -> Entries:
        return Entries(self.entries[index], self.numbers)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.entries[index] = self.numbers.objects(value)

    def __bool__(self) -> bool:
        """Whether a comparison holds, or ValueError where it is undecided or there are several."""
        entry = self.entries.item()
        if entry == self.numbers.number(1):
            return True
        if entry == self.numbers.number(0):
            return False
        raise ValueError(f"Cannot decide a comparison that is undecided ({entry}); use more precision.")

    def reshape(self, *shape: int) -> Entries:
        """As numpy.ndarray.reshape."""
        return Entries(self.entries.reshape(*shape), self.numbers)

    def swapaxes(self, first: int, second: int) -> Entries:
        """As numpy.ndarray.swapaxes."""
        return Entries(self.entries.swapaxes(first, second), self.numbers)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Entries:
        """As numpy.sum."""
        with self.numbers.working():
            return Entries(np.sum(self.entries, axis=axis, keepdims=keepdims), self.numbers)

    def cumsum(self, axis: int) -> Entries:
        """As numpy.cumsum."""
        with self.numbers.working():
            return Entries(np.cumsum(self.entries, axis=axis), self.numbers)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Entries:
        """As numpy.mean."""
        total = self.sum(axis, keepdims)
        return total / (self.size // max(total.size, 1))

    def max(self, axis: int | None = None, keepdims: bool = False) -> Entries:
        """As numpy.max."""
        return self._chosen(np.maximum, axis, keepdims)

    def min(self, axis: int | None = None, keepdims: bool = False) -> Entries:
        """As numpy.min."""
        return self._chosen(np.minimum, axis, keepdims)

    def _chosen(self, which: np.ufunc, axis: int | None, keepdims: bool) -> Entries:
        along, entries = axis, self.entries
        if along is None:
            along, entries = 0, entries.reshape(-1, *(1,) * (self.ndim - 1 if keepdims else 0))
        rule: Any = self.numbers.rules[which]
        with self.numbers.working():
            return Entries(rule.reduce(entries, axis=along, keepdims=keepdims), self.numbers)

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, out: Any = None) -> Any:
        if method != "__call__":
            return NotImplemented
        result = self.numbers.evaluate(ufunc, operands)
        if result is NotImplemented or out is None:
            return result
        (target,) = out
        if not isinstance(target, Entries):
            return NotImplemented
        target.entries[...] = result.entries
        return target

    def __array_function__(self, function: Any, types: Any, operands: Any, options: Any) -> Any:
        if function is np.concatenate:
            (joined,) = operands
            return Entries(np.concatenate([self.numbers.objects(part) for part in joined], **options), self.numbers)
        if function in MOVES:
            if function is np.pad:  # what NumPy fills up with is Python's
                options = {"constant_values": self.numbers.number(options.get("constant_values", 0))}
            return Entries(function(self.entries, *operands[1:], **options), self.numbers)
        if function is np.full_like:
            return self.numbers.exact(np.full(self.shape, operands[1], float))
        if function in METHODS:
            return getattr(operands[0], METHODS[function])(*operands[1:], **options)
        return NotImplemented if options else self.numbers.evaluate(function, operands)

    def __primitive__(self, function: Any, operands: tuple[Any, ...]) -> Any:
        """A named primitive: by its rule, or composed of its body's operations."""
        if function in self.numbers.rules:
            return self.numbers.evaluate(function, operands)
        return function.body(*[self.numbers.exact(o) if isinstance(o, float) else o for o in operands])

    def __repr__(self) -> str:
        return f"Entries({self.entries!r})"


def as_objects(entries: list[Any], shape: tuple[int, ...]) -> Objects:
    """An array of these objects, whatever protocols they speak."""
    array = np.empty(len(entries), object)
    array[:] = entries
    return array.reshape(shape)
