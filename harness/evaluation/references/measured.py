r"""A differentiable torch or JAX function as the reference, run in float64; its allowance is measured, not derived.

No hand rule says how much rounding the function's formula causes, so that is measured on the function itself: at
points near by, that float32 holds exactly, it is run in float32 and in float64, and the difference is what rounding
did. Where terms cancel exactly, as in a softmax whose output is one-hot, nothing is rounded that way, but another
formula of the same gradient may well round the terms. So it is also run in float64 with every number that an
operation computes on the way, forward and backward, moved by a random share of u_32: once all up, once all down, and
the smaller of the two changes is what rounding the terms can do. (The smaller, since an argument that lands on a kink
leaves it one way only.) With G the largest of all these gaps of an entry, over `POINTS` points jittered by up to 4 ulp,

    allowed = c (u / u_32 (G + largest G of the tensor) / 2  +  u |value|)  +  eta

where u is the unit roundoff of the candidate's dtype, u_32 that of float32, and eta what is lost where a result is
below the normal numbers of the dtype. The largest gap of the tensor is mixed
in because an entry may have been lucky at every point, and because a right program may lose in one entry what the
reference loses in another. The last term is the rounding of the result itself, for where the reference is exact.

Of a candidate in bfloat16 or float16 all of this is measured in that format in place of float32: its inputs are numbers
of the format already, so that the function is run on the very same ones, widened to float64, and operation by
operation in the format.

The factor c is between two things. A right program by another formula or in another order has another rounding error,
seldom more than a few times as large. A program that works in the next lower precision has errors 2^13 times as large
(float32 with TF32 or half precision operands), or 2^29 times (float64 with float32 inside); 2^3 (float16 with bfloat16
inside) or 2^4 (bfloat16 with an 8-bit float) where there are so few digits to lose. c is about the square root of the
nearer, as far above the one as below the other: 128 = 2^7, and 4 = 2^2 in 16 bits. It is a choice, which is why rows
judged by it are marked ``measured`` and never count as derived.

Source: Higham, "Accuracy and Stability of Numerical Algorithms" (2002), section 1.8, on estimating the accuracy of a
computation by running it in two precisions; Parker, "Monte Carlo arithmetic" (1997), on perturbing every operation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, Context, profile_of
from harness.formats import FORMATS, WIDE
from harness.inputs.frameworks import differentiating, loaded_hosts
from harness.inputs.outputs import Parts, each_of, flat, joined, parts_of, reals_of
from harness.usage import UsageError, told, visible
from impls.abilities import Hosts
from impls.contract import CPU, Array, is_real

FACTOR = {"float64": 128, "float32": 128, "float16": 4, "bfloat16": 4}
POINTS = 2
JITTER = 4
"""Largest number of ulp, of the format that is measured in, by which an input is moved."""


class MeasuredReference:
    """A function on one framework's arrays, differentiated by that framework.

    Args:
        other_than: a package whose it is not.
        device: where it is run in less than float64, to see what rounding does there; in float64 it is on the CPU.

    Attributes:
        measured: True, since no allowance is derived.
        inputs: names in the order of the function's parameters.
        differentiable: those of them that hold reals.
    """

    measured = True

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: Mapping[str, Array],
        constant: Collection[str] = (),
        other_than: str = "",
        device: str = CPU,
    ) -> None:
        self.inputs = tuple(inputs)
        reals = [name for name, array in inputs.items() if is_real(array)]
        self.differentiable = tuple(name for name in reals if name not in constant)
        if not self.differentiable:
            why = "have no gradient" if reals else "hold whole numbers"
            raise UsageError(f"Cannot differentiate by {', '.join(inputs)}, because they {why}; give arrays of floats.")
        doubled = [double(array) for array in inputs.values()]
        form, self.host = differentiating(function, doubled, "float64", other_than)
        self._constant, self._device = [name in constant for name in inputs], device
        what = visible(str(getattr(function, "__name__", type(function).__name__)))
        self.name = f"{self.host.package} {what}"
        self._measures(form)

    def _measures(self, form: Callable[..., Any]) -> None:
        self.form, self.function = form, flat(form, self.host, self._constant)
        self._at_once = self.host.at_once(form)
        self._narrow: dict[str, Hosts | None] = {}
        self._parts: dict[tuple[Any, ...], Parts] = {}
        self._known: dict[bytes, tuple[list[Array], list[Array]]] = {}

    def of(self, function: Callable[..., Any]) -> MeasuredReference:
        """Another function of the same inputs, on the same framework's arrays."""
        other = copy(self)
        other._measures(function)
        return other

    def parts(self, inputs: Mapping[str, Array]) -> Parts:
        """The shape of each output."""
        if _shapes(inputs) not in self._parts:
            self._run(self.host, inputs, None)
        return self._parts[_shapes(inputs)]

    def output(self, inputs: Mapping[str, Array], dtype: str) -> Bounded:
        """The output, several one after the other, as programs of the dtype may give it."""
        return self._estimates(inputs, None, dtype)[0]

    def evaluated(self, inputs: Mapping[str, Array]) -> Array:
        """The output in float64, nothing measured."""
        return self._run(self.host, inputs, None)[0]

    def gradients(self, inputs: Mapping[str, Array], upstream: Array, dtype: str) -> dict[str, Bounded]:
        """The gradient of each input that has one, as programs of the dtype may give it."""
        return dict(zip(self.differentiable, self._estimates(inputs, upstream, dtype)[1:], strict=True))

    def values(self, inputs: Mapping[str, Array], upstream: Array) -> dict[str, Array]:
        """The gradients in float64, in one run."""
        return dict(zip(self.differentiable, self._run(self.host, inputs, upstream)[1:], strict=True))

    def _estimates(self, inputs: Mapping[str, Array], upstream: Array | None, dtype: str) -> list[Bounded]:
        within = measured_in(dtype)
        key = _key(inputs, upstream, within)
        if key not in self._known:
            self._known[key] = values, gaps = self._measure(inputs, upstream, within)
            self._known.setdefault(_key(inputs, None, within), (values[:1], gaps[:1]))
        return [allowed(value, gap, dtype, within) for value, gap in zip(*self._known[key], strict=True)]

    def _host_of(self, within: str) -> Hosts | None:
        """Its framework in the format that is measured in; None where it was seen not to run in that."""
        if within not in self._narrow:
            hosts = [host for host in loaded_hosts(within, self._device).values() if host.package == self.host.package]
            self._narrow[within] = hosts[0] if hosts else None
        return self._narrow[within]

    def _measure(
        self, inputs: Mapping[str, Array], upstream: Array | None, within: str
    ) -> tuple[list[Array], list[Array]]:
        """Values in float64, and the gap of each entry, not finite where one of the runs is not."""
        values = self._run(self.host, inputs, upstream)
        rng = np.random.default_rng(0)
        gaps = [np.zeros(value.shape) for value in values]
        with np.errstate(all="ignore"):
            for _ in range(POINTS):
                near = {name: jittered(array, rng, within) for name, array in inputs.items()}
                dy = None if upstream is None else jittered(upstream, rng, within)
                host = self._host_of(within)
                if host is None:
                    continue
                try:
                    narrow = self._run(host, near, dy, within)
                except _NotNarrowError:
                    self._narrow[within] = None
                    continue
                wide = self._run(self.host, near, dy)
                gaps = [np.maximum(g, np.abs(n - w)) for g, n, w in zip(gaps, narrow, wide, strict=True)]
            moves = [self._moved(inputs, upstream, values, way, within) for way in (1, -1)]
            for place, (up, down) in enumerate(zip(*moves, strict=True)):
                least = np.minimum(up, down)
                gaps[place] = np.where(np.isfinite(least), np.maximum(gaps[place], least), gaps[place])
        return values, gaps

    def _moved(
        self, inputs: Mapping[str, Array], upstream: Array | None, values: list[Array], way: int, within: str
    ) -> list[Array]:
        """How far every result moves if all that is computed on the way is moved by up to one rounding up, or down."""
        rng, u = np.random.default_rng(1), FORMATS[within].u
        dy = np.zeros(values[0].shape) if upstream is None else np.asarray(upstream, np.float64)
        try:
            output, gradients = self.host.perturbed(
                self.function, [double(array) for array in inputs.values()], each_of(dy, self.parts(inputs)),
                lambda numbers: numbers * (1 + way * u * rng.uniform(0, 1, numbers.shape)),
            )  # fmt: skip
        except Exception as error:  # compiled, say, and not to be run operation by operation: the gaps alone must do
            if self._narrow[within] is None:
                raise UsageError(
                    f"Cannot measure an allowance with {self.name}, because it runs in {within} neither with inputs of "
                    f"{within} nor operation by operation ({told(error)}); let its inputs decide the dtype."
                ) from error
            return [np.zeros(value.shape) for value in values]
        moved = [joined(output), *self._of_reals(gradients)]
        return [np.abs(m - value) for m, value in zip(moved[: len(values)], values, strict=True)]

    def _of_reals(self, gradients: Sequence[Array | None]) -> list[Any]:
        return [g for g, name in zip(gradients, self.inputs, strict=True) if name in self.differentiable]

    def _run(
        self, host: Hosts, inputs: Mapping[str, Array], upstream: Array | None, dtype: str = "float64"
    ) -> list[Array]:
        """Output and gradients of the reals, run in a dtype, in float64; the output alone without an upstream."""
        given = [array.astype(dtype) if is_real(array) else array for array in inputs.values()]
        try:
            if upstream is None:
                with host.running():
                    returned = self._at_once(*[host.give(array) for array in given])
                    reals = {name: host.take(own) for name, own in reals_of(returned).items()}
                if not reals:
                    raise UsageError(f"Cannot use {self.name} as the reference, because it returns no real numbers.")
                output: Any = tuple(reals.values()) if len(reals) > 1 else next(iter(reals.values()))
                if host is self.host:
                    self._parts[_shapes(inputs)] = parts_of(output, list(reals))
                results = [output]
            else:
                dy = each_of(np.asarray(upstream, dtype), self.parts(inputs))
                output, gradients = host.vjp(self.function, given, dy, at_once=True)
                results = [output, *self._of_reals(gradients)]
        except UsageError:
            raise
        except (Exception, SystemExit) as error:
            if host is not self.host:
                raise _NotNarrowError from error
            raise UsageError(
                f"Cannot use {self.name} as the reference, because in {dtype} it raises {told(error)}; "
                f"give a function of {', '.join(inputs)} that runs in float64."
            ) from error
        results[0] = joined(results[0])
        if results[0].dtype != dtype:
            if host is not self.host:
                raise _NotNarrowError
            raise UsageError(
                f"Cannot measure an allowance with {self.name}, because for inputs of {dtype} it gives "
                f"{results[0].dtype}; write it so that the inputs decide the dtype."
            )
        return [np.asarray(array, np.float64) for array in results]


class _NotNarrowError(Exception):
    """The reference has constants of float64, say: with narrow inputs it raises, or computes in float64."""


def measured_in(dtype: str) -> str:
    """The format in which gaps are measured for programs of the dtype."""
    return "float32" if dtype in WIDE else dtype


def allowed(value: Array, gap: Array, dtype: str, within: str = "float32") -> Bounded:
    """A value, and what is allowed to programs of the dtype by the largest gaps that were measured in a format."""
    context = Context(profile_of(dtype))
    u, largest = context.profile.u, gap.max(initial=0.0, where=np.isfinite(gap))
    with np.errstate(all="ignore"):
        bound = FACTOR[dtype] * (u / FORMATS[within].u * (gap + largest) / 2 + u * np.abs(value)) + context.profile.eta
        bounded = np.isfinite(gap) & (np.abs(value) <= context.profile.largest)  # what overflows there may do so
    return Bounded(value, np.asarray(np.where(bounded, bound, np.inf)), context)


def _shapes(inputs: Mapping[str, Array]) -> tuple[Any, ...]:
    return tuple(array.shape for array in inputs.values())


def _key(inputs: Mapping[str, Array], upstream: Array | None, within: str) -> bytes:
    arrays = [*inputs.values(), *([] if upstream is None else [upstream])]
    return b"".join([within.encode(), *(array.tobytes() + str(array.shape).encode() for array in arrays)])


def double(array: Array) -> Array:
    """Reals in float64, whole numbers and masks as they are."""
    return array.astype(np.float64) if is_real(array) else array


def jittered(array: Array, rng: np.random.Generator, within: str = "float32") -> Array:
    """A point near by that a format holds: zeros stay zeros, so that what is on a kink at 0 stays there."""
    if not is_real(array):
        return array
    ulps = rng.integers(-JITTER, JITTER + 1, array.shape) * (2 * FORMATS[within].u)
    return (np.asarray(array, np.float64) * (1 + ulps)).astype(within)
