"""Hosting: what hosts have in common, whichever framework's arrays they run functions on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from impls.abilities import Differentiated, Hosts, Upstream


def own_upstream(host: Hosts, upstream: Upstream) -> Any:
    """An upstream in own arrays: those of several outputs are a tuple."""
    if upstream is None or isinstance(upstream, np.ndarray):
        return None if upstream is None else host.give(upstream)
    return tuple(map(host.give, upstream))


def taken(host: Hosts, output: Any, gradients: Sequence[Any]) -> Differentiated:
    """What was differentiated in NumPy's arrays: several outputs are a tuple."""
    outputs = tuple(map(host.take, output)) if isinstance(output, tuple) else host.take(output)
    return outputs, [None if g is None else host.take(g) for g in gradients]
