"""Checking gradients by hand of every step of a forward pass that somebody wrote: a chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace as replaced
from functools import partial
from typing import Any

import numpy as np
from msgspec.structs import replace

from harness.arithmetic import Bounded
from harness.candidates.arrays import reshaped
from harness.candidates.chain import ForwardPass
from harness.checking.chain_causes import cause_in_chain
from harness.comparison.judge import Finding, Row, as_convention, but_for_rounding, not_comparable
from harness.comparison.operation import YOURS, check_of, of_another_kind, row_by
from harness.evaluation.references.chained import ChainReference
from harness.evaluation.references.expected import gradient_of
from harness.inputs.arguments import as_seconds
from harness.inputs.frameworks import kind_of
from harness.inputs.plain import as_flag, as_text
from harness.results.chain_check import ChainCheck
from harness.results.setting import places_of
from harness.usage import UsageError, told
from impls.chains import Chain
from impls.contract import Array, is_real
from impls.graph import LOSS


def check_chain(
    forward: Callable[[Any], Mapping[str, Any]] | None = None,
    backward: Callable[[Any, Any], Mapping[str, Any]] | None = None,
    *,
    inputs: Mapping[str, Any] | None = None,
    tensors: Mapping[str, Any] | None = None,
    gradients: Mapping[str, Any] | None = None,
    loss: str = LOSS,
    arrays: str | None = None,
    timeout: float | None = None,
    strict: bool = False,
) -> ChainCheck:
    """Check gradients by hand of the named steps of a forward pass, each given your own gradients of later steps.

    >>> import torch
    >>> def forward(p):
    ...     z = p["x"] @ p["w"]
    ...     h = torch.tanh(z)
    ...     loss = (h ** 2).sum()
    ...     return locals()
    >>> def backward(p, t):
    ...     dh = 2 * t["h"]
    ...     dz = dh * (1 - t["h"])
    ...     dw = p["x"].T @ dz
    ...     return locals()
    >>> found = check_chain(forward, backward, inputs={"x": torch.randn(5, 3), "w": torch.randn(3, 2)})
    >>> found.verdict, found.wrong
    ('FAIL', ['dz'])

    Args:
        forward: from a dictionary of tensors to a dictionary of named tensors, ``return locals()``; what else is in it
            does not matter.
        backward: ``backward(inputs, tensors)``, both without a graph, returns the gradients by name: that of ``h`` is
            ``dh``. Of steps without a gradient the links are judged as parts of others.
        inputs: of forward, by name, in float64, float32 or 16 bits: their gradients are judged too, where shown.
        tensors: in place of `forward` and `inputs`, in a notebook: tensors that a forward pass has made, ``globals()``
            say, whose graph torch still has: no ``backward()``, or one with ``retain_graph=True``.
        gradients: in place of `backward`: ``globals()``, say.
        loss: the name of the tensor, of one number, that the gradients are of; where nothing has the usual one, the
            only one that people call a loss: cost, J, total_loss.
        arrays: torch or jax; found by `inputs` and by what the functions name if None.
        timeout: seconds that forward, and backward, may take; for ever if None.
        strict: fail a gradient that has the right numbers in another shape.

    Allowances are measured, see `harness.evaluation.references.chained`. A gradient that is not made from your own
    upstream but right by itself passes.

    Returns:
        The verdict (PASS, FAIL, NO POWER, NOT COMPARED) with exit status, rows, findings and causes; ``str()`` of it
        is for people.

    Raises:
        UsageError: there is no chain to check: no loss, no graph, other dtypes.
    """
    _either(forward, tensors, "forward and inputs, or tensors")
    _either(backward, gradients, "backward, or gradients")
    arrays, strict = None if arrays is None else as_text("arrays", arrays, "jax"), as_flag("strict", strict)
    ran = ForwardPass(forward, inputs or {}, tensors, loss, as_seconds(timeout), arrays=arrays, beside=backward)
    chain, dtype, loss = ran.chain, ran.dtype, ran.loss
    made = ChainCheck(
        package=ran.host.package, dtype=dtype, tensors=len(_steps(chain)), loss=loss, lost=_lost(chain, loss)
    )
    if backward is not None:
        line, lines = places_of(backward, [gradient_of(name) for name in chain.tensors])
        made = replaced(made, line=line, lines=lines)
        gradients, failure = ran.backward(backward)
        if failure:
            what = f"your backward pass {'raises ' if failure.error else ''}{failure.message}"
            return replaced(made, findings=[Finding(YOURS, 1, failure.kind, what, "gradients")])

    def read() -> tuple[dict[str, Any], dict[str, Array | None]]:
        own = _named_gradients(gradients)
        return own, {name: ran.array(own[gradient_of(name)]) for name in chain.tensors if gradient_of(name) in own}

    answer, failure = ran.read(read)
    if failure:
        what = f"what you return cannot be read: it {'raises ' if failure.error else ''}{failure.message}"
        return replaced(made, findings=[Finding(YOURS, 1, failure.kind, what, "gradients")])
    return _judged(made, ran, *answer, again=forward is not None, strict=strict)


def _judged(
    made: ChainCheck, ran: ForwardPass, own: Mapping[str, Any], taken: Mapping[str, Array | None], *,
    again: bool, strict: bool,
) -> ChainCheck:  # fmt: skip
    """The check of gradients, by their own names and by their tensors', None where one is no array.

    Args:
        again: whether the forward pass can be run again.
    """
    chain, dtype, loss, known = ran.chain, ran.dtype, ran.loss, _gradients(ran.chain)
    returned = {name: array for name, array in taken.items() if array is not None}
    shapes = {name: chain.tensors[name].shape for name in returned}
    read_so = {name: array.shape for name, array in returned.items() if _read_otherwise(array.shape, shapes[name])}
    read_so = {} if strict else read_so
    shown = {name: array.reshape(shapes[name]) if name in read_so else array for name, array in returned.items()}
    reference = ChainReference(chain, list(shown), _given(chain, shown, loss), dtype, ran.again)
    try:
        rows = [_row(reference, name, shown[name]) for name in reference.expected]
    except Exception as error:
        instead = (
            "write forward with operations that have a gradient, and change nothing in place"
            if again
            else "check it before the graph is freed: call loss.backward(retain_graph=True), or give forward"
        )
        raise UsageError(
            f"Cannot run the chain backward, because {ran.host.package} raises {told(error)}; {instead}."
        ) from error
    none = {name: kind_of(own[gradient_of(name)]) for name in taken if name not in shown}
    reasons = {name: f"{name} has no gradient in {ran.host.package}" for name in chain.constants} | none
    _refuse_changed(chain, [name for name, row in zip(reference.expected, rows, strict=True) if row.verdict == "FAULT"])
    rows += [
        not_comparable(check_of(dtype), gradient_of(name), YOURS, 1, reason)
        for name, reason in reasons.items()
        if gradient_of(name) in own
    ]
    judged = replaced(
        made,
        rows=rows,
        shapes={gradient_of(name): array.shape for name, array in shown.items()},
        findings=[
            *(_otherwise(name, shape, shapes[name]) for name, shape in read_so.items()),
            *(each for name in reference.expected for each in _of_another_kind(chain, name, shown[name])),
            *(_not_numbers(name, kind) for name, kind in none.items()),
        ],
        unseen=[name for name in _steps(chain) if name not in taken and name != loss],
        ignored=[name for name, value in own.items() if name not in known and ran.host.owns(value)],
    )
    of = {gradient_of(name): name for name in shown}
    return replaced(
        judged, causes=[cause_in_chain(reference, of[name], shown, own) for name in judged.wrong if name in of]
    )


def _gradients(chain: Chain) -> set[str]:
    """What gradients of its tensors are called."""
    return {gradient_of(name) for name in (*chain.tensors, *chain.constants)}


def _steps(chain: Chain) -> list[str]:
    """Its tensors; where one function goes through both passes, gradients stand among them, which are no steps."""
    gradients = _gradients(chain)
    return [name for name in chain.tensors if name not in gradients]


def _lost(chain: Chain, loss: str) -> str | None:
    """What the loss is where it is no number any more, and from which tensor on; None where it is one."""
    if np.isfinite(chain.tensors[loss]).all():
        return None
    what, among = ("NaN", np.isnan) if np.isnan(chain.tensors[loss]).any() else ("infinite", np.isinf)
    tensors = {**chain.tensors, **chain.constants}
    return f"{what}, from {next(name for name, array in tensors.items() if among(array).any())} on"


def _refuse_changed(chain: Chain, wrong: list[str]) -> None:
    """Two names of one tensor have one gradient; where it was changed in place, its author meant two tensors."""
    for name in chain.changed.intersection(wrong):
        for other in (each for each, first in chain.same.items() if first == chain.same[name] and each != name):
            raise UsageError(
                f"Cannot judge {gradient_of(name)}, because {name} and {other} are one tensor, which forward changes "
                f"in place; make a new one, {other} = torch.relu({name}) and not {name}.relu_(), say."
            )


def _either(one: Any, other: Any, what: str) -> None:
    if (one is None) == (other is None):
        raise UsageError(f"Cannot check a chain, because it takes {what}, and exactly one of them; give one.")


def _named_gradients(gradients: Any) -> dict[str, Any]:
    if not isinstance(gradients, Mapping):
        raise UsageError(
            f"Cannot use the gradients, because they are {kind_of(gradients)}; give a dictionary by name: that of h is "
            f"dh. In a function: return locals()."
        )
    return {str(name): value for name, value in gradients.items() if value is not None and _as_gradient(str(name))}


def _as_gradient(name: str) -> bool:
    """Whether a name looks like that of a gradient: dh, or one that nobody here reads, such as h_grad."""
    return name.startswith("d") or "grad" in name


def _given(chain: Chain, shown: Mapping[str, Array], loss: str) -> dict[str, Array]:
    """Gradients that others can be made from; in place of one that is not finite or has another shape, what arrives."""
    given = {loss: np.ones(chain.tensors[loss].shape)}
    for name, array in shown.items():
        usable = array.shape == chain.tensors[name].shape and is_real(array) and np.isfinite(array).all()
        if usable and (name == loss or not any(chain.same[name] == chain.same[other] for other in given)):
            given[name] = np.asarray(array, np.float64)
    return given


def _row(reference: ChainReference, name: str, actual: Array) -> Row:
    """Judged given the gradients that it is made from; or by itself, where it is made from others that are right."""

    def judged(right: Bounded) -> Row:
        return row_by(right, reference.dtype, gradient_of(name), YOURS, 1, actual)

    right = reference.expected[name]
    if not right.value.size:
        return not_comparable(check_of(reference.dtype), gradient_of(name), YOURS, 1, f"{name} is empty")
    row = judged(right)
    if row.verdict == "FAULT" and reference.end_to_end[name].holds(actual):
        return replace(judged(reference.end_to_end[name]), reason="right, though it is not made from your own upstream")
    if row.verdict == "FAULT" and reference.convention(name, actual):
        return as_convention(row)
    return but_for_rounding(row, partial(reference.vanishes, name))


def _not_numbers(name: str, kind: str) -> Finding:
    gradient = gradient_of(name)
    return Finding(YOURS, 1, "not an array", f"{gradient} is {kind} instead of an array of real numbers", gradient)


def _read_otherwise(shape: tuple[int, ...], right: tuple[int, ...]) -> bool:
    return shape != right and reshaped(shape, right)


def _of_another_kind(chain: Chain, name: str, actual: Array) -> Iterator[Finding]:
    tensor = chain.tensors[name]
    return of_another_kind(gradient_of(name), actual, tensor.shape, str(tensor.dtype), 1)


def _otherwise(name: str, shape: tuple[int, ...], right: tuple[int, ...]) -> Finding:
    gradient = gradient_of(name)
    return Finding(YOURS, 1, "shape", f"{gradient} has shape {shape}: read as {right}", gradient, fails=False)
