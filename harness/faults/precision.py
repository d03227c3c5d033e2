"""Lower precision than claimed: a link computed, accumulated or stored with fewer digits.

    computed in float32         operands, every operation and the result rounded to 24 bits
    accumulated in float32      the products exact to 53 bits, their sum kept in 24
    rounded to float16          the result rounded to 11 bits
    rounded to bfloat16         the result rounded to 8 bits

On plain arrays a rule does what it says. On bounded arrays it gives the bound of every program that does so: in the
profile of float32, of an accumulation with its unit roundoff, or of one more rounding. The first two are wide, so wide
that a small term of another kind is within them.

So a wide bound is no evidence. That the numbers are exactly numbers of the narrow dtype is: a number of float64 is one
of float32 by chance once in 2^29 times. Where the numbers are not shown, only the same operations in the same order,
replayed to the last digit, are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, Context, Profile, profile_of
from harness.arithmetic.bounded import rounded
from harness.faults.fault import Fault
from harness.faults.place import Place
from harness.formats import FORMATS
from impls.contract import is_real
from impls.graph import Rule
from impls.hand import Dense
from impls.hand.layers.dense import rows_of

WIDE = ("computed in float32", "accumulated in float32")
"""Those whose rounding depends on the order of operations, so that their allowance is wide."""

DTYPES = {
    "computed in float32": "float32", "accumulated in float32": "float32",
    "rounded to float16": "float16", "rounded to bfloat16": "bfloat16",
}  # fmt: skip
"""What the result is rounded to, by cause."""


def precision_faults(place: Place) -> Iterator[Fault]:
    """Lower precision at any link."""
    at = place.at
    says = f"{at} has the accuracy of float32, not that of the dtype it is returned in"
    yield place.fault("computed in float32", says, f"{at} in float32", lambda t: _in_float32(place, t))
    if place.of_rule(_TERMS):
        says = f"{at} is accurate as a sum kept in float32 is, not as one in the dtype it is returned in"
        yield place.fault("accumulated in float32", says, f"{at}, summed in float32", lambda t: _accumulated(place, t))
    for dtype in ("float16", "bfloat16"):
        says = f"{at} is rounded to {dtype}"
        rule = lambda t, of=FORMATS[dtype]: rounded(place.link(t), of)  # noqa: E731
        yield place.fault(f"rounded to {dtype}", says, f"{dtype}({at})", rule)


def _in_float32(place: Place, t: Mapping[str, Any]) -> Any:
    read = {name: t[name] for name in place.link.inputs}
    if not any(isinstance(tensor, Bounded) for tensor in read.values()):
        with np.errstate(over="ignore", invalid="ignore"):
            narrow = {n: a.astype(np.float32) if is_real(a) else a for n, a in read.items()}
            return np.asarray(place.link(narrow), np.float64)
    operands = {name: rounded(tensor, FORMATS["float32"]) for name, tensor in read.items()}
    return _in(profile_of("float32"), place, operands)


def _accumulated(place: Place, t: Mapping[str, Any]) -> Any:
    read = {name: t[name] for name in place.link.inputs}
    if any(isinstance(tensor, Bounded) for tensor in read.values()):
        own = next(tensor for tensor in read.values() if isinstance(tensor, Bounded)).context.profile
        return _in(replace(own, u_acc=(u := FORMATS["float32"].u), u_sum=u, u_met=u), place, read)
    terms = place.of_rule(_TERMS)
    assert terms is not None
    total: Any = np.float32(0)
    for term in terms(*(t[name] for name in place.link.inputs)):
        total = (total + np.asarray(term, np.float64)).astype(np.float32)
    return total.astype(np.float64)


def _products(dz: Any, x: Any) -> Iterator[Any]:
    return (row[:, None] * upstream for row, upstream in zip(rows_of(x), rows_of(dz), strict=True))


def _paths(dz: Any, W: Any) -> Iterator[Any]:
    return (dz[..., [j]] * W[:, j] for j in range(W.shape[1]))


_TERMS: Mapping[type, Mapping[str, Callable[..., Iterator[Any]]]] = {
    Dense: {"dW": _products, "db": lambda dz: iter(rows_of(dz)), "dx": _paths}
}
"""What is added up, one term after the other, by the rules that add: from what the rule reads."""


def _in(profile: Profile, place: Place, read: Mapping[str, Any]) -> Any:
    """The link in another profile: bounded operands go in with their bounds and the result comes out with its own."""
    contexts = [tensor.context for tensor in read.values() if isinstance(tensor, Bounded)]
    inner = Context(profile)
    result = place.link({name: _moved(tensor, inner) for name, tensor in read.items()})
    contexts[0].undecided += inner.undecided
    return _moved(result, contexts[0])


def _moved(tensor: Any, context: Context) -> Any:
    return Bounded(tensor.value, tensor.bound, context) if isinstance(tensor, Bounded) else tensor


def replayed(rule: Rule) -> Rule:
    """A rule as it runs on plain arrays, for bounded ones: what this order of operations gives, and no other."""

    def on(t: Mapping[str, Any]) -> Any:
        context = next(tensor.context for tensor in t.values() if isinstance(tensor, Bounded))
        return context.exact(rule({n: a.value if isinstance(a, Bounded) else a for n, a in t.items()}))

    return on
