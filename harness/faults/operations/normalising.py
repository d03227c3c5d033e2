r"""Mistakes in the backward pass of a normalisation: layer norm, RMS norm, batch norm, softmax.

    y  = x^ w + b        x^ = r (x - mean x)        r = 1 / sqrt(var x + eps)
    dx = r (g - mean g - x^ mean(g x^))             g = dy w         dw = sum dy x^

Means over the axes that are normalised, n entries; RMS norm has no mean and so no term ``mean g``. With ddof the
variance and the last mean divide by n - ddof; with eps outside the root, r = 1 / (sqrt(var x) + eps).

    softmax       dz = a (dy - sum(dy a))           log-softmax    dz = dy - p sum dy

The reference is a function that nobody can look into: the form is *found*, by trying which of them gives the
reference's own gradient within its allowance. Only then are the mistakes of that form tried. The formulas are plain
NumPy on bounded arrays, so that each comes with its allowance.

Sources: Ioffe and Szegedy, "Batch normalization" (2015), section 3; Ba, Kiros and Hinton, "Layer normalization"
(2016), equation (4); Zhang and Sennrich, "Root mean square layer normalization" (2019), equation (4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from harness.arithmetic import Bounded
from harness.evaluation.references.expected import gradient_of
from harness.evaluation.references.reference import Reference
from harness.faults.operations.operation_fault import OperationFault
from harness.faults.operations.situation import Situation, within

EPSILONS = (1e-5, 1e-6, 1e-8, 1e-12, 1e-3, 1e-4, 0.0)
"""In use: 1e-5 in torch, 1e-6 in flax and many transformers, 1e-8 and 1e-12 in others, 1e-3 in Keras."""
AXES: dict[int, tuple[tuple[int, ...], ...]] = {
    1: ((0,),),
    2: ((1,), (0,)),
    3: ((2,), (0, 1), (1, 2), (0, 2)),
    4: ((3,), (0, 2, 3), (1, 2, 3), (2, 3), (0, 1, 2)),
}
EPSILON, DIVISOR = "another epsilon", ("biased for unbiased", "variance over one less")
"""The causes of another epsilon, and of another divisor, n and n − 1."""
LARGEST = 2**16
"""Entries up to which a form is looked for: hundreds of them are tried."""
MEAN, SHARE = "mean", "variance"


@dataclass(frozen=True)
class Form:
    """One way to normalise; `weight` names the input that scales, which may be offset by 1.

    `of_term` is the ddof of the last mean, where it is not that of the variance.
    """

    axes: tuple[int, ...]
    centred: bool
    eps: float
    weight: str | None
    offset: bool = False
    outside: bool = False
    ddof: int = 0
    of_term: int | None = None

    def gradients(
        self, at: Situation, x: str, without: tuple[str, ...] = (), *, plain: bool = False
    ) -> tuple[Any, Any]:
        """dx, and dy x^ before it is summed to dw, bounded or in plain floats; terms of dx may be left out."""
        exact = (lambda array: np.asarray(array, np.float64)) if plain else at.context.exact
        g = dy = exact(at.upstream)
        n = int(np.prod([at.upstream.shape[axis] for axis in self.axes]))
        if self.weight is not None:
            w = exact(_spread(at.inputs[self.weight], at.upstream.shape))
            g = g * (w + 1) if self.offset else g * w
        given = exact(at.inputs[x])
        c = given - self._mean(given, n) if self.centred else given
        variance = self._sum(np.square(c)) / (n - self.ddof)
        root = np.sqrt(variance if self.outside else variance + self.eps)
        r = 1 / (root + self.eps) if self.outside else 1 / root
        dx = g
        if self.centred and MEAN not in without:
            dx = dx - self._mean(g, n)
        if SHARE not in without:
            # x^ is c r; with eps outside one of the two r is that of the root alone.
            of_term = self.ddof if self.of_term is None else self.of_term
            dx = dx - c * r * self._sum(g * c / root) / (n - of_term)
        return dx * r, dy * (c * r)

    def _sum(self, array: Any) -> Any:
        return array.sum(axis=self.axes, keepdims=True)

    def _mean(self, array: Any, n: int) -> Any:
        return self._sum(array) / n


def _spread(weight: Any, shape: tuple[int, ...]) -> Any:
    """A weight as it broadcasts: as it stands, or a channel weight (C,) as (C, 1, 1)."""
    try:
        np.broadcast_shapes(weight.shape, shape)
    except ValueError:
        return weight.reshape(weight.shape + (1,) * (len(shape) - 2))
    return weight


def normalisations(at: Situation, name: str) -> Iterator[OperationFault]:
    """Mistakes of the normalisation that the reference turns out to be; nothing if it is none."""
    yield from _softmaxes(at, name)
    found = _form(at)
    if found is None:
        return
    x, form = found
    if name == x:
        yield from _terms(at, x, form)
        yield from _variants(at, x, form)
    elif name == form.weight:
        yield from _weights(at, name, x, form)


FOUND: WeakKeyDictionary[Reference, tuple[str, Form]] = WeakKeyDictionary()
"""The forms of references, found once."""


def _form(at: Situation) -> tuple[str, Form] | None:
    with np.errstate(all="ignore"):  # most forms are not the reference's, and some divide by 0
        if at.reference not in FOUND and (found := _searched(at)):
            FOUND[at.reference] = found
    return FOUND.get(at.reference)


def _searched(at: Situation) -> tuple[str, Form] | None:
    if at.upstream.size > LARGEST:
        return None
    shaped = [name for name in at.reals if at.inputs[name].shape == at.upstream.shape and name in at.expected]
    for x in shaped:
        others: list[str | None] = [None, *[n for n in at.reals if n != x and _may_scale(at, n)]]
        axes = AXES.get(at.upstream.ndim, ())
        for weight, axis, centred, ddof in product(others, axes, (True, False), (0, 1)):
            for eps, outside, offset in product(EPSILONS, (False, True), (False, True)):
                if (offset and weight is None) or (outside and not eps) or _divisor(at, axis) <= ddof:
                    continue
                form = Form(axis, centred, eps, weight, offset, outside, ddof)
                # Hundreds are tried: in plain floats first, which nearly every one is refuted by.
                right = at.expected[x]
                if within(form.gradients(at, x, plain=True)[0], right.value, right.bounded) and _agrees(
                    form.gradients(at, x)[0], at.expected[x]
                ):
                    return x, form
    return None


def _divisor(at: Situation, axes: tuple[int, ...]) -> int:
    return int(np.prod([at.upstream.shape[axis] for axis in axes]))


def _may_scale(at: Situation, name: str) -> bool:
    try:
        return np.broadcast_shapes(_spread(at.inputs[name], at.upstream.shape).shape, at.upstream.shape) == (
            at.upstream.shape
        )
    except ValueError:
        return False


def _agrees(found: Bounded, right: Bounded) -> bool:
    both = found.widened(right.bound)
    return bool(both.bounded.any()) and both.holds(right.value)


def _with_room(at: Situation, name: str, tensor: Bounded) -> Bounded:
    """A formula's own allowance, and the reference's: the candidate may compute the same mistake in another way."""
    return tensor.widened(at.expected[name].bound)


def _terms(at: Situation, x: str, form: Form) -> Iterator[OperationFault]:
    left_out = {
        (MEAN,): "the mean term is missing (− mean(g))",
        (SHARE,): "the variance term is missing (− x̂ mean(g x̂))",
        (MEAN, SHARE): "the mean and the variance are treated as constants (both terms are missing)",
    }
    for without, says in left_out.items():
        if form.centred or without == (SHARE,):
            predict = partial(_dx, at, x, form, without)
            yield OperationFault("mean term missing", f"{says}, in {gradient_of(x)}", predict)


def _variants(at: Situation, x: str, form: Form) -> Iterator[OperationFault]:
    changed: dict[str, tuple[str, Form]] = {}
    for eps in EPSILONS:
        changed[f"eps is {eps:g} instead of {form.eps:g}"] = (EPSILON, replace(form, eps=eps, outside=False))
    where = "inside" if form.outside else "outside"
    changed[f"eps is added {where} the root"] = (
        EPSILON if form.outside else "epsilon outside the root", replace(form, outside=not form.outside),
    )  # fmt: skip
    if _divisor(at, form.axes) > 1:
        other = 1 - form.ddof
        divisors = ("n", "n − 1")
        by = f"by {divisors[other]} instead of {divisors[form.ddof]}"
        cause = DIVISOR[other]
        changed[f"the variance divides {by}"] = cause, replace(form, ddof=other)
        changed[f"the variance divides {by}, the mean of g x̂ does not"] = (
            cause, replace(form, ddof=other, of_term=form.ddof),
        )  # fmt: skip
        changed[f"the mean of g x̂ divides {by}, the variance does not"] = cause, replace(form, of_term=other)
    changed[f"the mean is {'not subtracted' if form.centred else 'subtracted'}"] = (
        "mean term missing", replace(form, centred=not form.centred),
    )  # fmt: skip
    if form.weight is not None:
        told = f"{form.weight} is used in place of 1 + {form.weight}" if form.offset else (
            f"1 + {form.weight} is used in place of {form.weight}"
        )  # fmt: skip
        changed[told] = ("weight offset", replace(form, offset=not form.offset))
        changed[f"{form.weight} is left out"] = ("operand missing", replace(form, weight=None))
    for axes in AXES[at.upstream.ndim]:
        if axes != form.axes:
            changed[f"means are over axes {axes} instead of {form.axes}"] = ("wrong axis", replace(form, axes=axes))
    for says, (cause, other_form) in changed.items():
        if other_form != form:
            yield OperationFault(cause, f"{says}, in {gradient_of(x)}", partial(_dx, at, x, other_form, ()))


def _dx(at: Situation, x: str, form: Form, without: tuple[str, ...]) -> Bounded:
    return _with_room(at, x, form.gradients(at, x, without)[0])


def _weights(at: Situation, name: str, x: str, form: Form) -> Iterator[OperationFault]:
    dx = gradient_of(name)

    def summed(product_of: Any) -> Bounded:
        shape = _spread(at.inputs[name], at.upstream.shape).shape
        padded = (1,) * (at.upstream.ndim - len(shape)) + shape
        axes = tuple(i for i, size in enumerate(padded) if size == 1)
        return _with_room(at, name, product_of.sum(axis=axes, keepdims=True).reshape(*at.inputs[name].shape))

    def raw() -> Bounded:
        return summed(at.context.exact(at.upstream) * at.context.exact(at.inputs[x]))

    yield OperationFault("wrong operand", f"{x} is used in place of x̂, in {dx}", raw)
    changed = {
        f"eps is {eps:g} instead of {form.eps:g}": (EPSILON, replace(form, eps=eps, outside=False)) for eps in EPSILONS
    }
    if _divisor(at, form.axes) > 1:
        n = ("n", "n − 1")
        by = f"by {n[1 - form.ddof]} instead of {n[form.ddof]}"
        changed[f"the variance divides {by}"] = DIVISOR[1 - form.ddof], replace(form, ddof=1 - form.ddof)
    for says, (cause, other) in changed.items():
        if other != form:
            predict = partial(lambda other: summed(other.gradients(at, x)[1]), other)
            yield OperationFault(cause, f"{says}, in {dx}", predict)


def _softmaxes(at: Situation, name: str) -> Iterator[OperationFault]:
    dx = gradient_of(name)
    if at.inputs[name].shape != at.upstream.shape or len(at.expected) != 1:
        return
    output, dy = at.output, at.context.exact(at.upstream)
    for axis in range(at.upstream.ndim):
        p = np.exp(output)
        soft = output * (dy - (dy * output).sum(axis=axis, keepdims=True))
        log_soft = dy - p * dy.sum(axis=axis, keepdims=True)
        forms: list[tuple[str, Any, dict[str, Any]]] = [
            ("softmax", soft, {
                "the sum term is missing (− a sum(dy a))": output * dy,
                "only the diagonal of the Jacobian is used (a (1 − a))": output * (1 - output) * dy,
                "the sum is not weighted by a": output * (dy - dy.sum(axis=axis, keepdims=True)),
            }),
            ("log-softmax", log_soft, {
                "the sum of the upstream is missing (it is 1 for a loss only)": dy - p,
                "the upstream is not summed": dy - p * dy,
            }),
        ]  # fmt: skip
        for kind, right, mistakes in forms:
            if _agrees(right, at.expected[name]):
                for says, wrong in mistakes.items():
                    told = f"{says}, in {dx} of a {kind} over axis {axis}"
                    yield OperationFault("mean term missing", told, partial(_with_room, at, name, wrong))
