"""Faults of frameworks that the campaign knows: each with its reason, and the formula that it really is.

A fault counts as known only where the framework's own formula explains it within that formula's bound, so that
no other fault of the same link hides behind it. A known fault that is never met is stale, and fails a campaign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.arithmetic import Profile
from harness.comparison.checks import judge_link
from impls.graph import Link
from impls.graph.primitive import Array
from impls.hand import HardSigmoid


@dataclass(frozen=True)
class KnownFault:
    """One wrong link of one framework in one dtype."""

    name: str
    against: str
    dtype: str
    layer: type
    gives: str
    rule: Callable[..., Array]
    reason: str

    def covers(self, link: Link, against: str, dtype: str) -> bool:
        """Is this the link that is known to be wrong?"""
        same = (against, dtype) == (self.against, self.dtype)
        return same and type(link.layer) is self.layer and link.rule.__name__ == self.gives

    def explains(self, link: Link, tensors: Mapping[str, Array], profile: Profile) -> bool:
        """Does the framework's own formula give what it shows?"""
        own = replace(link, rule=self.rule)
        return judge_link(own, tensors, tensors[link.output], profile, self.against, 1).verdict != "FAULT"


def _hard_sigmoid_of_torch(da: Array, z: Array) -> Array:
    shifted: Any = z + 3
    return da * (shifted > 0) * (shifted < 6) * float(np.float32(1 / 6))


KNOWN_FAULTS = (
    KnownFault(
        "torch's float64 hard sigmoid",
        "torch",
        "float64",
        HardSigmoid,
        "dz",
        _hard_sigmoid_of_torch,
        "its backward pass multiplies by 1.0f / 6.0f, a float32 constant, which is 3e-8 off in float64 "
        "(ATen/native/cpu/Activation.cpp, hardsigmoid_backward_kernel)",
    ),
)


def fault_of(link: Link, against: str, dtype: str) -> KnownFault | None:
    """The known fault of this link, if there is one."""
    return next((fault for fault in KNOWN_FAULTS if fault.covers(link, against, dtype)), None)
