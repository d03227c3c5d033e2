"""A network from scratch with a softmax, its cross-entropy and a penalty: right in every manner, and wrong in each."""

import numpy as np
import pytest

import harness
from impls.hand import CategoricalCrossEntropy, Penalised, Scaled, SumSquaredError

MANNERS = {
    "l2/2": {"l2": 0.01, "half": True},
    "l2 over N": {"l2": 0.5, "mean": True},
    "l1 and l2": {"l2": 0.02, "l1": 0.01},
    "biases too": {"l2": 0.01, "biases": True},
}
"""How the penalty is meant: in the network and in the program below."""


def program(meant, *, factor=1.0, biases=None, in_loss=True, derivative=None):
    """A backward pass as a learner writes it; the keywords are his mistakes."""
    l2, l1 = meant.get("l2", 0), meant.get("l1", 0)
    biases = meant.get("biases", False) if biases is None else biases

    def backward(weights, x, y):
        n = len(x)
        over = n if meant.get("mean") else 1
        a1 = np.tanh(x @ weights["W1"] + weights["b1"])
        z2 = a1 @ weights["W2"] + weights["b2"]
        e = np.exp(z2 - z2.max(axis=1, keepdims=True))
        a2 = e / e.sum(axis=1, keepdims=True)
        dz2 = (a2 - y) / n
        dz1 = dz2 @ weights["W2"].T * (1 - a1**2)
        gradients = {"dW2": a1.T @ dz2, "db2": dz2.sum(axis=0), "dW1": x.T @ dz1, "db1": dz1.sum(axis=0)}
        loss = -(y * np.log(a2)).sum() / n
        for name, w in weights.items():
            if name[0] == "b" and not biases:
                continue
            slope = l2 * w * (1 if meant.get("half") else 2) + l1 * np.sign(w)
            gradients[f"d{name}"] += factor * (slope if derivative is None else derivative(w, l2, l1)) / over
            penalised = name[0] == "W" or meant.get("biases")
            if in_loss and penalised:
                loss += in_loss * (l2 * (w**2).sum() * (0.5 if meant.get("half") else 1) + l1 * abs(w).sum()) / over
        return {"loss": loss, **gradients}

    return backward


def checked(meant, **mistake):
    network = harness.load_network("4-5-3", activation="tanh", loss="categorical-cross-entropy")
    return harness.check(program(meant, **mistake), network.with_loss(Penalised(network.loss, **meant)))


@pytest.mark.parametrize("meant", MANNERS.values(), ids=MANNERS)
def test_a_right_program_passes_in_every_manner(meant):
    check = checked(meant)
    assert (check.verdict, check.findings) == ("PASS", [])


OTHERS = {
    "L2 penalty 0.01/2·Σw²": {"half": True},
    "L2 penalty 0.01·Σw²/N": {"mean": True},
    "L2 penalty 0.01·Σw² of weights and biases": {"biases": True},
    "": {"l1": 0.01},
}


@pytest.mark.parametrize("says", OTHERS, ids=str)
def test_a_program_of_another_manner_passes_in_its_own_and_fails_where_the_one_that_was_said_is_asked_for(says):
    network = harness.load_network("4-5-3", activation="tanh", loss="categorical-cross-entropy", l2=0.01)
    found = harness.check(program({"l2": 0.01, **OTHERS[says]}), network, batch=20)
    assert found.verdict == ("PASS" if says else "FAIL")
    assert (found.dialect or "").startswith(f"with the {says} in place of the one that was said" if says else "")
    assert harness.check(program({"l2": 0.01, **OTHERS[says]}), network, strict=True, batch=20).verdict == "FAIL"


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize("kind", ["l2", "l1"])
def test_a_penalty_with_one_factor_in_the_loss_and_another_in_the_gradients_is_one_mistake(kind, said):
    network = harness.load_network("4-5-3", activation="tanh", loss="categorical-cross-entropy")
    meant = network.with_loss(Penalised(network.loss, **{kind: 0.01})) if said else network
    for factor, in_loss, word in ((2, 1, "twice"), (1, 2, "twice" if said else "half")):
        found = harness.check(program({kind: 0.01}, factor=factor, in_loss=in_loss), meant, batch=20)
        assert found.wrong == (["loss"] if said and in_loss == 2 else ["dW2", "dW1"])
        ((cause,),) = [diagnosis.causes for diagnosis in found.diagnoses]
        assert f"{word} {'of ' if word == 'half' else ''}what it should be" in cause.says
        assert cause.says.endswith("the same at dW1") or in_loss == 2


MISTAKES = {
    "penalty missing": ("l2/2", {"factor": 0}),
    "sign flipped": ("l2/2", {"factor": -1}),
    "doubled": ("l2/2", {"factor": 2}),
    "half": ("l1 and l2", {"factor": 0.5}),
    "times N": ("l2 over N", {"factor": 150}),
    "divided by N": ("l2/2", {"factor": 1 / 150}),
    "scaled by a constant": ("l1 and l2", {"factor": 0.3}),
    "penalty on a bias": ("l2/2", {"biases": True}),
    "penalty not differentiated": ("l1 and l2", {"derivative": lambda w, l2, l1: l2 * w**2 + l1 * abs(w)}),
    "sign of the weight missing": ("l1 and l2", {"derivative": lambda w, l2, l1: 2 * l2 * w + l1}),
}


@pytest.mark.parametrize("cause", MISTAKES)
def test_a_mistake_in_a_penalty_is_located_and_named(cause):
    manner, mistake = MISTAKES[cause]
    check = checked(MANNERS[manner], **mistake)
    assert check.verdict == "FAIL"
    assert set(check.wrong) == ({"db1", "db2"} if cause == "penalty on a bias" else {"dW1", "dW2"})
    assert {each.cause for diagnosis in check.diagnoses for each in diagnosis.causes} == {cause}


def test_a_penalty_that_is_left_out_of_the_loss_alone():
    check = checked(MANNERS["l2/2"], in_loss=False)
    assert check.wrong == ["loss"]
    assert [each.cause for each in check.diagnoses[0].causes] == ["penalty missing"]


LOSSES = [
    Penalised(SumSquaredError(), 0.01), Penalised(SumSquaredError(), 0.5, half=True, mean=True, biases=True),
    Penalised(SumSquaredError(), l1=0.01), Penalised(Scaled(SumSquaredError(), 0.5), 0.02, 0.01),
    CategoricalCrossEntropy(1e-7),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_a_framework_trains_with_it_in_lockstep(framework, loss, dtype):
    run = harness.run(harness.load_network("4-3-3").with_loss(loss), against=[framework], steps=4, dtype=dtype)
    assert (run.verdict, run.findings) == ("PASS", [])
    assert {row.gradient for row in run.rows if row.verdict == "ok"} >= {"loss", *run.head.gradients}
    assert not [row for row in run.rows if ":" in row.gradient]


def test_without_the_penalty_the_run_would_fail(framework):
    """A sceptic's test: the framework is asked for the same network without its penalty."""
    network = harness.load_network("4-3-3")
    penalised = network.with_loss(Penalised(network.loss, 1e-6))
    from harness.arithmetic import profile_of
    from harness.comparison import checks
    from harness.evaluation.point import Point
    from impls import registry

    rng = np.random.default_rng(0)
    point = Point(penalised, penalised.init(0), rng.normal(size=(7, 4)), rng.normal(size=(7, 3)), 1)
    result = registry.load(framework)(network, "float64").differentiate(point.weights, point.x, point.y)
    rows = checks.rounding(point, framework, result, profile_of("float64"))
    assert {row.gradient for row in rows if row.verdict == "FAULT"} == {"loss", "dW1", "dW2"}
