"""Other forms: whether a function that fails is right in another layout, or with other targets.

Code for rows of 0 and 1 raises where it is given labels, and code for labels where it is given rows of 0 and 1. With
one output, y of shape (N, 1) and an output of shape (N,) broadcast to (N, N), or the reverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.candidates.contracts import Obeyed
from harness.candidates.examination import Examination
from harness.candidates.layout import LAYOUTS
from harness.comparison.judge import Finding
from harness.diagnosis.location import located
from harness.diagnosis.whole_pass import common_factor
from harness.dialects import Recognised, recognised
from harness.dialects.losses import option_for
from harness.evaluation.point import Point
from harness.usage import UsageError
from impls import hand
from impls.graph import TARGET
from impls.hand.losses.scaled import around, bare

ROWS_OF_LABELS = {
    hand.SoftmaxCrossEntropy: hand.OneHotCrossEntropy,
    hand.SparseCategoricalCrossEntropy: hand.CategoricalCrossEntropy,
}
"""Losses of labels, and those of the same labels as rows of 0 and 1."""


@dataclass(frozen=True)
class Form:
    """A point with targets of another form.

    Attributes:
        flat: whether targets are given without an axis of size 1.
        says: in words that follow ``is right``; empty where all is as it was.
    """

    point: Point
    flat: bool = False
    says: str = ""


def right_elsewhere(examination: Examination, obeyed: Obeyed[Recognised]) -> list[Finding]:
    """A finding that names the layout, or the form of the targets, in which every gradient is right, or it runs.

    Another layout is none where a gradient is right in the one that was asked for: then that is the one meant.
    """
    name, layout, judged = examination.name, examination.layout, obeyed.read.located
    broken = any(finding.fails and finding.kind in ("raised", "shape") for finding in obeyed.findings)
    if not broken and not judged.faulty:
        return []
    gradients = examination.point.network.gradients
    lies_so = any(row.verdict == "ok" and row.gradient in gradients for row in judged.rows)
    others = [each for each in LAYOUTS if each != layout] if broken and not lies_so else []
    runs = list[Finding]()
    for form in _forms_of_targets(examination.point):
        for other in (layout, *others):
            if not form.says and other == layout:
                continue
            does = _does(replace(examination, point=form.point, flat=form.flat, layout=other), broken=broken)
            lies = f"in another layout: layout={other!r} (--layout {other}), if that is the one meant"
            says = f"{does} {', and '.join(filter(None, (form.says, lies if other != layout else '')))}"
            found = Finding(name, 1, "targets" if form.says else "layout", says, fails=False)
            if does.startswith("is right"):
                return [found]
            runs += [found] if does and broken and form.says and other == layout else []
    return runs[:1]


def _forms_of_targets(point: Point) -> Iterator[Form]:
    """The targets as they are, and in the other form that people give them."""
    yield Form(point)
    network, y = point.network, point.y
    outer, inner = network.loss, bare(network.loss)
    for labels, rows in ROWS_OF_LABELS.items():
        if type(inner) is labels:
            other, told = np.eye(network.outputs, dtype=point.dtype)[y], "rows of 0 and 1, not labels"
        elif type(inner) is rows and (np.sort(y, axis=-1)[..., :-1] == 0).all():
            other, told = np.argmax(y, axis=-1), "labels, not rows of 0 and 1"
        else:
            continue
        loss = around(outer, (rows if type(inner) is labels else labels)(**inner.guard))
        at = replace(point, network=network.with_loss(loss), y=other)
        yield Form(at, says=f"where y is {told}: {option_for(loss)}")
    if network.tensors[TARGET].shape[-1:] == (1,) and y.ndim == 2:
        flat = "where y has shape (N,), not (N, 1), with which it broadcasts to (N, N): begin with y = y.ravel()"
        yield Form(point, flat=True, says=flat)


def _does(examination: Examination, *, broken: bool) -> str:
    """Whether it is right so, or runs and gives every gradient; in words, none where it does not."""
    try:
        candidate, point = examination.begun()
    except UsageError:  # its tensors cannot lie so
        return ""
    answer = candidate.answer(point)
    if any(finding.fails for finding in answer.findings) or not answer.shown.keys() >= set(point.network.gradients):
        return ""
    profile = point.profile
    right = not located(point, answer.shown, profile, examination.name).faulty
    right = right or (broken and not recognised(point, answer.shown, profile, examination.name)[0].located.faulty)
    if right:
        return "is right" if examination.passes() else "runs, and breaks another rule,"
    factor = common_factor(point, answer.shown)
    return f"is right, but for the factor {factor:g}," if factor else "runs, and is wrong otherwise,"
