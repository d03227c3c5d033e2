"""``harness.check_tolerance``: rules on the tensors of a file or of an operation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os.path import isfile
from typing import Any

from harness.candidates.sources import named
from harness.evaluation.references.derived import HandReference
from harness.formats import WIDE
from harness.inputs.arguments import as_dtype, as_seconds
from harness.inputs.plain import as_count, as_text
from harness.results.tolerance_check import ToleranceCheck
from harness.tolerances.asserted import asserted_in
from harness.tolerances.files import ENDINGS, file_subjects
from harness.tolerances.judging import judged
from harness.tolerances.operations import Candidate, operation_subjects
from harness.tolerances.rules import Pair, Rule, rule_of
from harness.tolerances.subject import Subject
from harness.tolerances.written import check_writable, write
from harness.usage import UsageError
from impls.hand.layers import MatrixProduct
from impls.hand.notation import ACTIVATIONS, LAYERS, LOSSES_IN_TEXT
from impls.hand.parsing import made, parsed

MATMUL = re.compile(r"matmul\(\s*(\d{1,6})\s*,\s*(\d{1,6})\s*,\s*(\d{1,6})\s*\)")
LARGEST = 2**22
"""Entries of a product, or of an operand, up to which one is drawn."""


@dataclass(frozen=True)
class On:
    """What a tolerance is tried on, and how.

    Attributes:
        subjects: its tensors.
        name: for people.
    """

    subjects: list[Subject]
    name: str


def check_tolerance(
    rule: Any = None,
    *,
    on: Any,
    atol: float | None = None,
    rtol: float | None = None,
    reference: Any = None,
    inputs: Mapping[str, Any] | str | None = None,
    dtype: str | None = None,
    seed: int = 0,
    timeout: float | None = None,
    tensor_cores: str | None = None,
    output: str | None = None,
) -> ToleranceCheck:
    """What a tolerance would let pass, what right run it would reject, and the allowance to use instead.

    >>> found = check_tolerance("assert-close", on="matmul(4, 64, 8)", dtype="float32")
    >>> found.verdict, found.rows[0].tensor, found.rows[0].source
    ('FAIL', 'output', 'derived')

    Args:
        rule: text, "allclose", "cosine-similarity(least=0.999)"; or the path of a test file, ``tests/test_mine.py``,
            of which every tolerance is judged.
        atol, rtol: a pair, in place of a rule; one of them alone leaves the other at 0.
        on: the path of an .npy, .npz, .safetensors or .pt file; "matmul(T, M, K)" or the name of a layer, an
            activation or a loss; a hand layer; FILE.py:function, or a function.
        reference, inputs, seed, timeout: of an operation, as of `harness.check_vjp`.
        dtype: in which programs compute; float32, or that of the arrays of a file.
        tensor_cores: the architecture on whose tensor cores matrix products run: V100, A100, Ada, H100 or B200.
        output: a new .npz file for the allowances, entry by entry.

    Raises:
        UsageError: something of it cannot be used.
    """
    rules, unread = _rules(rule, atol, rtol)
    timeout, seed = as_seconds(timeout), as_count("seed", seed, 0) or 0
    if output is not None:
        check_writable(output)
    tried = _on(on, reference, inputs, dtype, seed, timeout, tensor_cores)
    rows = tuple(judged(each, subject, where) for each, where in rules for subject in tried.subjects)
    written = write(output, tried.subjects) if output is not None else None
    return ToleranceCheck(on=tried.name, rows=rows, unread=tuple(unread), written=written)


def _rules(rule: Any, atol: Any, rtol: Any) -> tuple[Sequence[tuple[Rule, tuple[str, int] | None]], list[str]]:
    """Every rule, with its place; and what could not be read."""
    if rule is None:
        if atol is None and rtol is None:
            raise UsageError(
                "Cannot judge a tolerance, because none is given; give --atol and --rtol, the name of a rule, or a "
                "test file."
            )
        return [(Pair(0.0 if atol is None else atol, 0.0 if rtol is None else rtol), None)], []
    if atol is not None or rtol is not None:
        raise UsageError(
            f"Cannot judge {str(rule)[:80]!r} with atol or rtol besides, because they are a rule of their own; leave "
            f"one of them out, or write rule(atol=..., rtol=...)."
        )
    if not isinstance(rule, str) and hasattr(rule, "accepts"):
        return [(rule, None)], []
    text = as_text("rule", rule, "assert-close")
    if text.endswith(".py"):
        asserted = asserted_in(text)
        return asserted.rules, asserted.unread
    return [(rule_of(text), None)], []


def _on(
    on: Any,
    reference: Any,
    inputs: Any,
    dtype: str | None,
    seed: int,
    timeout: float | None,
    tensor_cores: str | None,
) -> On:
    if isinstance(on, str) and on.lower().endswith(ENDINGS):
        for name, value in (("reference", reference), ("inputs", inputs), ("tensor_cores", tensor_cores)):
            if value is not None:
                raise UsageError(
                    f"Cannot use {name} with {on}, because it holds tensors and no operation; leave it out."
                )
        subjects = file_subjects(on, dtype)
        return On(subjects, f"{on} · {subjects[0].dtype}")
    if isinstance(on, str) and isfile(on):  # noqa: PTH113  (of a name that is too long Path raises)
        raise UsageError(
            f"Cannot judge a tolerance on {on}, because tensors are read from {', '.join(ENDINGS)}; save them in "
            f"one of these, or name a function in a file: FILE.py:function."
        )
    of = as_dtype(dtype or "float32")
    candidate, layer, inputs = _operation(on, reference, inputs, timeout)
    subjects = operation_subjects(
        layer, inputs=inputs, dtype=of, seed=seed, candidate=candidate, timeout=timeout, tensor_cores=tensor_cores
    )
    what = on if isinstance(on, str) else getattr(on, "__name__", repr(on))
    kernel = ", computed in float32 and rounded once" if of not in WIDE and subjects[0].source == "derived" else ""
    where = kernel + (f" on the tensor cores of {tensor_cores}" if tensor_cores else "")
    return On(subjects, f"{what} · {of}{where} · seed {seed}")


def _operation(on: Any, reference: Any, inputs: Any, timeout: float | None) -> tuple[Candidate | None, Any, Any]:
    """A candidate if there is one, the reference, and what its inputs are."""
    if isinstance(on, str):
        if reference is None and (sizes := MATMUL.fullmatch(on.strip())):
            return None, MatrixProduct(), _operands(on, *map(int, sizes.groups()))
        if on.partition("(")[0].strip() == "matmul":
            raise UsageError(
                f"Cannot read {on[:80]!r}, because a matrix product has three sizes; write matmul(T, M, K), such as "
                f"matmul(64, 1024, 32)."
            )
        if ":" not in on and not on.endswith(".py"):
            return None, _layer(on), inputs
        on = named(on, timeout, "forward").function
    if HandReference.knows(on):
        return None, on, inputs
    if not callable(on):
        raise UsageError(
            f"Cannot judge a tolerance on {str(on)[:80]!r}, because it is neither a file, nor a layer, nor a function; "
            f"give one, such as matmul(64, 1024, 32)."
        )
    if isinstance(reference, str):
        reference = named(reference, timeout, "reference").function if ":" in reference else _layer(reference)
    return Candidate(on), on if reference is None else reference, inputs


def _operands(on: str, rows: int, terms: int, columns: int) -> dict[str, tuple[int, ...]]:
    if min(rows, terms, columns) < 1 or max(rows * terms, terms * columns, rows * columns) > LARGEST:
        raise UsageError(
            f"Cannot draw {on}, because a size is 0, or a matrix has more than 2^22 entries; give other sizes."
        )
    return {"p": (1, rows, terms), "q": (1, terms, columns)}


def _layer(text: str) -> Any:
    try:
        kind, _ = parsed("layer", text)
        tables = (LOSSES_IN_TEXT, ACTIVATIONS)
        table = next((table for table in tables if kind.replace("_", "-") in table), LAYERS)
        return made("layer", table, text)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{error} Or give a file of tensors, matmul(T, M, K) or FILE.py:function.") from None
