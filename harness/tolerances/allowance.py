"""``harness.allowance_of``: how far off a right program may be, beside whatever somebody's test compares with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.candidates.arrays import numbers_of
from harness.formats import DTYPES
from harness.inputs.frameworks import kind_of
from harness.tolerances.judging import to_dtype
from harness.tolerances.operations import operation_subjects
from harness.tolerances.safe_pair import safe_pair
from harness.tolerances.subject import Floats, Subject
from harness.usage import UsageError
from impls.contract import Array


class TensorAllowance:
    """What one tensor should be, and how far off each entry may be.

    Attributes:
        name: of the tensor: output, dx, ...
        expected: as an array of the dtype.
        allowed: of each entry, from `expected`, in float64; its rounding to the dtype is in it.
        derived: whether it follows from the rules; it was measured otherwise.
        atol, rtol: the cheapest pair of numbers that grants every entry as much.
        price: how many times more than its allowance the pair grants an entry: the median.
    """

    def __init__(self, subject: Subject) -> None:
        self.name, self.dtype, self.derived = subject.name, subject.dtype, subject.source == "derived"
        rounded = to_dtype(subject)
        self.expected: Array = rounded.expected.astype(subject.dtype)
        self.allowed: Floats = rounded.allowed
        pair = safe_pair(rounded)
        self.atol, self.rtol, self.price = pair[:3] if pair else (np.inf, 0.0, 1.0)

    @property
    def pair(self) -> dict[str, float]:
        """As the keywords of torch.testing.assert_close and numpy.testing.assert_allclose."""
        return {"atol": self.atol, "rtol": self.rtol}

    def assert_holds(self, actual: Any) -> None:
        """Raise unless every entry of an array of NumPy, torch or JAX is within its own allowance.

        Raises:
            AssertionError: which, how many, and the worst of them; also of another shape, and of NaN.
        """
        __tracebackhide__ = True
        array = numbers_of(actual)
        if array is None:
            raise AssertionError(f"{self.name} is {kind_of(actual)} instead of an array of numbers")
        if array.shape != self.expected.shape:
            raise AssertionError(f"{self.name} has shape {array.shape} instead of {self.expected.shape}")
        with np.errstate(invalid="ignore", over="ignore"):
            distance = np.abs(array.astype(np.float64) - self.expected.astype(np.float64))
        outside = ~(distance <= self.allowed)
        if not outside.any():
            return
        with np.errstate(divide="ignore", invalid="ignore"):
            times = np.where(outside, distance / self.allowed, 0.0)
        place = np.unravel_index(np.where(np.isnan(times), np.inf, times).argmax(), times.shape)
        at = [int(i) for i in place]
        raise AssertionError(
            f"{self.name}: {np.count_nonzero(outside)} of {outside.size} entries outside their allowance; worst at "
            f"{at}: {float(array[place]):.9g}, expected {float(self.expected[place]):.9g} ± "
            f"{float(self.allowed[place]):.2g}, off by {float(times[place]):.3g} times as much"
        )

    def __repr__(self) -> str:
        return f"{self.name} {self.expected.shape} {self.dtype}: atol {self.atol:g}, rtol {self.rtol:g}"


class Allowances(Mapping[str, TensorAllowance]):
    """The allowance of each tensor of an operation, by its name: output, dx, dW, ..."""

    def __init__(self, tensors: Mapping[str, TensorAllowance]) -> None:
        self._tensors = dict(tensors)

    def __getitem__(self, name: str) -> TensorAllowance:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self._tensors.values()))


def allowance_of(
    reference: Any, inputs: Mapping[str, Any], upstream: Any = None, *, dtype: str | None = None
) -> Allowances:
    """How far off a right program of an operation may be, entry by entry, at somebody's own point.

    >>> import numpy as np
    >>> from impls.hand import Tanh
    >>> allowed = allowance_of(Tanh(), {"z": np.linspace(-2, 2, 10, dtype="float32").reshape(2, 5)})
    >>> list(allowed), allowed["output"].derived
    (['output', 'dz'], True)
    >>> allowed["output"].assert_holds(np.tanh(np.linspace(-2, 2, 10, dtype="float32").reshape(2, 5)))

    Args:
        reference: a layer, an activation or a loss of `impls.hand`: the allowance is derived. Or a differentiable
            function: it is measured.
        inputs: arrays of NumPy, torch or JAX by the names of what it reads.
        upstream: of the output; a random one if None, and then the gradients are of little use.
        dtype: in which programs compute; that of the inputs if None.

    Raises:
        UsageError: something of it cannot be used.
    """
    of = dtype or _dtype_of(inputs)
    subjects = operation_subjects(reference, inputs=inputs, upstream=upstream, dtype=of)
    return Allowances({subject.name: TensorAllowance(subject) for subject in subjects})


def _dtype_of(inputs: Any) -> str:
    arrays = inputs.values() if isinstance(inputs, Mapping) else ()
    found = sorted(
        {str(array.dtype).rpartition(".")[2] for array in arrays if "float" in str(getattr(array, "dtype", ""))}
    )
    if len(found) != 1 or found[0] not in DTYPES:
        raise UsageError(
            f"Cannot derive an allowance in {' and '.join(found) or 'no dtype'}, because there are bounds for "
            f"{', '.join(DTYPES)}, one at a time; give arrays of one of them, or dtype."
        )
    return found[0]
