"""A torch form, a JAX form and a central difference vote, and the odd one out is named."""

import numpy as np
import pytest

from harness import check_vjp

INPUTS = {"x": ("N", "M")}


def right(u, x):
    return u / np.cosh(x) ** 2


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.fixture
def jax():
    return pytest.importorskip("jax")


@pytest.fixture
def jnp(jax):
    return jax.numpy


@pytest.fixture
def straight_through(torch):
    """tanh, whose derivative torch is made to believe is half as large again."""

    def straight_through(x):
        return torch.tanh(x) + (torch.tanh(x) - torch.tanh(x).detach()) / 2

    return straight_through


@pytest.fixture
def wrong_in_jax(jax, jnp):
    """tanh with another derivative of its own."""

    @jax.custom_vjp
    def wrong_in_jax(x):
        return jnp.tanh(x)

    wrong_in_jax.defvjp(lambda x: (jnp.tanh(x), x), lambda x, u: (u * (1 - jnp.tanh(x)),))
    return wrong_in_jax


def test_all_agree(torch, jnp):
    found = check_vjp(np.tanh, right, reference=(torch.tanh, jnp.tanh), inputs=INPUTS)
    assert found.verdict == "PASS"
    (vote,) = found.votes
    assert (vote.odd, vote.decided, vote.case) == (None, True, "ordinary")
    assert max(vote.off.values()) < 1
    assert "and the central difference with them" in str(found)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_candidate_is_the_odd_one_out(torch, jnp, dtype):
    found = check_vjp(
        np.tanh, lambda u, x: u / np.cosh(x), reference=(torch.tanh, jnp.tanh), inputs=INPUTS, dtype=dtype
    )
    assert found.exit == 1
    assert "tanh (numpy) is the odd one out" in found.reason
    assert "vote   dx: yours is the odd one out" in str(found)


def test_a_form_is_the_odd_one_out_and_the_other_one_judges(torch, jnp, straight_through, wrong_in_jax):
    forms = (straight_through, jnp.tanh)
    found = check_vjp(np.tanh, right, reference=forms, inputs=INPUTS)
    assert found.verdict == "PASS"
    assert {vote.odd for vote in found.votes} == {"torch straight_through"}
    assert "torch straight_through is the odd one out" in found.reason
    wrong = check_vjp(np.tanh, lambda u, x: 1.5 * right(u, x), reference=forms, inputs=INPUTS)
    assert wrong.exit == 1
    forms = (torch.tanh, wrong_in_jax)
    found = check_vjp(np.tanh, right, reference=forms, inputs=INPUTS)
    assert {vote.odd for vote in found.votes} == {"jax wrong_in_jax"}
    assert found.verdict == "PASS"


def test_forms_that_are_both_contradicted_decide_nothing(straight_through, wrong_in_jax):
    found = check_vjp(np.tanh, right, reference=(straight_through, wrong_in_jax), inputs=INPUTS)
    assert (found.verdict, found.exit) == ("NOT COMPARED", 3)
    assert "the central difference agrees with neither" in found.reason
    assert {row.verdict for row in found.rows if row.gradient == "dx"} == {"not comparable"}


def test_the_difference_stands_alone_where_both_forms_mean_another_derivative(jax, jnp, straight_through):
    @jax.custom_vjp
    def same(x):
        return jnp.tanh(x)

    same.defvjp(lambda x: (jnp.tanh(x), x), lambda x, u: (1.5 * u * (1 - jnp.tanh(x) ** 2),))
    found = check_vjp(np.tanh, lambda u, x: 1.5 * right(u, x), reference=(straight_through, same), inputs=INPUTS)
    assert found.verdict == "PASS"
    assert found.votes[0].odd == "central difference"


def test_forms_of_different_functions_compare_nothing(torch, jnp):
    found = check_vjp(np.tanh, right, reference=(torch.tanh, jnp.sin), inputs=INPUTS)
    assert (found.verdict, found.exit) == ("NOT COMPARED", 3)
    assert "they are different functions" in found.reason
    assert found.causes == []


def test_the_difference_abstains_where_it_has_no_estimate(torch, jax, jnp):
    def buried(tanh):  # beside so large a constant that no difference sees it
        return lambda x: tanh(x) + 2.0**60

    torch_form = buried(torch.tanh)
    jax_form = buried(lambda x: 2 * jnp.tanh(x) - jax.lax.stop_gradient(jnp.tanh(x)))
    found = check_vjp(lambda x: np.tanh(x) + 2.0**60, right, reference=(torch_form, jax_form), inputs=INPUTS)
    assert found.verdict == "NOT COMPARED"
    assert "the central difference cannot tell which is right" in found.reason
    assert found.votes[0].off == {}


def test_conventions_of_the_frameworks_are_no_disagreement(torch, jax):
    def backward(u, x):
        return u[:, None] * (x == x.max(1, keepdims=True)) / (x == x.max(1, keepdims=True)).sum(1, keepdims=True)

    ties = [{"x": np.array([[1.0, 1.0, 0.5], [2.0, 3.0, 3.0]])}]
    forms = (lambda x: x.max(1).values, lambda x: x.max(1))
    found = check_vjp(lambda x: x.max(1), backward, reference=forms, inputs=INPUTS, cases=ties)
    assert found.verdict == "PASS"
    assert all(vote.odd is None for vote in found.votes)
    assert {found.case(row) for row in found.rows if row.verdict == "convention"} <= {"kinks", "your case 1"}
