"""Where a check stood, found again: weights from its seed and data by its name, as a run of one step.

A `Check` keeps neither. That they are the same is seen from the loss, which must be the same number.
"""

from __future__ import annotations

from harness.evaluation.point import Point
from harness.inputs.batches import Batches, batches_of
from harness.inputs.datasets.loading import RANDOM, load_data
from harness.inputs.datasets.named import DATA_SETS
from harness.inputs.seals import digest_of
from harness.results.check import Check
from harness.results.record import SCHEMA, Head, Step
from harness.results.run import Run
from harness.usage import UsageError
from impls.hand import Network
from impls.registry import REFERENCE


def standing(check: Check, network: Network) -> tuple[Run, Batches] | None:
    """The check's point as a run of one step, and its batch; None where either cannot be had again."""
    setting = check.setting
    name, _, rest = setting.data.partition(" N=")
    if setting.seed is None or name not in (*DATA_SETS, RANDOM):
        return None
    try:
        data = load_data(name, raw="raw values" in rest, network=network, seed=setting.seed)
        batches = batches_of(network, data, setting.dtype, setting.rows, setting.seed)
    except UsageError:
        return None
    weights = network.init(setting.seed, setting.dtype)
    point = Point(network, weights, *batches.at(1), 1)
    if float(point.double.centre("float64").tensors["loss"].value) != check.loss:
        return None
    head = Head(
        SCHEMA, "", setting.network, setting.description, setting.loss_formula, dict(network.weights),
        network.gradients, network.activations, setting.data, "", setting.dtype, setting.seed, 1, batches.size, "",
        {REFERENCE: ""}, {}, [],
    )  # fmt: skip
    kept = {name: w.ravel().tolist() for name, w in weights.items()}
    return Run(head, [Step(1, digest_of(weights), "full", {}, [], [], 0, kept)]), batches
