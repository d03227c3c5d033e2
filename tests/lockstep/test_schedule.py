"""What a large network's steps between the full ones run and see."""

import numpy as np
import pytest

import harness
from harness.inputs.datasets import Data
from impls.hand import from_text
from impls.hand_numpy import Hand

LAST = 12
FULL = [1, 2, 4, 8, LAST]


def large():
    """A network just large enough for a sampled schedule, and its data."""
    rng = np.random.default_rng(0)
    data = Data("random", rng.normal(size=(128, 100)), rng.integers(0, 10, 128), tuple("0123456789"))
    return from_text("100-64-10", activation="tanh", loss="cross-entropy"), data


class Late(Hand):
    """Right until a step; from then on one entry of one gradient is doubled, its intermediates shown or not."""

    begins, shows = 1, True
    calls: list[tuple[str, bool]]

    def differentiate(self, weights, x, y, *, tap=True):
        result = super().differentiate(weights, x, y, tap=tap and self.shows)
        dtype = str(weights["W1"].dtype)
        self.calls.append((dtype, tap))
        # Every step begins with one call in float32; the first has two more, once again and untapped.
        if sum(each == "float32" for each, _ in self.calls) - 2 >= self.begins:
            result.gradients["dW1"][17, 5] *= 2
        return result


def late(begin, shown):
    return type("Late", (Late,), {"begins": begin, "shows": shown, "calls": []})


@pytest.mark.parametrize("begin", [2, 3, 5, 6, 9, 11])
@pytest.mark.parametrize("shown", [True, False])
def test_a_fault_that_begins_at_any_step_is_found_by_the_next_full_step_at_the_latest(register, begin, shown):
    register("late", late(begin, shown))
    run = harness.run(*large(), ["late"], steps=LAST)
    found = [step.step for step in run.steps if any(row.verdict == "FAULT" for row in step.rows)]
    assert run.verdict == "FAIL"
    assert begin <= found[0] <= next(step for step in FULL if step >= begin)


def test_nothing_runs_in_float64_between_the_full_steps(register):
    made = late(LAST + 1, True)
    register("late", made)
    run = harness.run(*large(), ["late"], steps=LAST)
    assert run.verdict == "PASS"
    assert [step.step for step in run.steps if step.checked == "full"] == FULL
    for step in run.steps:
        checks = {row.check for row in step.rows}
        assert checks == ({"formula", "rounding", "end-to-end"} if step.step in FULL else {"rounding"})
    doubles = [call for call in made.calls if call[0] == "float64"]
    assert len(doubles) == len(FULL)
