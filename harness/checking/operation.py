"""Checking a single operation that brings its own backward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from harness.arithmetic.rules.sums import every_pool_on_one_thread
from harness.candidates.operation import Operation
from harness.checking.operation_causes import explained
from harness.checking.operation_doubts import doubted
from harness.checking.operation_judging import Tried, rows_of, tried_at
from harness.comparison.judge import Finding
from harness.evaluation.references.derived import HandReference
from harness.evaluation.references.expected import OUTPUT, Expected, gradient_of
from harness.evaluation.references.measured import MeasuredReference
from harness.evaluation.references.reference import Reference
from harness.evaluation.references.voting import VotingReference
from harness.formats import DTYPES
from harness.inputs.arguments import as_seconds
from harness.inputs.cases import Case, drawn, random_upstream, users
from harness.inputs.declared import Input, specified
from harness.inputs.frameworks import as_arrays
from harness.inputs.plain import refused, shown
from harness.results.operation_check import OperationCheck
from harness.results.setting import places_of
from harness.usage import UsageError
from impls.contract import Array


def check_vjp(
    forward: Any,
    backward: Any = None,
    *,
    reference: Any,
    inputs: Mapping[str, Any] | None = None,
    cases: Sequence[Mapping[str, Any]] = (),
    upstream: Any = None,
    dtype: str = "float64",
    seed: int = 0,
    timeout: float | None = None,
) -> OperationCheck:
    """Check the backward pass of one operation: every gradient, in many cases, and the contracts of a backward.

    >>> import numpy as np
    >>> from impls.hand import Tanh
    >>> def forward(z):
    ...     return np.tanh(z)
    >>> def backward(upstream, z):
    ...     return upstream * (1 - np.tanh(z))
    >>> found = check_vjp(forward, backward, reference=Tanh())
    >>> found.verdict, found.exit
    ('FAIL', 1)
    >>> found = check_vjp(forward, lambda upstream, z: upstream * (1 - np.tanh(z) ** 2), reference=Tanh())
    >>> print(found.verdict, [row.gradient for row in found.rows][:2])
    PASS ['output', 'dz']

    Args:
        forward: the candidate's ``forward(*inputs)``, which returns one array: in NumPy, torch or JAX arrays. Or a
            ``torch.autograd.Function``, a ``jax.custom_vjp`` function, or a torch or JAX function around one.
        backward: ``backward(upstream, *inputs)``, which returns the gradients: a tuple in the order of the inputs with
            None where there is none, a dictionary by name (``x`` or ``dx``), or the only one. None where `forward`
            brings its own.
        reference: a layer, activation or loss of `impls.hand`: allowances are derived. Or any differentiable torch or
            JAX function of the same inputs, run in float64: allowances are measured (see
            `harness.evaluation.references.measured`). Or a torch and a JAX form of one function: they and a central
            difference vote.
        inputs: by the names of forward's parameters, in their order: an array, a shape of letters and numbers such
            as ``("N", "M")``, or `Indices`. With a hand layer it may be left out.
        cases: further points: dictionaries of arrays by these names.
        upstream: an upstream gradient of your own, used beside the random ones in the first case.
        dtype: of the candidate's arrays: float64 or float32.
        seed: of all that is drawn.
        timeout: seconds that one call of forward or backward may take, after which no other is made; for ever if None.

    A gradient that is returned in the shape of the output, and not summed to that of its input, is told; but torch sums
    it itself where a ``torch.autograd.Function`` returns it, so that there it is right.

    Returns:
        The verdict (PASS, FAIL, NO POWER, NOT COMPARED) with exit status, rows, findings and causes; ``str()`` of it
        is for people.

    Raises:
        UsageError: the reference or an input cannot be used, or the candidate cannot be called at all.
    """
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise UsageError(
            f"Cannot check in dtype={shown(dtype)}, because allowances exist for {' and '.join(DTYPES)}; use one."
        )
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UsageError(f"Cannot draw with seed={seed!r}, because a seed is a whole number from 0 on; give one.")
    timeout = as_seconds(timeout)
    points, known = _points(reference, inputs, cases, dtype, seed)
    first = points[0]
    if upstream is not None:
        points.insert(1, Case("your upstream", first.inputs, as_arrays({"upstream": upstream}, dtype)["upstream"]))
    right = known or _foreign(reference, first)
    candidate = Operation(forward, backward, first.inputs, dtype, timeout)
    tried = list[Tried]()
    for step, case in enumerate(points, 1):
        with every_pool_on_one_thread():
            dy = _upstream(right, case, dtype, np.random.default_rng([seed, step, 1]))
            votes = right.votes(case, dy, always=step == 1, seed=seed) if isinstance(right, VotingReference) else []
        tried.append(tried_at(candidate, Expected(right, case.inputs, dy, dtype), votes, step))
        if tried[-1].overdue:  # then so would the next be
            break
    tried, doubts = doubted(tried, [case.name for case in points], seed)
    for what, printed in candidate.printed.items():
        printed.tell(f"{candidate.name}, {what},")
    findings: dict[tuple[str, str | None], Finding] = {}
    for finding in chain.from_iterable(each.findings for each in tried):
        findings.setdefault((finding.kind, finding.tensor), finding)
    line, lines = places_of(_of_its_own(backward or forward), [gradient_of(name) for name in first.inputs])
    return OperationCheck(
        name=f"{candidate.name} ({candidate.host.package})",
        reference=right.name,
        measured=right.measured,
        dtype=dtype,
        seed=seed,
        cases=[case.name for case in points[: len(tried)]],
        shapes={name: array.shape for name, array in {**first.inputs, OUTPUT: tried[0].situation.upstream}.items()},
        rows=rows_of(tried),
        findings=list(findings.values()),
        causes=explained(candidate, [forward, backward], tried, linear=lambda g: ("not linear", g) not in findings),
        votes=[*(vote for each in tried for vote in each.votes), *doubts],
        line=line,
        lines=lines,
    )


def _of_its_own(function: Any) -> Any:
    """The method that is somebody's backward pass, where a class brings it; else the function itself."""
    return getattr(function, "backward", function) if isinstance(function, type) else function


def _points(
    reference: Any, inputs: Mapping[str, Any] | None, cases: Sequence[Mapping[str, Any]], dtype: str, seed: int
) -> tuple[list[Case], HandReference | None]:
    """Every case, and the reference if it is a hand layer, which knows what its inputs are."""
    known = HandReference(reference) if HandReference.knows(reference) else None
    if isinstance(cases, Mapping):
        raise UsageError("Cannot use cases=a dictionary, because there may be several; give a list of dictionaries.")
    if isinstance(cases, str | bytes) or not isinstance(cases, Sequence):
        raise refused("cases", cases, "it is no list", "give a list of dictionaries of arrays")
    meant: Mapping[str, Input]
    if inputs is not None:
        meant = specified(inputs, dtype)
        if known is not None and set(meant) != set(known.inputs):
            raise UsageError(
                f"Cannot use inputs {', '.join(meant)} with {known.name}, because it reads {', '.join(known.inputs)}; "
                f"give these, or leave inputs out."
            )
    elif known is not None and known.usual:
        meant = known.usual
    elif cases and isinstance(cases[0], Mapping):
        return users(cases, known.inputs if known else list(cases[0]), dtype), known
    else:
        raise UsageError(
            "Cannot draw inputs for this reference, because nothing says what it reads; give "
            'inputs={"x": ("N", "M"), ...} or cases=[{"x": array, ...}].'
        )
    names = known.inputs if known else tuple(meant)
    points = drawn({name: meant[name] for name in names}, dtype, seed)
    return [*points, *users(cases, names, dtype)], known


def _foreign(reference: Any, first: Case) -> Reference:
    if isinstance(reference, tuple | list):
        for form in reference:
            _callable(form)
        return VotingReference(reference, first.inputs)
    _callable(reference)
    return MeasuredReference(reference, first.inputs)


def _callable(reference: Any) -> None:
    if not callable(reference):
        raise UsageError(
            f"Cannot use reference={reference!r}, because it is neither a hand layer nor a function; give a layer of "
            f"impls.hand such as Dense(4, 3), a differentiable torch or JAX function, or one of each for a vote."
        )


def _upstream(right: Reference, case: Case, dtype: str, rng: np.random.Generator) -> Array:
    shape = right.output(case.inputs, dtype).value.shape
    if case.upstream is None:
        return random_upstream(shape, dtype, rng)
    if case.upstream.shape != shape:
        raise UsageError(
            f"Cannot use an upstream of shape {case.upstream.shape}, because the output has shape {shape}; give an "
            f"array of that shape, with arrays or whole numbers as inputs so that it is fixed."
        )
    return case.upstream.astype(dtype)
