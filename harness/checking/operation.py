"""Checking a single operation that brings its own backward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from harness.candidates.operation import Operation
from harness.candidates.repetition import repeated
from harness.checking.operation_causes import explained
from harness.checking.operation_demands import BATCH_INVARIANCE, DEMANDS, invariant, with_demands
from harness.checking.operation_doubts import doubted
from harness.checking.operation_judging import Tried, every_case, rows_of
from harness.checking.operation_points import REPEATED_CALLS, References, as_interval, points_of, with_upstream, without
from harness.checking.operation_range import in_range
from harness.comparison.judge import Finding
from harness.evaluation.references.expected import gradient_of
from harness.inputs.arguments import as_dtype, as_seconds
from harness.inputs.devices import as_device
from harness.inputs.frameworks import forget
from harness.inputs.plain import as_count, as_demands, as_flag, refused
from harness.results.operation_check import OperationCheck
from harness.results.setting import places_of
from impls.contract import CPU


def check_vjp(
    forward: Any,
    backward: Any = None,
    *,
    reference: Any,
    surrogate: Any = None,
    inputs: Mapping[str, Any] | str | None = None,
    cases: Sequence[Mapping[str, Any]] = (),
    upstream: Any = None,
    range: tuple[float, float] | None = None,  # noqa: A002  (the word for it)
    leave_out: Sequence[str] = (),
    strict: bool = False,
    demand: Sequence[str] = (),
    dtype: str = "float64",
    seed: int = 0,
    timeout: float | None = None,
    device: str = CPU,
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
        forward: the candidate's ``forward(*inputs)``, which returns an array, or several in a tuple, a list or a
            dictionary: in NumPy, torch or JAX arrays. Or a ``torch.autograd.Function``, a ``jax.custom_vjp`` function,
            or a torch or JAX function around one.
        backward: ``backward(upstream, *inputs)``, which returns the gradients: a tuple in the order of the inputs, or
            of those that have a gradient, with None where there is none; a dictionary by name (``x`` or ``dx``); or the
            only one. Several outputs have their upstreams in such a tuple, list or dictionary. None where `forward`
            brings its own.
        reference: a layer, activation or loss of `impls.hand`: allowances are derived. Or any differentiable torch, JAX
            or NumPy function of the same inputs, run in float64: allowances are measured (see
            `harness.evaluation.references.measured`). Or a torch and a JAX form of one function: they and a central
            difference vote.
        surrogate: where the gradient that is meant is not the reference's derivative (straight-through, gradient
            reversal, spikes): the layer or function whose derivative it is, of the same inputs.
        inputs: by the names of forward's parameters, in their order: an array, a shape of letters and numbers such
            as ``("N", "M")``, `Reals`, `Indices`, `Flags`, `Probabilities`, any of these in `Constant` where it has no
            gradient, `OneOf` for an argument that is no tensor, or a dictionary or a list of these. Or a text, as the
            command has it, see `harness.inputs.declared`. With a hand layer it may be left out.
        cases: further points: dictionaries of arrays by these names.
        upstream: an upstream gradient of your own, used beside the random ones in the first case.
        range: the interval in which the code must work, of every input of reals that says none itself. Without one,
            right code that overflows far out passes, and the verdict names where.
        leave_out: names of cases, layouts, ``repeated calls`` or ``micro-batches`` that are not tried.
        strict: whether code fails that overflows outside of the range.
        demand: what else is demanded, bit by bit: ``equal bits`` of every call at the same point, ``batch invariance``
            of every row, alone or among others.
        dtype: of the candidate's arrays: float64, float32, float16 or bfloat16.
        seed: of all that is drawn.
        timeout: seconds that one call of forward or backward may take, after which no other is made; for ever if None.
        device: where the candidate's arrays are, of torch or JAX: cpu, cuda, cuda:1, ... Numbers of the reference come
            from the CPU, and what is allowed is what may be off on the device.

    A gradient that is returned in the shape of the output, and not summed to that of its input, is told; but torch sums
    it itself where a ``torch.autograd.Function`` returns it, so that there it is right.

    Returns:
        The verdict (PASS, FAIL, NO POWER, NOT COMPARED) with exit status, rows, findings and causes; ``str()`` of it
        is for people.

    Raises:
        UsageError: the reference or an input cannot be used, or the candidate cannot be called at all.
    """
    dtype, strict, timeout = as_dtype(dtype), as_flag("strict", strict), as_seconds(timeout)
    demanded, device = as_demands(demand, DEMANDS), as_device(device)
    if as_count("seed", seed, 0) is None:
        raise refused("seed", seed, "numbers are drawn by it", "give a whole number from 0 on")
    points = points_of(reference, inputs, cases, dtype, seed, as_interval(range))
    points = without(with_upstream(points, upstream, dtype) if upstream is not None else points, leave_out)
    signature, first = points.signature, points.cases[0]
    references = References(reference, surrogate, signature)
    right = references.at(first)
    candidate = Operation(forward, backward, signature, first.inputs, dtype, timeout, leave_out, device)
    if device != CPU:
        references = References(reference, surrogate, signature, device, candidate.stated)
    tried, untried = every_case(candidate, points, references, dtype, seed)
    overdue = tried[-1].overdue
    tried, doubts = doubted(tried, seed)
    tried, overflows = in_range(candidate, tried, signature, strict=strict)
    again = [] if overdue or REPEATED_CALLS in leave_out else _again(candidate, tried)
    if not overdue and BATCH_INVARIANCE in demanded:
        again += invariant(candidate, tried, untried)
    for what, printed in candidate.printed.items():
        printed.tell(f"{candidate.name}, {what},")
    findings: dict[tuple[str, str | None], Finding] = {}
    for finding in chain(*(each.findings for each in tried), overflows, again):
        findings.setdefault((finding.kind, finding.tensor), finding)
    forget(dtype)
    line, lines = places_of(candidate.own["backward"], [gradient_of(name) for name in first.inputs])
    return OperationCheck(
        name=f"{candidate.name} ({candidate.host.package}{candidate.stated.on})",
        reference=right.name,
        measured=right.measured,
        dtype=dtype,
        seed=seed,
        cases=[each.name for each in tried],
        shapes={**{name: array.shape for name, array in first.inputs.items()}, **tried[0].at.parts},
        rows=rows_of(tried),
        findings=with_demands(list(findings.values()), demanded),
        causes=explained(candidate, [forward, backward], tried, linear=lambda g: ("not linear", g) not in findings),
        votes=[*(vote for each in tried for vote in each.votes), *doubts],
        untried=untried,
        left_out=list(leave_out),
        line=line,
        lines=lines,
        settings=candidate.stated.settings,
    )


def _again(candidate: Operation, tried: Sequence[Tried]) -> list[Finding]:
    """What differs between many calls at the case with the most numbers, where it is right, and was so twice."""
    if any(finding.kind == "second call differs" for each in tried for finding in each.findings):
        return []
    largest = max(tried, key=lambda each: sum(array.size for array in each.at.given.values()))
    return [] if largest.fails else list(repeated(candidate, largest.at))
