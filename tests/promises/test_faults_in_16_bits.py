"""Every fault of the catalogue, planted in bfloat16 or float16: located, or said to be beyond what the format can tell.

Never called right in silence, and never located at another link. What changes nothing on this data is no fault here;
what makes a number that is not finite is told as such.
"""

from collections import Counter

import numpy as np
import pytest

from harness.arithmetic import profile_of
from harness.diagnosis.diagnosis import gradient_of
from harness.diagnosis.location import located
from harness.evaluation.given import with_buffers
from harness.evaluation.point import Point
from harness.fault_injection.misses import AskedOnce, catalogue_of
from impls.contract import is_real
from impls.graph import TARGET, evaluate
from impls.hand_numpy import Working
from tests.faults.test_fault_catalogue import GRAPHS, NETWORKS
from tests.graphs.branching import batch_of
from tests.helpers.diagnosing import point_of

ROWS = 5


def in_dtype(network, dtype):
    """A point whose numbers are those of the format."""
    if network in NETWORKS:
        wide = point_of(network, ROWS)
        weights, x, y = wide.weights, wide.x, wide.y
    else:
        weights = network.init(0)
        x, y = batch_of(network, ROWS)
        x = with_buffers(network, x, {name: np.full(shape, 0.25) for name, shape in network.buffers.items()})
    y = y if network.tensors[TARGET].whole else y.astype(dtype)
    x = x.astype(dtype) if not isinstance(x, np.ndarray) or is_real(x) else x
    return Point(network, {name: w.astype(dtype) for name, w in weights.items()}, x, y, 1)


def pass_with(point, fault):
    """Every tensor that a program shows with the fault in it; None where its shape fits nothing that reads it."""
    own = Working(point.dtype)
    with np.errstate(all="ignore"):
        try:
            made = evaluate(
                point.network.links, own.taken_by_name(point.named),
                planted={fault.at: fault.rule}, passed_on=own.passed_on,
            )  # fmt: skip
        except ValueError:
            return None
    return own.kept_by_name({name: made[name] for name in point.network.link})


def planted(network, dtype, *, weights_only=False, first=0, every=1):
    """What became of every fault, and a list of those that were passed over in silence or located elsewhere."""
    point, profile = in_dtype(network, dtype), profile_of(dtype)
    told = [name for name in network.link if not network.tensors[name].through]
    told = list(network.gradients) if weights_only else told
    check, fates, amiss = AskedOnce(point, told, profile), Counter(), []
    for link, fault in catalogue_of(network, network.links)[first::every]:
        tensors = pass_with(point, fault)
        shown = tensors and {name: tensors[name] for name in told}
        if not shown or any(shown[name].shape != check.right[name].shape for name in told):
            fates["shape"] += 1
            continue
        if not all(np.isfinite(tensor.astype(float)).all() for tensor in shown.values()):
            fates["not finite"] += 1
            continue
        judged, sees = located(point, shown, profile, "candidate"), check.sees(link, fault)
        after = check.ground.working.shown_after(link, tensors[fault.at], check.right)
        rows = {row.gradient: row.verdict for row in judged.rows}
        if judged.faulty:
            place = next(iter(after)) if weights_only else gradient_of(network, fault.at)
            fate = "located" if judged.faulty[0] == place else "elsewhere"
        elif sees:
            fate = "no power, by the verdict" if "no power" in map(rows.get, after) else "silent"
        else:
            fate = "changes nothing" if sees is None else "no power, by the count"
        fates[fate] += 1
        if fate in ("silent", "elsewhere"):
            amiss.append((fate, fault.cause, fault.at, judged.faulty))
    print(dtype, weights_only, network, dict(fates))
    assert amiss == [], amiss
    return fates


EVERY = 5
"""So that the tests take a minute: of each network other faults, and together all causes."""


@pytest.mark.parametrize("number", range(len(NETWORKS) + len(GRAPHS)))
def test_a_fault_in_bfloat16_is_located_or_said_to_be_beyond_it(number):
    planted([*NETWORKS, *GRAPHS][number], "bfloat16", first=number % EVERY, every=EVERY)


@pytest.mark.parametrize("number", range(0, len(NETWORKS), 6))
def test_a_fault_in_float16_is_located_or_said_to_be_beyond_it(number):
    fates = planted(NETWORKS[number], "float16", first=number % EVERY, every=EVERY)
    assert fates["located"] > fates.total() / 2
