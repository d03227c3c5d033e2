"""What was compiled is judged as a whole: against what was compiled, run eagerly from the same numbers.

Its loss, gradients and state, and what its modules give that can be seen from outside, are within the allowance of a
measured reference in the dtype in which it runs; see `harness.programs.rounding`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.arithmetic.enclosure import within
from harness.comparison.judge import Row, judge
from harness.programs.pairs.trace import Verdict
from harness.programs.rounding import gradients_of, measured, total_loss
from impls.captured import Capture
from impls.contract import Array


def judged_as_compiled(whole: Capture, wide: Capture, narrow: Capture, by: str) -> Verdict:
    """Whether it computes what was compiled.

    Args:
        whole: as it runs compiled.
        wide, narrow: what was compiled, in float64 and in float32.
        by: what has compiled it.
    """
    rows = [row for row in _rows(whole, wide, narrow) if row.verdict == "FAULT"]
    if not rows:
        return Verdict("PASS", f"{by} computes what was compiled, as a whole, up to rounding")
    module = next(_modules(whole, wide, narrow), None)
    first = f"from what {module} gives on, " if module else ""
    told = ", ".join(row.gradient for row in rows[:3]) + (f" and {len(rows) - 3} more" if len(rows) > 3 else "")
    return Verdict("FAIL", f"{by} computes something else than what was compiled: {first}{told}")


def _rows(whole: Capture, wide: Capture, narrow: Capture) -> Iterator[Row]:
    dtype = "float64" if whole.dtype == "float64" else "float32"
    runs = [named(capture) for capture in (whole, wide, narrow)]
    for name, expected in runs[1].items():
        actual = runs[0].get(name, np.zeros(expected.shape))
        bound = measured(expected, runs[2].get(name), dtype)
        yield judge("end-to-end", name, "compiled", 1, actual=actual, expected=expected, allowed=bound)


def named(capture: Capture) -> dict[str, Array]:
    """The loss, gradients of leaves and what is left behind, in float64."""
    found = {"loss": total_loss(capture)}
    found |= {f"d({name})": gradient for name, gradient in gradients_of(capture).items()}
    found |= {f"{name} afterwards": array for name, array in capture.state.items()}
    return {name: np.asarray(array, np.float64) for name, array in found.items()}


def _modules(whole: Capture, wide: Capture, narrow: Capture) -> Iterator[str]:
    """Modules that give what no operation of what was compiled gives, the first one first."""
    dtype = "float64" if whole.dtype == "float64" else "float32"
    right = []
    for operation, twin in zip(wide.operations, narrow.operations, strict=False):
        for value, other in zip(operation.outputs, twin.outputs, strict=False):
            if value.shape == other.shape and value.size:
                bound = np.max(measured(value, other, dtype))
                right.append((np.sort(np.asarray(value, np.float64), axis=None), bound))
    for operation in whole.operations:
        for output in operation.outputs:
            mine = np.sort(np.float64(output), axis=None)
            if not any(mine.shape == n.shape and within(mine, n, bound) for n, bound in right):
                yield operation.module or operation.name
