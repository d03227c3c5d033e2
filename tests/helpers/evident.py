"""Helpers of the tests of evidence: the check of a pass that differs from the right one in some lines."""

from __future__ import annotations

import numpy as np

import harness
from impls.graph import evaluate


def checked(lines, *, network="4-3-2-1", only=None, after=(), **options):
    """The check of a pass in which some tensors are made by other lines.

    Args:
        lines: by tensor, from the tensors so far, by name, to what is made in its place.
        only: names of what is returned; all of it if None.
        after: changes of what is returned, after everything was computed: by name, from all tensors.
    """
    loaded = harness.load_network(network) if isinstance(network, str) else network

    def backward(weights, x, y):
        tensors = {**loaded.given(x), "y": y, **weights}
        with np.errstate(all="ignore"):
            evaluate(loaded.links, tensors, planted=lines)
            tensors |= {name: line(tensors) for name, line in dict(after).items()}
        names = [name for name in loaded.link if not loaded.tensors[name].through]
        return {name: tensors[name] for name in (names if only is None else only)}

    return harness.check(backward, network, **options)


def right(network, name):
    """The right line for a tensor."""
    loaded = harness.load_network(network) if isinstance(network, str) else network
    return next(link for link in loaded.links if link.output == name)
