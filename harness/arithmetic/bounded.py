"""Bounded arrays: a float64 centre, and how far any admissible program may be from it.

`Bounded` carries (value, bound) with ``bound >= |x_F - value|`` for the result x_F of **every** program F
of the context's profile. Exact real arithmetic is one of these programs (all its errors are 0), so the
true value lies within the bound too; and the rounding of the float64 centre is charged to the bound, so
no separate argument is needed that the centre is good enough. Running the hand code on bounded arrays
derives the allowance of every tensor of a forward and backward pass.

Each operation has a rule in `harness.arithmetic.rules`. A rule adds what its operands' bounds can do to
the result (propagated) and what the operation itself can do (local rounding); no higher-order term is
dropped. The bound arithmetic itself rounds, which `INFLATION` covers once per operation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.enclosure import Enclosure
from harness.arithmetic.loops import most, where
from harness.arithmetic.operands import Operands
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, Profile
from harness.formats import Format, rounded_to
from impls.contract import is_real

Floats = NDArray[np.float64]
Made = TypeVar("Made")

INFLATION = 1 + 2.0**-40
"""Covers the rounding of a rule's own float64 arithmetic: a few hundred operations of 2^-53 each."""

TINY_64 = 2.0**-1074
"""Absolute rounding error of one float64 operation that underflows."""


@lru_cache(maxsize=1024)
def zeros(shape: tuple[int, ...]) -> Floats:
    """The bound of what is known exactly: zeros, in the memory of one, that nobody writes to."""
    return np.broadcast_to(np.float64(0), shape)


@lru_cache(maxsize=1024)
def _of_constant(number: float, u: float, eta: float, computes: Format) -> Floats:
    """The bound of a constant in a format."""
    if rounded_to(number, computes) == number:
        return zeros(())
    rounding = u * abs(number)
    return np.asarray(rounding + (eta if rounding < eta else 0.0))


RULES: dict[Any, Callable[..., Bounded]] = {}
"""From a NumPy function, ufunc or named primitive to its rule, filled by `harness.arithmetic.rules`."""

TERMS: dict[Any, int] = {}
"""Of a primitive that some framework computes as a sum of more than one term, how many terms: a compiler may add each
of them by itself to something else, and, where it computes them anew for another reader, contract them otherwise."""


@dataclass
class Context:
    """What the arrays of one computation share: the profile, and counts of undecided comparisons, matrix products.

    Attributes:
        matmul: gives products of matrices of values, and of magnitudes; what it gives is not written to.
        operands: gives what is made of arrays that several read; that is not written to either.
        made: what several rules make of the same array, with that array; see `once`.
    """

    profile: Profile
    undecided: int = 0
    products: int = 0
    matmul: Callable[[Any, Any], Any] = np.matmul
    operands: Operands = field(default_factory=Operands)
    made: dict[Any, Any] = field(default_factory=dict)

    def once(self, what: Any, x: Bounded, make: Callable[[Bounded], Made]) -> Made:
        """What several rules make of the same entries, and do not write to, made once; `what` says what that is."""
        read = x.value, x.bound, x.parts
        key = what, *map(_place, read)
        if key not in self.made:
            self.made[key] = make(x), read  # which stays, so that nothing else comes to its place
        return cast(Made, self.made[key][0])

    def exact(self, array: Any) -> Bounded:
        """A bounded array whose value every program knows exactly.

        Values below the smallest normal number may be flushed to zero by whoever reads them.
        """
        value = self.operands.double(array)
        if self.operands.below(value, self.profile.eta):
            magnitude = np.abs(value)
            return Bounded(value, np.where(magnitude < self.profile.eta, magnitude, 0.0), self)
        return Bounded(value, zeros(value.shape), self)

    def shown(self, array: Any, parts: Any = 0.0) -> Bounded:
        """A tensor that a program shows: exact, but a sum may have read it before its last rounding.

        Where the tensor is itself a sum, `parts` is what its parts may have rounded, added up: a part that is a product
        may have been added before it was.
        """
        result = self.exact(array)
        if self.profile.unrounded:
            result = result.widened(self.profile.unrounded * np.abs(result.value) + self.profile.eta)
        result.parts = None if self.profile.eager else parts
        return result

    def constant(self, number: Any) -> Bounded:
        """A constant of the hand code: rounded once unless the dtype holds it exactly."""
        value = np.asarray(number, np.float64)
        p, size = self.profile, np.abs(value)
        if not value.ndim:
            return Bounded(value, _of_constant(float(value), p.u, p.eta, p.computes), self)
        held = rounded_to(value, p.computes) == value
        return Bounded(value, np.where(held, 0.0, p.u * size + np.where(p.u * size < p.eta, p.eta, 0.0)), self)

    def rounded(
        self,
        value: Floats,
        propagated: Any,
        roundings: Any = 1.0,
        *,
        centre: float = 1.0,
        underflows: Any = 1.0,
    ) -> Bounded:
        """The result of one operation: `propagated` bound plus local rounding; `underflows` counts eta.

        The others: see `rounding`.
        """
        carried = propagated if isinstance(propagated, np.ndarray) or propagated else None
        bound = in_blocks(rounded_bound, value, carried, underflows, *self.rounding(roundings, centre))
        return Bounded(value, bound, self)

    def rounding(self, roundings: Any = 1.0, centre: float = 1.0) -> tuple[Any, Any, float, float, float]:
        """What `rounded_bound` is told of an operation besides its operands.

        `roundings` is the local error of a member in units of u, relative to its exact result;
        `centre` the same for the float64 centre in units of 2^-53.
        """
        p = self.profile
        share, growth = INFLATION * (roundings * p.u + centre * UNIT_ROUNDOFF_64), INFLATION * (1 + roundings * p.u)
        # No magnitude is larger than its bound by its share of that, which nearly always is enough to know.
        certain = p.largest / 4 * min(share, 1.0) if isinstance(share, float) else -1.0
        return share, growth, p.eta, p.largest, certain


def rounded_bound(
    value: Any, propagated: Any, underflows: Any, share: Any, growth: Any, eta: float, largest: float, certain: float
) -> Any:
    """The bound of the result of one operation, entry by entry, see `Context.rounded`.

    A formula of what is propagated that ends with this, and is given `Context.rounding`, is one pass over memory.

    Args:
        share: of the result, what rounding it may add.
        growth: by how much rounding it may make what is propagated larger.
        certain: up to which bound no result may overflow.
    """
    magnitude = np.abs(value)
    bound = share * magnitude
    bound += INFLATION * (underflows * eta + TINY_64)
    if propagated is not None:
        bound += growth * propagated
    if most(bound) <= certain or most(magnitude) + most(bound) <= largest:
        return bound
    # A member may overflow, or a bound is not finite.
    return where(magnitude + bound <= largest, bound, np.inf)


def summand_bound(value: Any, bound: Any, parts: Any, u: float) -> Any:
    """The bound of what may be read before its last rounding, entry by entry."""
    return bound + u * (np.abs(value) + parts)


def _place(array: Any) -> Any:
    """Where an array is in memory; a number itself."""
    if not isinstance(array, np.ndarray):
        return array
    return array.__array_interface__["data"][0], array.shape, array.strides


class Bounded(Enclosure, np.lib.mixins.NDArrayOperatorsMixin):
    """An array of float64 centres with bounds of the same shape; made by `Context.exact`."""

    __slots__ = ("bound", "context", "parts", "terms", "value")

    def __init__(self, value: Any, bound: Any, context: Context, terms: int = 0) -> None:
        self.value: Floats = value
        self.bound: Floats = bound
        self.context = context
        self.terms = terms
        """How often more what is added to this may be rounded, in units of u of an accumulation of products, if this
        is a fresh sum: it may have been the first value of the accumulator."""
        self.parts: Floats | float | None = None
        """Where a sum, or a product with a single number, may read this before its last rounding: what is rounded
        besides it, in its parts."""

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    dtype = property(lambda self: self.value.dtype)

    @property
    def contracted(self) -> bool:
        """Whether a sum, or a product with a single number, may read this before its last rounding."""
        return self.parts is not None

    @property
    def known(self) -> bool:
        """Whether every program is certain to know every entry exactly."""
        return not any(self.bound.strides) and not (self.bound.size and self.bound.item(0))

    @property
    def known_unrounded(self) -> bool:
        """Whether a sum is certain to read every entry exactly, too."""
        return self.known and not self.contracted

    @property
    def T(self) -> Bounded:
        """As numpy.ndarray.T."""
        return self.moved(np.transpose)

    @property
    def as_summand(self) -> Floats:
        """The bound of what a sum reads, or a product that may be regrouped."""
        if self.parts is None:
            return self.bound
        return in_blocks(summand_bound, self.value, self.bound, self.parts, self.context.profile.u)

    @property
    def as_factor(self) -> Floats:
        """The bound of what a matrix product reads, into which a compiler may put the sum that gives it."""
        if self.parts is None or (np.ndim(self.parts) == 0 and not self.parts):
            return self.bound
        return self.bound + self.context.profile.u * self.parts

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: Any) -> Bounded:
        return self.moved(lambda array: array[index])

    def reshape(self, *shape: int) -> Bounded:
        """As numpy.ndarray.reshape."""
        return self.moved(lambda array: array.reshape(*shape or [()]))

    def swapaxes(self, first: int, second: int) -> Bounded:
        """As numpy.ndarray.swapaxes."""
        return self.moved(lambda array: array.swapaxes(first, second))

    def moved(self, change: Callable[[Floats], Floats]) -> Bounded:
        """After a change that only moves entries, or repeats them; what reads them may still read them unrounded."""
        result = Bounded(change(self.value), change(self.bound), self.context, self.terms)
        if self.parts is not None:
            result.parts = change(self.parts) if isinstance(self.parts, np.ndarray) else self.parts
        return result

    def widened(self, room: Any) -> Bounded:
        """With so much more room in every entry."""
        return Bounded(self.value, self.bound + room, self.context)

    def stored(self) -> Bounded:
        """After the rounding with which a link's result is kept, where it was computed in a wider format.

        What every program is certain to know exactly is moved only, and was read from numbers of that format.
        """
        if self.context.profile.stored is None or self.known:
            return self
        u, eta, largest = self.context.profile.stored
        magnitude = np.abs(self.value)
        room = np.where(self.bound == 0, 0.0, INFLATION * (u * (magnitude + self.bound) + eta))
        bound = INFLATION * (self.bound + room)
        return Bounded(self.value, np.where(magnitude + bound <= largest, bound, np.inf), self.context)

    def read_by(self, context: Context) -> Bounded:
        """The same, read by a link of another context."""
        result = Bounded(self.value, self.bound, context, self.terms)
        result.parts = self.parts
        return result

    def with_bound(self, bound: Floats) -> Bounded:
        """With another bound, read as before."""
        result = Bounded(self.value, bound, self.context, self.terms)
        result.parts = self.parts
        return result

    def sum(self, axis: Any = None, keepdims: bool = False) -> Bounded:
        """As numpy.sum; the bound holds for any order of summation."""
        return _apply(RULES[np.sum], self, axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Bounded:
        """As numpy.mean; the bound holds for any order of summation, divided by the number of terms afterwards."""
        return _apply(RULES[np.mean], self, axis, keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Bounded:
        """As numpy.max."""
        return _apply(RULES[np.max], self, axis, keepdims)

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, out: Any = None) -> Any:
        rule = RULES.get(ufunc) if method == "__call__" else None
        if rule is None:
            return NotImplemented
        result = _apply(rule, *self._bounded(operands))
        if out is None:
            return result
        (target,) = out
        if not isinstance(target, Bounded):
            return NotImplemented
        target.value, target.bound, target.terms = result.value, result.bound, result.terms
        return target

    def __array_function__(self, function: Any, types: Any, operands: Any, options: Any) -> Any:
        rule = RULES.get(function)
        return NotImplemented if rule is None else _apply(rule, *operands, **options)

    def __primitive__(self, function: Any, operands: tuple[Any, ...]) -> Any:
        """A named primitive: by its rule, or composed of its body's operations where it has none."""
        result = _apply(RULES.get(function, function.body), *operands)
        if function in TERMS and not self.context.profile.eager:
            result.terms = (TERMS[function] - 1) * self.context.profile.meeting
        return result

    def _bounded(self, operands: tuple[Any, ...]) -> list[Bounded]:
        return [o if isinstance(o, Bounded) else self.context.constant(o) for o in operands]

    def __repr__(self) -> str:
        return f"Bounded({self.value!r}, bound={self.bound!r})"


def _apply(rule: Callable[..., Bounded], *operands: Any, **options: Any) -> Bounded:
    # Where a value or bound is not finite, nothing is bounded there: `rounded` says so with inf.
    with np.errstate(all="ignore"):
        return rule(*operands, **options)


def rule_for(*functions: Any, terms: int = 1) -> Callable[[Callable[..., Bounded]], Callable[..., Bounded]]:
    """Register a rule for NumPy functions or named primitives; `terms`, see `TERMS`."""

    def register(rule: Callable[..., Bounded]) -> Callable[..., Bounded]:
        RULES.update(dict.fromkeys(functions, rule))
        TERMS.update(dict.fromkeys(functions, terms) if terms > 1 else {})
        return rule

    return register


def rounded(tensor: Any, format_: Format) -> Any:
    """A tensor rounded to nearest to a format.

    Rounding is monotone: the ends of a bounded entry, rounded, bound what any member is rounded to. Where both are the
    same number, which is nearly everywhere, every member is rounded to that number.
    """
    if isinstance(tensor, Bounded):
        value = rounded_to(tensor.value, format_)
        low = rounded_to(np.nextafter(tensor.value - tensor.bound, -np.inf), format_)
        high = rounded_to(np.nextafter(tensor.value + tensor.bound, np.inf), format_)
        exact = tensor.bound == 0
        bound = np.where(exact, 0.0, np.maximum(high - value, value - low))
        return Bounded(value, np.where(np.isnan(bound), np.inf, bound), tensor.context)
    return rounded_to(tensor, format_) if is_real(np.asarray(tensor)) else tensor


def holds(array: Any, dtype: str) -> bool:
    """Whether every entry is exactly a number of that dtype."""
    entries = np.asarray(array, np.float64)
    return bool(np.all(rounded_to(entries, dtype) == entries))


def adds_terms(rule: Callable[..., Any]) -> bool:
    """Whether a layer's rule calls a primitive of `TERMS`."""
    function = getattr(rule, "__func__", rule)
    names = getattr(getattr(function, "__code__", None), "co_names", ())
    called = (function.__globals__.get(name) for name in names)
    return any(each in TERMS for each in called if callable(each))
