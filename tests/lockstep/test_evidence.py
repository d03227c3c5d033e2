"""What is read of a step to judge it: of a sample a part, from which the same is found as from the whole."""

import numpy as np
import pytest

from harness.candidates.implementation import admit
from harness.inputs.arguments import as_data, as_optimizer
from harness.inputs.batches import batches_of
from harness.inputs.schedule import TURNS, Schedule
from harness.lockstep.evidence import read_of
from harness.lockstep.judging import judged
from harness.lockstep.session import Session
from impls.contract import tensors_of
from impls.graph import GraphBuilder
from impls.hand import BatchNorm, Dense, LayerNorm, SumSquaredError, from_text
from impls.hand.named import named


def session(network, optimizer, against):
    data = as_data("random", network, 0, raw=False, target=None)
    return Session(
        network=network, batches=batches_of(network, data, "float32", 16, 0), optimizer=as_optimizer(optimizer),
        dtype="float32", seed=0, schedule=Schedule(full=False, every=0, last=0, seed=0), free=False,
        admission=admit(against, network, "float32", named=False),
    )  # fmt: skip


def normalized():
    net = GraphBuilder()
    return net.loss(SumSquaredError(), net("bn", BatchNorm(3), net("fc", Dense(4, 3), net.input("x", 4))))


def one_neuron():
    """Which LayerNorm makes 0 of, but for its bias, and torch not quite."""
    net = GraphBuilder()
    return net.loss(SumSquaredError(), net("ln", LayerNorm(1), net("fc", Dense(3, 1), net.input("x", 3))))


GPT = "gpt:layers=1,heads=2,width=8,context=4,tokens=5"
CASES = {
    "a chain": (lambda: from_text("30-40-10", activation="tanh"), "adam", ("hand", "torch", "jax"), False),
    "no state": (lambda: from_text("7-5-3"), "gradient-descent", ("hand", "torch", "jax"), False),
    "parts": (lambda: named(GPT), "momentum", ("hand", "torch", "jax"), False),
    "buffers": (normalized, "adamw", ("hand", "torch"), False),
    "wrong": (one_neuron, "gradient-descent", ("hand", "torch"), True),
}


def worst(step):
    return "FAULT" if any(row.verdict == "FAULT" for row in step.rows) else "ok"


def held(step):
    """Arrays of what was run, each once."""
    every = [array for each in step.of_passes for array in tensors_of(each.first.working).values()]
    for each in step.of_updates:
        every += [*each.gradients.values(), *each.before.values(), *each.update.weights.values()]
    return {id(array): np.asarray(array) for array in every}.values()


@pytest.mark.parametrize("case", CASES)
def test_what_is_read_of_a_sample_tells_the_same_as_the_whole(case):
    make, optimizer, against, wrong = CASES[case]
    made, seen, found = session(make(), optimizer, against), set(), []
    for number in range(1, 3 * TURNS + 1):
        step = made.step(number)
        part = read_of(step)
        if step.checked == "full":
            assert part is step
            continue
        assert sum(array.nbytes for array in held(part)) < sum(array.nbytes for array in held(step))
        assert part.passes.get("jax") is step.passes.get("jax")  # of which anything may be read
        expected = judged(step)
        if wrong:  # it is seen that it is, and then the whole is judged
            assert worst(judged(part)) == worst(expected)
        else:
            assert judged(part) == expected
        seen |= {row.gradient for row in expected.rows}
        found.append(worst(expected))
    assert ("FAULT" in found) == wrong
    assert seen >= {*made.network.weights, *made.network.gradients}
