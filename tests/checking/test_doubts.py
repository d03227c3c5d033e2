"""Where an operation and its reference differ, who is off: textbook forms, kernels in float32, other functions."""

from functools import partial

import numpy as np
import pytest

from harness import check_vjp
from impls.hand import Elu, Tanh

Z = {"z": ("N", "M")}
BOTH = pytest.mark.parametrize("dtype", ["float64", "float32"])


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture
def functional(torch):
    return torch.nn.functional


def textbook_tanh(z):
    return 2 / (1 + np.exp(-2 * z)) - 1


def textbook_elu(z):
    return np.where(z > 0, z, np.exp(np.minimum(z, 0)) - 1)


def hard_sigmoid(z):
    return np.clip((z + 3) / 6, 0, 1)


def softplus(z):
    return np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@BOTH
@pytest.mark.parametrize(
    ("forward", "backward", "hand", "foreign"),
    [
        (textbook_tanh, lambda u, z: u * (1 - textbook_tanh(z) ** 2), Tanh(), "tanh"),
        (textbook_elu, lambda u, z: np.where(z > 0, u, u * (textbook_elu(z) + 1)), Elu(), "elu"),
    ],
)
def test_a_textbook_form_is_right_against_a_hand_layer_and_a_frameworks(
    functional, forward, backward, hand, foreign, dtype
):
    foreign = getattr(functional, foreign)
    found = [
        check_vjp(forward, backward, reference=hand, dtype=dtype),
        check_vjp(forward, backward, reference=foreign, inputs=Z, dtype=dtype),
    ]
    assert [(each.verdict, each.exit) for each in found] == [("PASS", 0)] * 2
    assert any((row.reason or "").startswith("right as ") for row in found[0].rows)
    doubled = check_vjp(forward, lambda u, z: 2 * backward(u, z), reference=foreign, inputs=Z, dtype=dtype)
    assert (doubled.verdict, doubled.causes[0].cause) == ("FAIL", "doubled")


def test_a_hard_sigmoid_with_a_derivative_in_float32_is_the_one_that_is_off(functional):
    def backward(u, z):
        return u * ((z > -3) & (z < 3)) / 6

    found = check_vjp(hard_sigmoid, backward, reference=functional.hardsigmoid, inputs=Z)
    assert (found.verdict, found.causes) == ("PASS", [])
    assert "torch hardsigmoid is the odd one out" in found.reason
    assert "it is off, by " in str(found)
    assert "hand HardSigmoid() agrees with yours in every case" in str(found)
    fifth = check_vjp(hard_sigmoid, lambda u, z: backward(u, z) * 6 / 5, reference=functional.hardsigmoid, inputs=Z)
    assert (fifth.verdict, fifth.exit) == ("FAIL", 1)


def test_a_softplus_with_a_threshold_is_another_function(functional):
    found = check_vjp(softplus, lambda u, z: u * sigmoid(z), reference=functional.softplus, inputs=Z)
    assert found.verdict == "PASS"
    assert "torch softplus is the odd one out: it is another function there, by " in str(found)
    wrong = check_vjp(softplus, lambda u, z: u * sigmoid(-z), reference=functional.softplus, inputs=Z)
    assert wrong.verdict == "FAIL"


def test_the_difference_says_who_is_off_where_nobody_knows_the_function(torch):
    def reference(z):
        return torch.sin(z) * torch.tanh(z)

    def wrong_reference(z):  # sin is taken for a constant
        return torch.sin(z).detach() * torch.tanh(z)

    def forward(z):
        return np.sin(z) * np.tanh(z)

    def backward(u, z):
        return u * (np.cos(z) * np.tanh(z) + np.sin(z) * (1 - np.tanh(z) ** 2))

    yours = check_vjp(forward, lambda u, z: 1.5 * backward(u, z), reference=reference, inputs=Z)
    assert "is the odd one out" in yours.reason
    assert "vote   dz in case ordinary: torch reference and the central difference agree" in str(yours)
    theirs = check_vjp(forward, backward, reference=wrong_reference, inputs=Z)
    assert (theirs.verdict, theirs.exit) == ("FAIL", 1)  # it may be meant
    assert "the central difference of torch wrong_reference agrees with yours" in str(theirs)
    assert "odd one out" not in theirs.reason
    neither = check_vjp(forward, lambda u, z: 1.5 * backward(u, z), reference=wrong_reference, inputs=Z)
    assert "the central difference agrees with neither" in str(neither)


def test_an_intended_other_gradient_is_not_taken_for_the_functions(torch):
    def straight_through(z):
        return z + (torch.tanh(z) - z).detach()

    right = check_vjp(np.tanh, lambda u, z: u.copy(), reference=straight_through, inputs=Z)
    assert (right.verdict, right.votes) == ("PASS", [])
    forgotten = check_vjp(np.tanh, lambda u, z: u * (1 - np.tanh(z) ** 2), reference=straight_through, inputs=Z)
    assert (forgotten.verdict, forgotten.exit) == ("FAIL", 1)


@pytest.mark.parametrize(
    "backward",
    [
        lambda _, u, z: (u * (1 - np.tanh(z) ** 2)).astype(np.float32),
        lambda torch, u, z: torch.matmul(torch.tensor(u), torch.zeros(7, 7)),
    ],
)
def test_float32_code_is_told_to_be_checked_as_that(torch, backward):
    last = str(check_vjp(np.tanh, partial(backward, torch), reference=Tanh())).splitlines()[-1]
    assert last == 'next  if this is float32 code, check it as that: harness.check_vjp(..., dtype="float32")'
