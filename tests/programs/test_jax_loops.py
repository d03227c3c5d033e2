"""Loops and branches of JAX programs: every turn's equations are operations, and what is wrong is found in its turn."""

import numpy as np
import pytest

from tests.helpers.captured import wrong_in
from tests.helpers.deferred import Deferred

jax, jnp, lax, capturing = map(Deferred, ("jax", "jax.numpy", "jax.lax", "impls.jax_grad.capture"))
harness = Deferred("harness")


def cell(w, c, x):
    c = jnp.tanh(c @ w + x)
    return c, (2 * c, x)


def through(cell, *, reverse=False):
    def program(w, xs):
        last, (ys, seen) = lax.scan(lambda c, x: cell(w, c, x), jnp.ones(2), xs, reverse=reverse)
        return (ys * jnp.arange(8.0).reshape(4, 2)).sum() + last @ last + seen.sum()

    return program


def given():
    return jnp.asarray([[0.5, -0.2], [0.1, 0.8]]), jnp.linspace(-1, 1, 8).reshape(4, 2)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_turns_of_a_scan_are_operations_of_their_own(reverse):
    program = through(cell, reverse=reverse)
    found = capturing.capture(program, given(), None, 0)
    assert all(operation.rule for operation in found.operations)
    assert [wrong_in(operation) for operation in found.operations] == [[]] * len(found.operations)
    tanhs = [operation for operation in found.operations if operation.name == "tanh"]
    assert [o.module for o in tanhs] == [f"turn {k}" for k in ((3, 2, 1, 0) if reverse else range(4))]
    gradients = {m.name: m.total for m in found.meetings if m.of is None}
    for name, right in zip(gradients, jax.grad(program, (0, 1))(*given()), strict=True):
        np.testing.assert_allclose(gradients[name], right, rtol=1e-5)


def test_a_wrong_derivative_in_a_loop_in_a_loop_is_found():
    @jax.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, g: (2 * x * x * g,))

    def inner(c, x):
        return c + cube(x), None

    def program(xs):
        def outer(c, x):
            return c * lax.scan(inner, 0.0, x)[0], None

        return lax.scan(outer, 1.0, xs)[0]

    found = harness.check_program(program, jnp.linspace(1, 2, 6).reshape(2, 3))
    assert found.verdict == "FAIL"
    assert [o.name for o in found.wrong] == ["cube"] * 6
    assert found.first.module == "turn 1.turn 2"


def test_of_a_branch_what_the_run_takes():
    def program(x, n):
        first = lax.cond(jnp.sin(x).sum() > 0, jnp.sin, jnp.cos, x)
        return lax.switch(n + 1, [jnp.exp, jnp.tanh, jnp.square], first).sum()

    found = capturing.capture(program, (jnp.ones(3), jnp.asarray(7)), None, 0)
    named = [(o.name, o.module) for o in found.operations]
    assert named == [("sin", "branch 1"), ("square", "branch 2"), ("reduce_sum", "")]


def test_a_long_loop_stays_one_operation_and_is_said(monkeypatch):
    monkeypatch.setattr("impls.jax_grad.loops.MOST_ENTERED", 7)
    found = capturing.capture(through(cell), given(), None, 0)
    (scan,) = [operation for operation in found.operations if operation.name == "scan"]
    assert (scan.rule, scan.form().kind) == (None, "rounding only")
    assert found.notes[0].startswith("scan is one operation, 1 time: its turns together have more than")


def test_a_wrong_derivative_in_a_loop_that_is_not_entered_is_left_out_of_its_form(monkeypatch):
    monkeypatch.setattr("impls.jax_grad.loops.MOST_ENTERED", 0)

    @jax.custom_jvp
    def halved(x):
        return x / 2

    halved.defjvp(lambda p, t: (halved(*p), t[0]))
    found = harness.check_program(
        lambda xs: lax.scan(lambda c, x: (c + halved(x), None), 0.0, xs)[0], jnp.linspace(1, 2, 3)
    )
    assert found.verdict == "FAIL"
    assert (found.first.name, found.first.kind) == ("scan", "its own forward")
