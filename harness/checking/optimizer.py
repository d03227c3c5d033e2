"""Checking an optimizer: somebody's steps against the hand optimizer's rules, in sequences of gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.candidates.optimizers import OptimizerCandidate
from harness.comparison.judge import Finding
from harness.diagnosis.optimizers import Taken, facts, judged, reproduces
from harness.faults.optimizers.catalogue import variants_of
from harness.faults.optimizers.written import Variant, as_written
from harness.formats import WIDE
from harness.inputs.arguments import as_dtype, as_optimizer, as_seconds
from harness.inputs.plain import as_count, as_text
from harness.results.optimizer_check import OptimizerCheck, Written

SHAPES = {"W1": (4, 3), "b1": (3,), "W2": (3, 2), "b2": (2,), "k": (2, 3, 2), "s": (1,)}
"""The weights: of several shapes, no two alike, so that what one lends another shows."""
STEPS = 6
SEQUENCES: Mapping[str, tuple[float, tuple[float, ...]]] = {
    "ordinary gradients": (1.0, (1.0,)),
    "zero gradients first": (1.0, (0.0, 0.0, 1.0)),
    "zero gradients between": (1.0, (1.0, 0.0)),
    "large gradients": (1.0, (1e6,)),
    "tiny gradients": (1e-8, (1e-8,)),
    "falling gradients": (1.0, (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)),
}
"""The size of the weights, and of the gradients from step to step, over and over: epsilon shows where they are tiny."""
MOST_ALIKE = 3
"""Other variants told, that give the same numbers."""


def check_optimizer(
    step: Any,
    optimizer: Any,
    *,
    dtype: str | None = None,
    seed: int = 0,
    timeout: float | None = None,
    name: str | None = None,
) -> OptimizerCheck:
    """Check an optimizer, step by step, against the hand code's: several weights, large, tiny and zero gradients.

    >>> from impls.hand import Momentum
    >>> def step(weights, gradients, velocity):
    ...     for name in weights:
    ...         velocity[name] = 0.9 * velocity.get(name, 0) + 0.1 * gradients[name]
    ...         weights[name] -= 0.02 * velocity[name]
    ...     return weights, velocity
    >>> found = check_optimizer(step, Momentum(lr=0.02, mu=0.9))
    >>> found.verdict, found.mistake.cause
    ('FAIL', 'dampening')

    Every step is judged from the very weights that it was given. The state, which everybody keeps as he likes, is
    followed from the first step on, with its rounding.

    Args:
        step: ``step(weights, gradients, state) -> (weights, state)``; or an object with ``step(weights, gradients)`` or
            ``update(weights, gradients)``, or its class; see `harness.candidates.optimizers`.
        optimizer: of `impls.hand`, with its parameters, or its name as text: ``"adam(lr=0.001)"``.
        dtype: float64 or float32; both if None.
        seed: of the weights and gradients.
        timeout: seconds that one step may take; for ever if None.
        name: what messages call it; its own name if None.

    Raises:
        UsageError: it is no such thing, or there is no such optimizer.
    """
    optimizer, seed = as_optimizer(optimizer), as_count("seed", seed, 0) or 0
    called = (
        as_text("name", name, "step") if name is not None else str(getattr(step, "__qualname__", type(step).__name__))
    )
    candidate = OptimizerCandidate(called, step, optimizer, as_seconds(timeout))
    findings: list[Finding] = []
    made = [
        _run(candidate, sequence, each, seed, findings)
        for each in ([as_dtype(dtype)] if dtype is not None else reversed(WIDE))
        for sequence in SEQUENCES
    ]
    findings += _again(candidate, made[0], seed)
    candidate.printed.tell(called)
    hand, variants = as_written(optimizer), list(variants_of(optimizer))
    found = [hand, *(v for v in variants if v.right)]
    form = next((v for v in found if all(reproduces(v, run) for run in made)), hand)
    rows = [(row, (run.name, run.dtype)) for run in made for row in judged(form, run, called)]
    mistake: Written | None = None
    known: tuple[str, ...] = ()
    if wrong := [(run, row) for run in made for row in judged(form, run, called) if row.verdict == "FAULT"]:
        mistake = _named([v for v in variants if not v.right and all(reproduces(v, run) for run in made)])
        known = () if mistake else facts(form, *wrong[0])
    return OptimizerCheck(
        name=called, optimizer=repr(optimizer), seed=seed, steps=STEPS, sequences=tuple(SEQUENCES),
        rows=[row for row, _ in rows], where=[at for _, at in rows],
        findings=list({finding.message: finding for finding in reversed(findings)}.values())[::-1],
        form=None if form is hand else Written(cause=form.cause, says=form.says), mistake=mistake, known=known,
    )  # fmt: skip


def _run(candidate: OptimizerCandidate, name: str, dtype: str, seed: int, findings: list[Finding]) -> Taken:
    """Steps from a fresh start, as long as every weight is there and finite."""
    size, factors = SEQUENCES[name]
    rng = np.random.default_rng([seed, list(SEQUENCES).index(name)])
    weights = {w: (size * rng.uniform(-1.5, 1.5, shape)).astype(dtype) for w, shape in SHAPES.items()}
    run, step = Taken(name, dtype), candidate.start()
    for number in range(STEPS):
        by = factors[number % len(factors)]
        gradients = {w: (by * rng.standard_normal(shape)).astype(dtype) for w, shape in SHAPES.items()}
        moved = step(weights, gradients, number + 1)
        findings += moved.findings
        if set(moved.weights) != set(weights):
            break
        run.add(weights, gradients, moved.weights)
        weights = moved.weights
        if not all(np.isfinite(w).all() for w in weights.values()):
            break
    return run


def _again(candidate: OptimizerCandidate, first: Taken, seed: int) -> list[Finding]:
    """What a second training shows that begins as the first did: a state that is not its own."""
    again = _run(candidate, first.name, first.dtype, seed, [])
    pairs = [(one[w], other[w]) for one, other in zip(first.after, again.after, strict=False) for w in one]
    if len(first.after) == len(again.after) and all(np.array_equal(*pair, equal_nan=True) for pair in pairs):
        return []
    message = "goes on from the training before when it is started anew: it keeps a state outside of what it is given"
    return [Finding(candidate.name, 1, "second call differs", message)]


def _named(found: Sequence[Variant]) -> Written | None:
    if not found:
        return None
    first, *others = dict.fromkeys(variant.says for variant in found)
    return Written(cause=found[0].cause, says=first, also=tuple(others[:MOST_ALIKE]))
