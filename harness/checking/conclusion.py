"""Concluding: from the tensors that somebody shows to a `Check`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from msgspec.structs import replace as replaced

from harness.arithmetic import profile_of
from harness.comparison.finding import Finding
from harness.diagnosis import Diagnosis, diagnose
from harness.diagnosis.common_factor import common_factor
from harness.diagnosis.location import Located
from harness.evaluation.point import Point
from harness.results.check import Check
from harness.results.setting import Setting
from impls.contract import Array


def concluded(
    setting: Setting,
    point: Point,
    shown: Mapping[str, Array],
    judged: Located,
    findings: list[Finding],
    ignored: list[str],
) -> Check:
    """The check of tensors that somebody made at a point and that are judged: wrong links are diagnosed."""
    diagnoses = diagnose(point, shown, profile_of(setting.dtype), judged.faulty) if judged.faulty else []
    judged = _reasoned(_inferred(judged, shown, diagnoses), findings)
    factor = common_factor(point, shown) if diagnoses else None
    loss = float(point.double.centre("float64").tensors["loss"].value)
    return Check(setting, judged, findings, diagnoses, ignored, loss, factor)


def _reasoned(judged: Located, findings: Sequence[Finding]) -> Located:
    """What was returned, but cannot be judged, has the reason that was found."""
    said = {finding.tensor: finding.message for finding in findings if finding.kind in ("shape", "dtype")}
    rows = [
        replaced(row, reason=said[row.gradient]) if row.verdict == "not comparable" and row.gradient in said else row
        for row in judged.rows
    ]
    return replace(judged, rows=rows)


def _inferred(judged: Located, shown: Mapping[str, Array], diagnoses: Sequence[Diagnosis]) -> Located:
    """What a mistake at a link that is not shown explains has no fault of its own."""
    behind = {name: d.at for d in diagnoses if d.causes and d.at not in shown for name in d.explains}
    rows = [
        replaced(row, verdict="inherited", reason=f"right, but for the mistake at {behind[row.gradient]}")
        if row.verdict == "FAULT" and row.gradient in behind
        else row
        for row in judged.rows
    ]
    return replace(judged, rows=rows)
