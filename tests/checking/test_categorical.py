"""Networks that end with a softmax and its cross-entropy on probabilities, as people write them: fused or in steps."""

import numpy as np
import pytest

import harness


def program(labels=False, fused=True, epsilon=0.0, **mistake):
    """A backward pass of 4-5-3 as people write it; a mistake replaces what it is called after."""

    def backward(weights, x, y):
        n = len(x)
        a1 = np.tanh(x @ weights["W1"] + weights["b1"])
        z2 = a1 @ weights["W2"] + weights["b2"]
        e = np.exp(z2 - z2.max(axis=1, keepdims=True))
        a2 = e / e.sum(axis=1, keepdims=True)
        hot = np.eye(3)[y] if labels else y
        loss = -np.mean(np.log(a2[np.arange(n), hot.argmax(axis=1)] + epsilon))
        told = {"a1": a1, "z2": z2, "a2": a2, "loss": loss}
        if fused:
            dz2 = mistake.get("dz2", lambda a, y, n: (a - y) / n)(a2, hot, n)
        else:
            da2 = told["da2"] = mistake.get("da2", lambda a, y, n: -y / (a + epsilon) / n)(a2, hot, n)
            vjp = mistake.get("vjp", lambda a, da: a * (da - (da * a).sum(axis=1, keepdims=True)))
            dz2 = vjp(a2, da2)
        dz1 = dz2 @ weights["W2"].T * (1 - a1**2)
        told |= {"dz2": dz2, "dW2": a1.T @ dz2, "db2": dz2.sum(axis=0), "dz1": dz1}
        return told | {"dW1": x.T @ dz1, "db1": dz1.sum(axis=0)}

    return backward


def checked(loss="categorical-cross-entropy", **how):
    network = harness.load_network("4-5-3", activation="tanh", loss=loss)
    return harness.check(program(labels=loss.startswith("sparse"), **how), network)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "step by step"])
@pytest.mark.parametrize("loss", ["categorical-cross-entropy", "sparse-categorical-cross-entropy"])
def test_a_right_program_passes(loss, fused):
    check = checked(loss, fused=fused)
    assert (check.verdict, check.findings) == ("PASS", [])
    assert {"a2", "dz2", "loss"} <= {row.gradient for row in check.rows if row.verdict == "ok"}


@pytest.mark.parametrize("loss", ["categorical-cross-entropy", "sparse-categorical-cross-entropy"])
def test_an_epsilon_is_part_of_the_loss_where_it_is_said(loss):
    said = f"{loss}(epsilon=0.001)"
    assert checked(said, fused=False, epsilon=0.001).verdict == "PASS"
    fused = checked(said, fused=True, epsilon=0.001)  # (a − y)/N, which is the gradient without an epsilon
    assert fused.wrong == ["da2"]
    assert "the epsilon 0.001 of the loss is left out" in {each.says for each in fused.diagnoses[0].causes}
    unsaid = checked(loss, fused=False, epsilon=0.001)
    assert (unsaid.verdict, unsaid.dialect) == ("PASS", "with 0.001 added inside the logarithm")


MISTAKES = {
    "sum for mean": (True, {"dz2": lambda a, y, n: a - y}, "da2"),
    "sign flipped": (False, {"da2": lambda a, y, n: y / a / n}, "da2"),
    "target missing": (False, {"da2": lambda a, y, n: -1 / a / n}, "da2"),
    "logarithm not differentiated": (False, {"da2": lambda a, y, n: -y * np.log(a) / n}, "da2"),
    "loss of another kind": (False, {"da2": lambda a, y, n: ((1 - y) / (1 - a) - y / a) / n}, "da2"),
    "fused gradient before its activation": (False, {"da2": lambda a, y, n: (a - y) / n}, "da2"),
    "epsilon in the denominator": (False, {"da2": lambda a, y, n: -y / (a + 1e-7) / n}, "da2"),
    "coupling missing": (False, {"vjp": lambda a, da: da * a * (1 - a)}, "dz2"),
}


@pytest.mark.parametrize("loss", ["categorical-cross-entropy", "sparse-categorical-cross-entropy"])
@pytest.mark.parametrize("cause", MISTAKES)
def test_a_mistake_is_located_and_named(cause, loss):
    fused, mistake, at = MISTAKES[cause]
    check = checked(loss, fused=fused, **mistake)
    assert (check.verdict, check.wrong) == ("FAIL", [at])
    assert cause in {each.cause for each in check.diagnoses[0].causes}
