"""Mutants of the hand code that nothing catches are the same function, or differ at a tie alone."""

import numpy as np
import pytest

from harness.arithmetic import profile_of
from harness.arithmetic.rationals import IrrationalError, Rationals
from harness.comparison.checks import judge_link
from harness.mutation.mutants import SAME, is_same, planted
from impls.hand import (
    Dense,
    LayerNorm,
    Network,
    Positions,
    SumSquaredError,
)  # fmt: skip
from tests.helpers.hand_mutants import ACTIVATIONS, AT_A_TIE, LOSSES, all_mutants, key

OTHERS = {Dense(4, 5): Dense.dx, LayerNorm(5): LayerNorm.dx, Positions(40, 5): Positions.dW}
"""Layers of other kinds, and the rule of each that has mutants which are the same."""


def layers_with(rule):
    """The layers and losses that use a rule."""
    for layer in [*ACTIVATIONS, *LOSSES]:
        own = getattr(type(layer), "da" if layer in LOSSES else "dz")
        if own is rule or rule.__name__ in own.__code__.co_names:
            yield layer, own
    for layer, own in OTHERS.items():
        if own is rule or rule.__name__ in own.__code__.co_names:
            yield layer, own


def arguments(layer, exact):
    """Small fractions, on kinks and beside them, as a rule reads them."""
    rng = np.random.default_rng(0)
    first, second = (rng.integers(-9, 10, (40, 5)) / 2 for _ in range(2))
    if isinstance(layer, Dense):
        return exact(first), exact(second[:4])
    if isinstance(layer, LayerNorm):
        return exact(first), exact(second), exact(second[0])
    if isinstance(layer, Positions):
        return exact(first[None, :30]), exact(np.abs(second[: layer.length]) + 1)
    if layer in LOSSES and (layer.unit_targets or layer.on_probabilities):
        first, second = (rng.integers(1, 16, (40, 5)) / 16 for _ in range(2))
    if getattr(layer, "labels", False):
        return exact(first), rng.integers(0, 5, 40)
    return exact(first), exact(second)


def value(layer, own, exact):
    result = own(layer, *arguments(layer, exact))
    return np.asarray(getattr(result, "entries", result))


def both(rule, mutant, layer, own):
    """What a layer's rule gives without and with a mutant, in rational arithmetic if it is rational."""
    try:
        numbers = Rationals()
        before = value(layer, own, numbers.exact)
        exact = numbers.exact
    except (IrrationalError, TypeError):
        exact = np.array
        before = value(layer, own, exact)
    with planted(rule, mutant):
        return before, value(layer, own, exact)


@pytest.mark.parametrize(("rule", "after"), SAME)
def test_a_mutant_that_is_not_caught_is_the_same_function(rule, after):
    ((function, mutant),) = [(f, m) for f, m in all_mutants() if key(f, m) == (rule, after)]
    tried = 0
    for layer, own in layers_with(function):
        mutant.ran.clear()
        before, with_it = both(function, mutant, layer, own)
        tried += bool(mutant.ran)
        assert before.shape == with_it.shape
        assert np.all(before == with_it)
    assert tried
    assert is_same(function, mutant)


@pytest.mark.parametrize(("rule", "after"), AT_A_TIE)
def test_a_mutant_at_a_tie_differs_nowhere_else(rule, after):
    layer, kink, verdict = AT_A_TIE[rule, after]
    ((function, mutant),) = [(f, m) for f, m in all_mutants() if key(f, m) == (rule, after)]
    da, z = np.ones((1, 7)), kink + np.array([[-1, -0.5, -(2.0**-40), 0, 2.0**-40, 0.5, 1]])
    before = layer.dz(da, z)
    with planted(function, mutant):
        with_it = layer.dz(da, z)
    assert np.flatnonzero(before != with_it).tolist() == [3]
    network = Network([Dense(7, 7), layer], SumSquaredError())
    link = next(link for link in network.links if link.output == "dz1")
    row = judge_link(link, {"da1": da, "z1": z}, with_it, profile_of("float64"), "mutant", 1)
    assert row.verdict == verdict
