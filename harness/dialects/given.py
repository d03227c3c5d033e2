"""What is right given what is shown: a mistake in one place hides no dialect of what comes behind it."""

from __future__ import annotations

from collections.abc import Mapping

from harness.arithmetic import Bounded
from harness.evaluation.expected import walk
from harness.evaluation.point import Point
from impls.contract import Array


def forward_in(point: Point, shown: Mapping[str, Array]) -> dict[str, Array]:
    """What is shown of the forward pass, without the loss."""
    tensors = point.network.tensors
    return {name: array for name, array in shown.items() if name in tensors and tensors[name].role == "activation"}


def given_forward(point: Point, shown: Mapping[str, Array]) -> Mapping[str, Bounded]:
    """Every tensor, given what is shown of the forward pass where that is wrong; end to end where it is not."""
    centre, forward = point.centre(point.dtype).tensors, forward_in(point, shown)
    if all(centre[name].holds(array) for name, array in forward.items()):
        return centre
    return walk(point, forward, point.profile).expected


def given_all(point: Point, shown: Mapping[str, Array]) -> Mapping[str, Bounded]:
    """Every tensor, given what is shown before it, as a link."""
    return walk(point, shown, point.profile).expected
