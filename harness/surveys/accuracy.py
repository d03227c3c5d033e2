"""How far an implementation's elementary functions are from the truth, in units of u, the unit roundoff.

The constants table promises |computed - f(x)| <= c u |f(x)| + eta, or c u + eta where the constant is
absolute. Measured is the smallest c that would do, less what the truth itself is in doubt by: what is
called worse than the table is certainly worse. Where an operand is below eta, and may be flushed, f at
zero is as good. Nothing is promised, hence judged, outside the domain of f, where f at such a zero does
not exist, where f, c u |f| added, overflows, and for a quotient x * (1/y) where 1/y is below eta.

A function that is worse than the table can be the cause of a wrong link, which then is no wrong gradient: it is
evaluated by itself, at the very arguments of the link.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec.structs import replace

from harness.arithmetic.bounded import Floats
from harness.arithmetic.profile import Profile, constants_table, profile_of
from harness.arithmetic.true_values import NoTruthError, TrueValues, true_values
from harness.candidates.conformance import BreachError, guarded
from harness.comparison.judge import Row
from harness.evaluation.given import read_only
from impls.abilities import Computes
from impls.contract import CPU, Arithmetic, Array
from impls.graph import Graph, Link

Tried = str
"""``sample``, or ``every`` number of a dtype."""
Truth = tuple[TrueValues, TrueValues | None]


@dataclass(frozen=True)
class Worst:
    """The largest error among a number of points, in u, and where it was.

    Attributes:
        points: arguments at which something is promised.
        error: infinite where the computed value is NaN or infinite and the true one is not.
        at: the operands there.
    """

    points: int = 0
    error: float = 0.0
    at: tuple[float, ...] = ()
    computed: float = 0.0
    expected: float = 0.0

    def or_worse(self, other: Worst) -> Worst:
        """The worst of both."""
        worse = other if other.error > self.error or not self.at else self
        return Worst(self.points + other.points, worse.error, worse.at, worse.computed, worse.expected)


class Accuracy(msgspec.Struct, frozen=True):
    """One function of one implementation in one dtype, judged.

    Attributes:
        constant: what the table allows, in u.
        unit: relative (u |f|) or absolute (u).
        points: arguments at which the table promises something.
        largest: the largest error seen there, in u; infinite (in JSON null) if no finite value came.
        at: the operands there; `computed` and `expected` are the values.
        reason: what a verdict other than ok means here.
    """

    function: str
    against: str
    dtype: str
    verdict: Literal["ok", "EXCEEDS", "failed", "not calibrated"]
    constant: float
    unit: Literal["relative", "absolute"]
    tried: Tried
    points: int = 0
    largest: float | None = None
    at: tuple[float, ...] = ()
    computed: float | None = None
    expected: float | None = None
    reason: str | None = None


def known(function: str, *x: Array) -> Truth:
    """The truth at x, and with operands below the smallest normal number flushed, if there are any.

    Raises:
        NoTruthError: something needed to know it is not installed.
    """
    eta = profile_of(str(x[0].dtype)).eta
    flushed = [np.where(np.abs(operand) < eta, operand * 0, operand) for operand in x]
    changed = any(np.any(operand != zero) for operand, zero in zip(x, flushed, strict=True))
    return true_values(function, *x), true_values(function, *flushed) if changed else None


def evaluated(call: Callable[..., Array], *x: Array) -> Array:
    """What an implementation's function gives.

    Raises:
        BreachError: it raised, or returned another shape or dtype.
    """
    given = read_only({str(position): operand for position, operand in enumerate(x)})  # copies of its own
    result = guarded(lambda: call(*given.values()), {}, {})
    if not isinstance(result, np.ndarray | np.generic):
        raise BreachError("dtype", f"returned {type(result).__name__}, not a NumPy array")
    if (result.shape, result.dtype) != (x[0].shape, x[0].dtype):
        message = f"returned {result.dtype} of shape {result.shape} instead of {x[0].dtype} of shape {x[0].shape}"
        raise BreachError("shape", message)
    return np.asarray(result)


def measured(function: str, x: tuple[Array, ...], computed: Array, truth: Truth, device: str = CPU) -> Worst:
    """The largest error of `computed` at x, given what is `known` there; by the table of a device."""
    dtype = str(x[0].dtype)
    profile, absolute = _profile(dtype, device), _is_absolute(function, dtype)
    at_x, at_flushed = truth
    besides = profile.eta * (profile.lost_reciprocal if function == "sigmoid" else 1.0)
    besides += profile.besides.get(function, 0.0) * profile.u
    with np.errstate(all="ignore"):
        error = _errors(computed, at_x, profile, absolute, besides)
        reach = np.abs(at_x.value) * (1 + profile.constants[function] * profile.u)
        promised = reach <= profile.largest
        if at_flushed is not None:
            error = np.minimum(error, _errors(computed, at_flushed, profile, absolute, besides))
            promised &= np.isfinite(at_flushed.value)
        for divisor in x[1:]:
            size = np.abs(np.asarray(divisor, np.float64))
            promised &= (size * profile.eta <= 1) & (size * profile.largest >= 1)
    points = int(np.count_nonzero(promised))
    if not points:
        return Worst()
    worst = np.unravel_index(int(np.where(promised, error, -1.0).argmax()), error.shape)
    at = tuple(float(np.broadcast_to(operand, error.shape)[worst]) for operand in x)
    return Worst(points, float(error[worst]), at, float(computed[worst]), float(at_x.value[worst]))


def _errors(computed: Array, true: TrueValues, profile: Profile, absolute: bool, besides: float) -> Floats:
    # The difference of neighbours is exact, so the tail is not lost in it.
    difference = np.abs((computed.astype(np.float64) - true.value) - true.tail)
    scale = np.ones_like(true.value) if absolute else np.abs(true.value)
    excess = difference - besides - true.doubt * scale
    return np.where(excess > 0, excess / scale / profile.u, np.where(np.isnan(excess), np.inf, 0.0))


def _profile(dtype: str, device: str) -> Profile:
    return profile_of(dtype, arithmetic=Arithmetic(device=device.partition(":")[0]))


def _is_absolute(function: str, dtype: str) -> bool:
    return "relative" not in constants_table()[dtype][function]


def judged(function: str, against: str, dtype: str, tried: Tried, worst: Worst, device: str = CPU) -> Accuracy:
    """A row with its verdict against the table."""
    row = replace(
        unmeasured("ok", function, against, dtype, tried, None, device),
        points=worst.points,
        largest=worst.error,
        at=worst.at,
        computed=worst.computed,
        expected=worst.expected,
    )
    return row if worst.error <= row.constant else replace(row, verdict="EXCEEDS", reason=_sentence(row))


def unmeasured(
    verdict: Literal["ok", "failed", "not calibrated"],
    function: str, against: str, dtype: str, tried: Tried, reason: str | None, device: str = CPU,
) -> Accuracy:  # fmt: skip
    """A row without a measurement, saying why."""
    constant = _profile(dtype, device).constants[function]
    unit: Literal["relative", "absolute"] = "absolute" if _is_absolute(function, dtype) else "relative"
    return Accuracy(function, against, dtype, verdict, constant, unit, tried, reason=reason)


def _sentence(row: Accuracy) -> str:
    f = f"{row.function} of {row.against}"
    if not np.isfinite(row.largest or 0.0):
        return f"{f} is {row.computed} on this machine, true is {row.expected:.9g} (at {place(row)})"
    return f"{f} is off by {size(row)} u on this machine, the table says {row.constant:g} u (at {place(row)})"


def size(row: Accuracy) -> str:
    """The largest error in u, with as many decimals as it takes to print more than the constant if it is more."""
    error = row.largest or 0.0
    if not np.isfinite(error):
        return "not finite"
    enough = (d for d in range(2, 17) if (round(error, d) > row.constant) == (error > row.constant))
    return f"{error:.{next(enough, 17)}f}"


def place(row: Accuracy) -> str:
    """Where the largest error is, in the shortest digits that give the same number of that dtype."""
    number = np.dtype(row.dtype).type
    return ", ".join(f"{name} = {number(value)!s}" for name, value in zip("xy", row.at, strict=False))


def exceeding(against: str, implementation: Any, function: str, *x: Array) -> str | None:
    """The sentence that says that a function of an implementation is worse than the table at some of x.

    None if it is not, or if that cannot be told: the implementation does not show its functions, breaks
    the contract, or what computes the truth is not installed.
    """
    if not isinstance(implementation, Computes):
        return None
    try:
        computed = evaluated(implementation.elementary()[function], *x)
        device = str(getattr(implementation, "device", CPU))
        worst = measured(function, x, computed, known(function, *x), device)
    except (BreachError, NoTruthError, KeyError):
        return None
    return judged(function, against, str(x[0].dtype), "sample", worst, device).reason


def with_causes(rows: list[Row], network: Graph, tensors: Mapping[str, Array], implementation: Any) -> list[Row]:
    """Rows of one pass; a wrong forward link that a poor elementary function explains says so.

    Args:
        tensors: those of the pass, in its dtype.
        implementation: what made them, built for that dtype.
    """
    links = {link.output: link for link in network.forward_links}
    return [
        replace(row, cause=_cause(row, links[row.gradient], tensors, implementation))
        if row.verdict == "FAULT" and row.gradient in links
        else row
        for row in rows
    ]


def _cause(row: Row, link: Link, tensors: Mapping[str, Array], implementation: Any) -> str | None:
    sentences = [
        exceeding(row.against, implementation, function, tensors[link.inputs[0]])
        for function in getattr(link.layer, "elementary", ())
    ]
    return next(filter(None, sentences), None)
