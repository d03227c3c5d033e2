"""A learner's own chain: right ones pass in the forms that people write, a mistake is found where it is, and named."""

import re

import pytest

import harness
from tests.chains.mistakes import MISTAKES, with_mistake
from tests.chains.small import DTYPES, NAMES, SMALL, small
from tests.helpers.deferred import Deferred

torch, functional = Deferred("torch"), Deferred("torch.nn.functional")
ninja = Deferred("docs.examples.character_model")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("sizes", [{}, SMALL, {"rows": 7, "vocabulary": 5, "hidden": 3, "seed": 1}], ids=str)
def test_26_right_gradients_pass(sizes, dtype):
    check = harness.check_chain(ninja.forward, ninja.backward, inputs=ninja.parameters(**sizes, dtype=dtype))
    assert check.verdict == "PASS", check
    assert {row.gradient for row in check.rows} == {f"d{name}" for name in NAMES}
    assert {row.verdict for row in check.rows} == {"ok"}
    assert {row.gradient for row in check.rows if row.reason} == {"dlogit_maxes", "db1"}, "which are 0 but for rounding"
    assert max(row.used for row in check.rows) < 0.2
    assert not check.unseen


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found_where_it_is_and_named(mistake):
    inputs = ninja.parameters(**SMALL, dtype="float64")
    check = harness.check_chain(ninja.forward, with_mistake(mistake), inputs=inputs)
    assert (check.verdict, check.exit) == ("FAIL", 1)
    assert tuple(check.wrong) == mistake.wrong
    assert check.causes[0].cause == mistake.cause, check


@pytest.mark.parametrize("name", ["second use forgotten", "n for n - 1", "indices overwritten", "wrong operand"])
def test_in_float32_too(name):
    mistake = MISTAKES[name]
    check = harness.check_chain(ninja.forward, with_mistake(mistake), inputs=ninja.parameters(**SMALL))
    assert tuple(check.wrong) == mistake.wrong
    assert check.causes[0].cause == mistake.cause, check


@pytest.mark.parametrize(("dtype", "off", "at"), [("float32", 3e-3, NAMES[::2]), ("float64", 1e-11, NAMES[1::2])])
def test_small_errors_are_seen_everywhere(dtype, off, at):
    def backward(p, t):
        right = ninja.backward(p, t)
        return right | {f"d{name}": right[f"d{name}"] * (1 + place * off) for place, name in enumerate(at, 1)}

    check = harness.check_chain(ninja.forward, backward, inputs=ninja.parameters(**SMALL, dtype=dtype))
    assert set(check.wrong) == {f"d{name}" for name in at} - {"dlogit_maxes", "db1"}


@pytest.mark.parametrize(
    ("activation", "rule", "cause", "says"),
    [
        (
            "tanh",
            lambda dh, z, h: dh * (1 - h),
            "square missing",
            r"1 − h is written for 1 − h²: dh · \(1 − h\), in dz",
        ),
        ("sigmoid", lambda dh, z, h: dh * (1 - h), "factor of the derivative missing", "factor h of the sigmoid's"),
        ("sigmoid", lambda dh, z, h: dh * (1 - h * h), "derivative of another activation", "tanh is taken instead of"),
        ("relu", lambda dh, z, h: dh * h, "function in place of its derivative", "multiplied by the relu itself"),
    ],
)
def test_mistakes_in_the_derivative_of_an_activation_are_those_of_the_catalogue(activation, rule, cause, says):
    def forward(p):
        z = p["x"] @ p["w"]
        h = getattr(torch, activation)(z)
        loss = (h * torch.arange(15.0).view(5, 3).double()).sum()
        return locals()

    def backward(p, t):
        dh = torch.arange(15.0).view(5, 3).double()
        return {"dh": dh, "dz": rule(dh, t["z"], t["h"])}

    check = small(forward, backward)
    assert check.wrong == ["dz"]
    assert check.causes[0].cause == cause
    assert re.search(says, check.causes[0].says)


def fused(p, t):
    """Cross-entropy and batch norm in one formula each; what lies between is left out."""
    n = p["Xb"].shape[0]
    dlogits = functional.softmax(t["logits"], 1)
    dlogits[range(n), p["Yb"]] -= 1
    dlogits = dlogits / n
    dh = dlogits @ p["W2"].T
    dhpreact = dh * (1 - t["h"] ** 2)
    centred = n * dhpreact - dhpreact.sum(0) - n / (n - 1) * t["bnraw"] * (dhpreact * t["bnraw"]).sum(0)
    dhprebn = p["bngain"] * t["bnvar_inv"] / n * centred
    dW1 = t["embcat"].T @ dhprebn
    return locals()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_steps_may_be_left_out(dtype):
    check = harness.check_chain(ninja.forward, fused, inputs=ninja.parameters(dtype=dtype))
    assert check.verdict == "PASS", check
    assert [row.gradient for row in check.rows] == ["dlogits", "dh", "dhpreact", "dhprebn", "dW1"]
    assert "bnraw" in check.unseen


def test_a_wrong_fused_formula_is_found():
    def backward(p, t):
        found = fused(p, t)
        found["dhprebn"] = found["dhprebn"] + p["bngain"] * t["bnvar_inv"] * found["dhpreact"].mean(0)
        return found

    check = harness.check_chain(ninja.forward, backward, inputs=ninja.parameters())
    assert check.first_wrong == "dhprebn"
    assert "dhpreact" not in check.wrong


def test_a_right_gradient_that_is_not_made_from_a_wrong_one_passes():
    def backward(p, t):
        return {
            **ninja.backward(p, t),
            "dprobs": torch.ones_like(t["probs"]),
            "dlogits": fused(p, t)["dlogits"],
        }

    check = harness.check_chain(ninja.forward, backward, inputs=ninja.parameters(**SMALL))
    rows = {row.gradient: row for row in check.rows}
    assert check.first_wrong == "dprobs"
    assert rows["dlogits"].verdict == "ok"


def test_finished_tensors_of_a_notebook():
    leaves = {n: v.requires_grad_() if v.is_floating_point() else v for n, v in ninja.parameters(**SMALL).items()}
    tensors = {**leaves, **ninja.forward(leaves), "i": 3, "words": ["a"]}
    tensors["h"].retain_grad()
    tensors["loss"].backward(retain_graph=True)
    held = {name: tensors[name].grad.clone() for name in ("h", "W1")}
    with torch.no_grad():
        gradients = ninja.backward(leaves, tensors)
    check = harness.check_chain(tensors=tensors, gradients=gradients)
    assert all(torch.equal(tensors[name].grad, before) for name, before in held.items())
    assert check.verdict == "PASS"
    assert len(check.rows) == 26
    gradients["dh"] = -gradients["dh"]
    assert harness.check_chain(tensors=tensors, gradients=gradients).wrong == ["dh"], "dhpreact is right by itself"
    tensors["loss"].backward()
    with pytest.raises(harness.UsageError, match="retain_graph=True"):
        harness.check_chain(tensors=tensors, gradients=gradients)
