"""What a newcomer with a network from scratch is told: the loss that is meant, the slip in his dialect, its name."""

from functools import partial

import numpy as np
import pytest

import harness
from impls.hand.losses.scaled import samples_in
from tests.dialects.scratch import NET, gradients, passes, sigmoid, update

SIZES, MEANT = NET
TOTAL = {**MEANT, "loss": "binary-cross-entropy(by=N)"}
MOVED = "with gradients of each sample's own loss, and 1/N in those of the weights"


def checked(function, meant=MEANT, sizes=SIZES, **options):
    return harness.check(function, harness.load_network(sizes, **meant), **{"batch": 40, **options})


def updated(step, lr=0.1, meant=MEANT, **options):
    return checked(harness.gradients_from_update(step, lr=lr, name="step"), meant, **options)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_sum_over_the_samples_can_be_said_whatever_the_batch(dtype):
    step = update(total=True)
    found = updated(step, dtype=dtype)
    assert (found.verdict, found.option) == ("FAIL", '--loss "binary-cross-entropy(by=N)"')
    assert "say so: --loss" in str(found)
    assert "learning rate" not in str(found).partition("what should happen")[0], "which 4 is none"
    assert updated(step, meant=TOTAL, dtype=dtype).verdict == "PASS"
    assert updated(update(total=True, slip="no square"), meant=TOTAL, dtype=dtype).verdict == "FAIL"
    assert updated(update(), meant=TOTAL).option == "--loss binary-cross-entropy"


def test_of_a_constant_both_readings_are_said_the_learning_rate_first():
    found = updated(update(rate=0.05))
    (told,) = (finding.message for finding in found.findings if finding.kind == "learning rate")
    assert told.startswith("is right with lr=0.05 (--lr 0.05)")
    assert told.endswith('; with --loss "binary-cross-entropy(by=0.5)", if that loss is meant')
    assert updated(update(rate=0.05), lr=0.05).verdict == "PASS"


@pytest.mark.parametrize(("text", "is_"), [("N", (1, 1)), ("1/N", (1, -1)), ("N/2", (0.5, 1)), ("0.1*N*N", (0.1, 2))])
def test_a_factor_with_the_number_of_rows_is_read(text, is_):
    assert samples_in(text) == is_


@pytest.mark.parametrize("text", ["N+1", "-N", "N/0", "M", "N()", ""])
def test_what_is_no_factor_is_refused(text):
    with pytest.raises(ValueError, match="Cannot use by="):
        samples_in(text)


@pytest.mark.parametrize("kind", ["binary-cross-entropy", "mean-squared-error", "huber"])
@pytest.mark.parametrize("by", ["N", "1/N", "0.5*N"])
def test_frameworks_take_such_a_loss_too(kind, by):
    pytest.importorskip("torch")
    net = harness.load_network("3-2-2", output_activation="sigmoid", loss=f"{kind}(by={by})")
    assert harness.run(net, "random", steps=1, batch=5, against=("torch",)).verdict == "PASS"


@pytest.mark.parametrize("name", ["cost", "J", "L", "E", "error", "total_loss", "train_loss"])
def test_a_loss_by_another_name_is_read_and_said(name):
    def under(w, x, y, off=1.0, **manner):
        return gradients(w, x, y, **manner) | {name: off * passes(w, x, y, **manner)["loss"]}

    found = checked(under)
    assert f"returned {name}: read as loss" in str(found)
    assert (found.verdict, checked(under, strict=True).verdict) == ("PASS", "FAIL")
    assert checked(partial(under, total=True)).dialect == "for N times that loss"
    assert checked(partial(under, off=1.01)).wrong == ["loss"]


def test_what_may_be_no_loss_is_not_read_as_one():
    def with_others(w, x, y):
        return gradients(w, x, y) | {"L": 2, "error": y - 0.5, "C": 0.1, "cost": 1.0, "mean_loss": 2.0}

    found = checked(with_others)
    assert (found.verdict, found.located.faulty) == ("PASS", [])
    assert "returned cost and mean_loss, which differ though either may be the loss" in str(found)


IN_THE_DIALECT = {
    "no bias": ("z2", "z2 = a1 · W2 + b2", "a1 · W2"),
    "sigmoid for tanh": ("a1", "a1 = tanh(z1)", "sigmoid(z1)"),
    "derivative twice": ("dz2", "dz2 = da2 · a2·(1 − a2)", "da2 · a2·(1 − a2) · a2·(1 − a2)"),
    "no square": ("dz1", "dz1 = da1 · (1 − a1²)", "da1 · (1 − a1)"),
    "1/N lost": ("dW1", "dW1 = xᵀ · dz1 / N", "xᵀ · dz1"),
}


@pytest.mark.parametrize("slip", IN_THE_DIALECT)
def test_one_slip_beside_a_dialect_is_told_alone_and_in_its_formulas(slip):
    at, should, formula = IN_THE_DIALECT[slip]
    found = checked(partial(passes, moved=True, slip=slip))
    assert (found.verdict, found.dialect, found.wrong) == ("FAIL", MOVED, [at]), str(found)
    (diagnosis,) = found.diagnoses
    assert (diagnosis.should, diagnosis.causes[0].formula) == (should, formula)


def test_the_gradient_of_each_samples_loss_is_told_without_its_mean():
    def half_of_it(w, x, y):
        found = passes(w, x, y, moved=True)
        n, a1, a2, da2 = len(x), found["a1"], found["a2"], -y / found["a2"]
        dz2 = da2 * a2 * (1 - a2)
        dz1 = dz2 @ w["W2"].T * (1 - a1**2)
        found |= {"da2": da2, "dz2": dz2, "dW2": a1.T @ dz2 / n, "db2": dz2.sum(0) / n}
        return found | {"da1": dz2 @ w["W2"].T, "dz1": dz1, "dW1": x.T @ dz1 / n, "db1": dz1.sum(0) / n}

    found = checked(half_of_it)
    assert (found.wrong, found.diagnoses[0].should) == (["da2"], "da2 = (1 − y)/(1 − a2) − y/a2")


def test_a_penalty_and_a_factor_are_recognised_behind_a_slip_of_the_forward_pass():
    def halved(w, x, y):
        z1 = x @ w["W1"]
        a1 = np.tanh(z1)
        z2 = a1 @ w["W2"] + w["b2"]
        a2 = sigmoid(z2)
        loss = 0.5 * ((a2 - y) ** 2).sum() + 0.1 * sum((w[name] ** 2).sum() for name in ("W1", "W2"))
        dz2 = (a2 - y) * a2 * (1 - a2)
        dz1 = dz2 @ w["W2"].T * (1 - a1**2)
        dW2, dW1 = a1.T @ dz2 + 0.2 * w["W2"], x.T @ dz1 + 0.2 * w["W1"]
        return {"z1": z1, "a1": a1, "z2": z2, "a2": a2, "loss": loss, "dz2": dz2, "dz1": dz1,
                "dW2": dW2, "db2": dz2.sum(0), "dW1": dW1, "db1": dz1.sum(0)}  # fmt: skip

    found = checked(halved, {"activation": "tanh", "output_activation": "sigmoid"})
    assert found.wrong == ["z1"], str(found)
    assert found.dialect == "for 1/2 times that loss, with the L2 penalty 0.1·Σw² added to it"


def test_a_fused_gradient_is_told_by_what_it_lacks():
    without_mean = partial(gradients, total=True)
    said = [cause.says for cause in checked(without_mean).diagnoses[0].causes]
    assert "a2 − y is taken for dz2, without the 1/N of the mean" in said
    assert not any("here the loss is the binary-cross-entropy" in says for says in said)
    other = checked(without_mean, {**MEANT, "loss": "mean-squared-error"}).diagnoses[0].causes
    assert any(cause.says.endswith("here the loss is the mean-squared-error") for cause in other)


@pytest.mark.parametrize("uphill", [("W1",), ("W1", "b1"), ("W1", "b1", "W2", "b2")])
def test_weights_that_are_updated_with_the_wrong_sign_are_named(uphill):
    found = updated(update(uphill=uphill))
    assert found.verdict == "FAIL"
    assert "updated with += (w += lr·dw, where w −= lr·dw goes down)" in found.diagnoses[0].causes[0].says
    of_a_function = checked(lambda w, x, y: {name: -g for name, g in gradients(w, x, y).items()})
    assert "Weights that are updated with w += lr·dW need it so" in str(of_a_function)


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def classes(error, slip=False):
    """Gradients of the mean cross-entropy, from a2 and y to a2 − y."""

    def backward(w, x, y):
        a1 = np.tanh(x @ w["W1"] + w["b1"])
        dz2 = error(softmax(a1 @ w["W2"] + w["b2"]), y) / len(x)
        dz1 = dz2 @ w["W2"].T * (1 - (a1 if slip else a1**2))
        return {"dW1": x.T @ dz1, "db1": dz1.sum(0), "dW2": a1.T @ dz2, "db2": dz2.sum(0)}

    return backward


def picked(a, y):
    a[np.arange(len(a)), y] -= 1
    return a


@pytest.mark.parametrize(
    ("error", "loss", "says"),
    [
        (lambda a, y: a - y, "cross-entropy", "y is rows of 0 and 1, not labels: --loss one-hot-cross-entropy"),
        (picked, "one-hot-cross-entropy", "y is labels, not rows of 0 and 1: --loss cross-entropy"),
    ],
)
def test_targets_of_the_other_form_are_named(error, loss, says):
    meant = {"activation": "tanh", "loss": loss}
    found = checked(classes(error), meant, "4-5-3")
    assert found.verdict == "FAIL"
    assert f"is right where {says}" in str(found)
    assert "is it for another network?" not in str(found)
    assert checked(classes(error), {**meant, "loss": says.split()[-1]}, "4-5-3").verdict == "PASS"
    wrong = checked(classes(error, slip=True), meant, "4-5-3")
    assert f"runs, and is wrong otherwise, where {says}" in str(wrong)


def test_targets_without_their_axis_of_size_1_are_named():
    def flat(w, x, y):
        a1 = np.tanh(x @ w["W1"] + w["b1"])
        dz2 = ((sigmoid(a1 @ w["W2"] + w["b2"])[:, 0] - y) / len(x))[:, None]
        dz1 = dz2 * w["W2"].T * (1 - a1**2)
        return {"dW1": x.T @ dz1, "db1": dz1.sum(0), "dW2": a1.T @ dz2, "db2": dz2.sum(0)}

    found = checked(flat)
    assert found.verdict == "FAIL"
    assert "is right where y has shape (N,), not (N, 1), with which it broadcasts to (N, N)" in str(found)
    assert checked(lambda w, x, y: flat(w, x, y.ravel())).verdict == "PASS"


def shortened(c, names):
    def change(found):
        with np.errstate(all="ignore"):
            length = np.sqrt(sum((found[name] ** 2).sum() for name in names))
        return found | {name: found[name] * min(1.0, c / length) for name in names}

    return change


CLIPPED = {
    "last bias by value": (
        lambda d: d | {"db2": np.clip(d["db2"], -1e-4, 1e-4)},
        "db2 is clipped to values from −0.00",
    ),
    "last bias by norm": (shortened(1e-4, ["db2"]), "db2 is clipped to values from −0.0001 to 0.0001"),
    "weights by norm": (shortened(0.05, ["dW1"]), "dW1 is scaled down to length 0.05"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CLIPPED)
def test_a_clipped_gradient_is_named_with_its_number(name, dtype):
    change, says = CLIPPED[name]
    clipped = lambda w, x, y: {n: g.astype(dtype) for n, g in change(gradients(w, x, y)).items()}  # noqa: E731
    found = checked(clipped, dtype=dtype)
    assert found.verdict == "FAIL"
    assert any(cause.says.startswith(says) for cause in found.diagnoses[0].causes), str(found)


def test_a_clip_that_acts_elsewhere_only_is_named_too():
    def clipped(w, x, y):
        found = gradients(w, x, y)
        return found | {"db2": np.clip(found["db2"], -0.01, 0.01)}

    found = checked(clipped, batch=None)
    assert (found.verdict, found.located.faulty) == ("FAIL", [])
    assert "db2 is clipped to values from −0.01 to 0.01" in found.reason


@pytest.mark.parametrize("by_update", [False, True])
def test_all_gradients_that_are_shortened_together_are_no_other_loss(by_update):
    change = shortened(0.1, ["dW1", "db1", "dW2", "db2"])
    found = updated(update(change=change)) if by_update else checked(lambda w, x, y: change(gradients(w, x, y)))
    assert (found.verdict, found.option) == ("FAIL", None)
    assert "returned gradients that have length 0.1 together: clipped by norm" in str(found)


@pytest.mark.parametrize("epsilon", [1e-10, 1e-8, 1e-5, 1e-3])
@pytest.mark.parametrize("manner", [{}, {"moved": True}, {"total": True}], ids=str)
def test_an_epsilon_in_the_loss_alone_is_a_fault_there_and_said_with_its_value(epsilon, manner):
    def shown(w, x, y):
        right, guarded = passes(w, x, y, **manner), passes(w, x, y, epsilon=epsilon, **manner)
        return {**right, "loss": guarded["loss"]}

    found = checked(shown)
    assert (found.verdict, found.wrong) == ("FAIL", ["loss"])
    assert found.diagnoses[0].causes[0].says == f"{epsilon:g} is added inside the logarithm"
