"""Every fault is caught, with the right verdict at the right link."""

import numpy as np
import pytest

import harness
from impls.contract import Pass, Update
from impls.hand import from_text
from impls.hand_numpy import Hand
from tests.broken import faults

NETWORK = "4-3-3-1"  # square in the middle, so that a transposition has the right shape


def run_against(register, build, **options):
    register("broken", build)
    return harness.run(NETWORK, against=["broken"], **{"steps": 4, **options})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fault", faults.LOCATED)
def test_a_fault_is_located_at_its_link(register, fault, dtype):
    build, link = faults.LOCATED[fault]
    run = run_against(register, build, dtype=dtype)
    assert (run.verdict, run.exit) == ("FAIL", 1)
    wrong = [r.gradient for r in run.rows if r.check == "rounding" and r.verdict == "FAULT" and r.against == "broken"]
    assert wrong[0] == link
    assert all(r.verdict in ("ok", "no power") for r in run.rows if r.against == "hand")
    assert link in run.outcome.reason


def test_the_slip_of_a_second_term_is_wrong_at_its_link_and_nowhere_else(register):
    run = run_against(register, faults.in_layer(faults.PathOfAnotherWeight))
    wrong = {row.gradient for row in run.rows if row.against == "broken" and row.verdict not in ("ok", "no power")}
    assert wrong == {"dW2"}


@pytest.mark.parametrize("fault", ["factor 2", "derivative at z", "transposed"])
def test_what_is_right_given_its_own_inputs_is_inherited(register, fault):
    build, link = faults.LOCATED[fault]
    run = run_against(register, build)
    assert run.find("formula", link, "broken").verdict == "FAULT"
    assert run.find("formula", "dW1", "broken").verdict == "inherited"
    assert run.find("rounding", "dW1", "broken").verdict == "ok"


def test_gradients_after_a_wrong_forward_pass_are_not_comparable(register):
    run = run_against(register, faults.StaleWeights)
    assert run.find("formula", "z1", "broken").verdict == "FAULT"
    rows = [r for r in run.steps[1].rows if (r.check, r.gradient, r.against) == ("formula", "dW1", "broken")]
    assert [row.verdict for row in rows] == ["not comparable"]
    assert "forward pass" in rows[0].reason


def test_one_nan_is_a_finding_and_the_others_go_on(register):
    run = run_against(register, faults.OneNan)
    assert run.exit == 1
    assert [(f.kind, f.tensor) for f in run.findings if f.fails] == [("non-finite", "dW1")]
    assert len(run.steps) == 4
    assert run.losses["hand"][-1] is not None


def test_float32_inside_float64_is_seen_by_the_formula_check(register):
    run = run_against(register, faults.Float32Inside)
    assert run.exit == 1
    assert run.find("rounding", "z1", "broken").verdict == "ok"
    assert run.find("formula", "z1", "broken").verdict == "FAULT"


def test_accumulated_gradients_are_seen_on_the_second_call(register):
    run = run_against(register, faults.Accumulates, steps=1)
    assert run.exit == 1
    assert "second call differs" in [f.kind for f in run.findings]


def test_an_implementation_with_gradients_only_gets_the_formula_check(register):
    run = run_against(register, faults.GradientsOnly)
    assert run.find("formula", "dW1", "broken").verdict == "ok"
    assert run.find("rounding", "dW1", "broken").verdict == "not comparable"
    assert run.verdict == "PASS"


def test_the_hand_code_is_the_odd_one_out_only_where_the_others_fail_alike(register):
    register("first", faults.in_layer(faults.Sign))
    register("second", faults.in_layer(faults.Sign))
    run = harness.run(NETWORK, against=["first", "second"], steps=1)
    assert "the odd one out" in run.outcome.reason
    register("second", faults.in_layer(faults.DroppedSample))
    other = harness.run(NETWORK, against=["first", "second"], steps=1)
    assert other.verdict == "FAIL"
    assert "the odd one out" not in other.outcome.reason


def test_another_subgradient_at_a_kink_is_a_convention(register):
    register("other", faults.in_layer(faults.OneAtZero, 1))
    network = from_text("2-2-1", activation="relu", output_activation="identity")
    network.init = lambda seed, dtype: {  # a bias of 0 and inputs of 0 put arguments exactly on the kink
        name: (np.zeros(s) if name.startswith("b") else np.full(s, 0.5)).astype(dtype)
        for name, s in network.weights.items()
    }
    x, y = np.array([[0.0, 0.0], [1.0, 2.0], [-1.0, 3.0]]), np.array([1.0, 0.5, 0.25])
    run = harness.run(network, (x, y), ["other"], steps=1)
    assert run.undecided == 2  # one row of zeros, two neurons
    assert run.find("rounding", "dz1", "other").verdict == "convention"
    assert run.exit == 0


def returning(change):
    class Changed(Hand):
        def differentiate(self, weights, x, y, *, tap=True):
            result = super().differentiate(weights, x, y, tap=tap)
            return change(result, weights)

    return Changed


def replaced(name, array_of):
    def change(result, _):
        return Pass(result.loss, {**result.gradients, name: array_of(result.gradients)}, result.activations)

    return change


def writes(result, weights):
    weights["W1"].flags.writeable = True
    weights["W1"][0, 0] += 1
    return result


def raises(result, weights):
    raise RuntimeError("out of cheese")


BREACHES = {
    "raised": raises,
    "shape": replaced("dW1", lambda g: g["dW1"].T),
    "dtype": replaced("dW1", lambda g: g["dW1"].astype("float16")),
    "names": replaced("dW9", lambda g: g["dW1"]),
    "not a pass": lambda result, weights: {"dW1": 1},
    "changed its input": writes,
}


@pytest.mark.parametrize("kind", BREACHES)
def test_a_breach_of_contract_fails_the_run_and_the_others_go_on(register, kind):
    run = run_against(register, returning(BREACHES[kind]))
    assert (run.verdict, run.exit) == ("FAIL", 1)
    assert [f.kind for f in run.findings if f.fails] == [kind]
    assert "broken" in run.outcome.reason
    assert "step 1" in run.outcome.reason
    assert len(run.steps) == 4
    assert run.find("formula", "dW1", "hand").verdict == "ok"


class WrongUpdate(Hand):
    def start(self, optimizer, weights):
        class Updater:
            def update(self, weights, gradients):
                return Update({n: w - w.dtype.type(0.021) * gradients["d" + n] for n, w in weights.items()}, {})

        return Updater()


def test_a_wrong_update_is_a_fault_of_the_update_link(register):
    run = run_against(register, WrongUpdate)
    assert run.find("rounding", "W1", "broken").verdict == "FAULT"
    assert run.find("rounding", "dW1", "broken").verdict == "ok"
    assert run.exit == 1


def wide_run(register, build):
    """A network so wide that half of a gradient would pass end to end in float32."""
    register("other", build)
    rng = np.random.default_rng(0)
    data = harness.Data("random", rng.normal(size=(32, 400)), rng.integers(0, 10, 32), tuple("0123456789"))
    network = from_text("400-300-200-10", activation="tanh", loss="cross-entropy")
    return harness.run(network, data, ["other"], steps=1)


def test_what_no_check_could_have_seen_is_never_called_a_pass(register):
    run = wide_run(register, faults.Float32Only)
    assert (run.verdict, run.exit) == ("NO POWER", 0)
    assert "db1" in run.outcome.reason
    assert run.find("formula", "dW1", "other").verdict == "not comparable"
    assert wide_run(register, faults.GradientsOnly).verdict == "PASS"


def test_no_power_exits_with_4_only_where_power_is_required(register, monkeypatch):
    from harness.cli import running

    run = wide_run(register, faults.Float32Only)
    monkeypatch.setattr(running, "_run", lambda options: run)
    options = {"as_json": False, "style": "github", "quiet": True, "verbose": False, "report": None, "output": None}
    assert running.run_and_print(**options, require_power=True) == 4
    assert running.run_and_print(**options, require_power=False) == 0


class WrongUntapped(Hand):
    """Right as long as its intermediates are looked at; twice the gradient in the program that a user runs."""

    def differentiate(self, weights, x, y, *, tap=True):
        result = super().differentiate(weights, x, y, tap=tap)
        if tap:
            return result
        return Pass(result.loss, {name: 2 * g for name, g in result.gradients.items()})


def test_the_untapped_program_is_judged_where_it_differs_from_the_tapped(register):
    run = run_against(register, WrongUntapped, steps=1)
    assert (run.verdict, run.exit) == ("FAIL", 1)
    assert run.find("formula", "dW1", "broken").verdict == "FAULT"
    assert "tap changes the program" in [f.kind for f in run.findings]


class WrongSecondTime(Hand):
    """Shows no intermediates, and answers twice the gradient the second time."""

    calls, start = 0, None

    def differentiate(self, weights, x, y, *, tap=True):
        self.calls += 1
        result = super().differentiate(weights, x, y, tap=False)
        return Pass(result.loss, {name: (1 + (self.calls > 1)) * g for name, g in result.gradients.items()})


def test_a_second_answer_that_differs_is_judged_even_without_intermediates(register):
    assert run_against(register, WrongSecondTime, steps=1).verdict == "FAIL"
