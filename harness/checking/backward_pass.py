"""Checking a backward pass: from a function, a file of numbers or tensors at a point to a `Check`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from msgspec.structs import replace as replaced

from harness.arithmetic import profile_of
from harness.candidates.answers import not_trained
from harness.candidates.contracts import examined
from harness.candidates.examination import Examination
from harness.candidates.function import BackwardPass
from harness.candidates.other_forms import right_elsewhere
from harness.candidates.sources import Source, checked, loaded
from harness.checking.learning import learned
from harness.checking.reading import said_of_factor, said_of_reading
from harness.comparison.judge import Finding
from harness.comparison.remarks import remarks_at, remarks_on
from harness.diagnosis import Diagnosis
from harness.diagnosis.location import Located, located
from harness.diagnosis.whole_pass import common_factor, common_length
from harness.dialects import Recognised, ambiguous, recognised, unshown
from harness.dialects.losses import option_for
from harness.evaluation.given import with_buffers
from harness.evaluation.point import Point
from harness.fault_injection.misses import count_unseen
from harness.formats import WIDE
from harness.inputs.arguments import as_data, as_dtype, as_network, as_seconds, check_parameters
from harness.inputs.batches import batches_of
from harness.inputs.datasets import Data
from harness.inputs.devices import as_device
from harness.inputs.networks import of_a_network
from harness.inputs.plain import as_count, as_flag, as_path, as_text
from harness.results.check import Check
from harness.results.record import PowerCount
from harness.results.setting import Setting, setting_of
from harness.usage import UsageError, visible
from impls.contract import CPU, Array
from impls.graph import Graph

DUMPS = (".npz", ".safetensors")


@of_a_network
def check(
    function: Callable[..., Any] | str | os.PathLike[str],
    network: Graph | str | os.PathLike[str] = "4-3-2-1",
    data: Data | str | os.PathLike[str] | tuple[Any, Any] | None = None,
    *,
    raw: bool = False,
    target: str | None = None,
    batch: int | None = None,
    dtype: str = "float64",
    seed: int = 0,
    arrays: str | None = None,
    timeout: float | None = None,
    layout: str = "rows",
    strict: bool = False,
    device: str = CPU,
) -> Check:
    """Check a backward pass link by link: find the first wrong one, and what explains it.

    Args:
        function: ``backward(weights, x, y) -> dict``; weights is a dict of W1 (n_in, n_out), b1 (n_out,), ..., x is
            (N, n_in), y what the loss reads; of dW1, db1, dz1, da1, ..., z1, a1, ..., loss the dict may hold any:
            the more, the finer a mistake is located; other names, and tuples and lists, are read as
            `harness.candidates.names` says, and `gradients_from_update` makes a function of a step that only updates
            the weights. Of a `Graph` names are fc1.W, fc1.z, fc1.dz, fc1.dW; x is a dict
            of arrays by name where it has several inputs or buffers. Or text: ``FILE.py:function``,
            ``package.module:function``, or the path of an .npz or .safetensors file that holds weights, x, y and
            gradients.
        network: a `Network` or `Graph`, layer sizes, or the path of a .toml file.
        data: a `Data`, the name or path of one, or arrays (x, y), or x by input; iris, or random rows where it does not
            fit, if None.
        raw, target: how to load data by name or path: see `load_data`.
        batch: the first so many rows in an order fixed by the seed; all rows if None.
        dtype: float64, in which mistakes stand out sharpest, float32, float16 or bfloat16.
        seed: of the weights, the order of the rows and random data.
        arrays: kind of arrays that the function is given: numpy, torch, jax; found in its code if None.
        timeout: seconds that loading, or one call, may take; for ever if None.
        layout: how the arrays lie that the function is given and returns: rows, columns, sample, sample-column; see
            `harness.candidates.layout`.
        strict: fail what has to be read as something else than was returned: in another shape, under another name,
            with biases that are not trained, in a dialect of `harness.dialects`.
        device: where the arrays are that it is given, of torch or JAX: cpu, cuda, cuda:1, ...

    Raises:
        UsageError: something impossible was asked for, or the file or module cannot be loaded.
    """
    network, dtype = as_network(network, data), as_dtype(dtype)
    seed, batch = as_count("seed", seed, 0) or 0, as_count("batch", batch, 1)
    device = as_device(device)
    timeout, strict, raw = as_seconds(timeout), as_flag("strict", strict), as_flag("raw", raw)
    layout = as_text("layout", layout, "columns")
    arrays = None if arrays is None else as_text("arrays", arrays, "numpy")
    check_parameters(network, None, dtype)
    function = as_path("function", function) if isinstance(function, os.PathLike) else function
    if isinstance(function, str) and Path(function).suffix.lower() in DUMPS:
        _refuse_with_numbers(
            data=data,
            batch=batch,
            arrays=arrays,
            layout=None if layout == "rows" else layout,
            device=None if device == CPU else device,
        )
        return _numbers(Path(function), network, strict=strict)
    source = _source(function, timeout)
    name = visible(source.name)
    loaded_data = _data(data, network, seed, raw=raw, target=target)
    batches = batches_of(network, loaded_data, dtype, batch, seed)
    x, y = batches.at(1)
    x = with_buffers(network, x, network.fresh_buffers(dtype))
    point = Point(network, network.init(seed, dtype), x, y, 1)
    examination = Examination(
        name=name,
        function=source.function,
        point=point,
        arrays=arrays,
        timeout=timeout,
        layout=layout,
        strict=strict,
        device=device,
    )
    candidate, point = examination.begun()
    obeyed = examined(candidate, point)
    settings = candidate.stated(dtype).settings
    setting = setting_of(name, point, loaded_data.describe(), seed, source.function, layout, settings)
    answer = obeyed.answer
    findings = [*obeyed.findings, *right_elsewhere(examination, obeyed)]
    findings += said_of_reading(name, answer.returned, point, obeyed.read.located)
    result = concluded(setting, obeyed.read, findings, answer.ignored, examination)
    if result.wrong_links:
        rate = said_of_factor(name, getattr(source.function, "lr", None), result, examination)
        result = _with_learning(replace(result, findings=[*result.findings, *rate]), candidate, point)
    candidate.printed.tell(name)
    return result


def _numbers(path: Path, network: Graph, *, strict: bool) -> Check:
    """The check of a file that holds weights, inputs, targets and gradients."""
    from harness.candidates.dumps import read_dump

    dump = read_dump(path, network)
    point = Point(network, dump.weights, dump.x, dump.y, 1)
    setting = setting_of(visible(str(path)), point, f"x, y and weights of {visible(path.name)}", None, None)
    read, *_ = recognised(point, dump.shown, profile_of(setting.dtype), setting.name, strict=strict)
    findings = not_trained(network, dump.shown, setting.name, strict=strict)
    return concluded(setting, read, findings, dump.ignored)


def _with_learning(result: Check, candidate: BackwardPass, point: Point) -> Check:
    shown = {row.gradient for row in result.judged}
    if not shown.issuperset(point.network.gradients):
        return result
    return replace(result, learning=learned(candidate, point))


def _source(function: Any, timeout: float | None) -> Source:
    if isinstance(function, str):
        return loaded(function, timeout)
    name = getattr(function, "__qualname__", type(function).__name__)
    return Source(name, checked(function, f"function={name}"))


def _data(data: Any, network: Graph, seed: int, *, raw: bool, target: str | None) -> Data:
    if data is not None:
        return as_data(data, network, seed, raw=raw, target=target)
    usual = "random" if network.features is None else "iris"  # rows of numbers are read by few graphs
    try:
        found = as_data(usual, network, seed, raw=raw, target=target)
        found.targets(network)
    except UsageError:
        return as_data("random", network, seed, raw=raw, target=target)
    return found


def _refuse_with_numbers(**given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise UsageError(
                f"Cannot use {name} with a file of numbers, because the file itself holds weights, x and y; "
                "leave it out."
            )


def concluded(
    setting: Setting,
    read: Recognised,
    findings: list[Finding],
    ignored: list[str],
    examination: Examination | None = None,
) -> Check:
    """The check of tensors that somebody made at a point, as they are read: wrong links are diagnosed.

    Args:
        examination: of the function that made them, so that what would make it right is tried; None where there is no
            function.
    """
    point, shown, diagnoses = read.point, read.shown, read.diagnoses
    findings = [each for each in findings if each.kind != "not trained" or each.tensor in point.network.link]
    findings = [*remarks_on(point.network), *remarks_at(point), *findings]
    if any(dialect.without for dialect in read.dialects) and not any(each.kind == "not trained" for each in findings):
        findings += not_trained(point.network, shown, setting.name, strict=False)
    judged = _reasoned(_inferred(read.located, shown, diagnoses), findings)
    factor = common_factor(point, shown) if diagnoses else None
    meant = None
    if factor is not None and (length := common_length(point, shown, factor)):
        clipped = f"returned gradients that have length {length:g} together: clipped by norm"
        findings = [*findings, Finding(setting.name, 1, "learning rate", clipped, fails=False)]
    elif diagnoses and read.of_the_loss_that_was_said:
        losses = unshown(point, shown, setting.name) if factor is None else ambiguous(point, factor)
        right = (loss for loss in losses if _right_with(loss, read, setting.name, examination))
        meant = next(map(option_for, right), None)
    loss = float(point.double.centre("float64").tensors["loss"].value)
    return Check(
        setting=setting, point=point, located=judged, findings=findings, diagnoses=diagnoses, ignored=ignored,
        loss=loss, factor=factor, dialect=read.says or None, option=read.option or meant, power=_power(read),
    )  # fmt: skip


def _power(read: Recognised) -> PowerCount | None:
    """What would have been called right, where that is more than rounding in float32 hides, and nothing is wrong."""
    point = read.point
    if point.dtype in WIDE or read.located.faulty or not read.shown:
        return None
    return count_unseen(point, read.shown, point.profile)


def _right_with(loss: Any, read: Recognised, name: str, examination: Examination | None) -> bool:
    """Whether all of it is right with another loss: wherever the function is asked, or here where there is none."""
    if examination is not None:
        return examination.with_loss(loss).passes()
    at = replace(read.point, network=read.point.network.with_loss(loss))
    return not located(at, read.shown, at.profile, name).faulty


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
