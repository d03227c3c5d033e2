"""Hosting: functions on a framework's own arrays, run and differentiated, with nothing shared and nothing changed."""

import numpy as np
import pytest

from impls import registry
from impls.abilities import Hosts
from impls.contract import CannotCompareError, network_of_example

NAMES = ["hand", "torch", "jax"]


def host(name, dtype="float64"):
    if name != "hand":
        pytest.importorskip(name)
    return registry.load(name)(network_of_example(), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_arrays_cross_as_copies_of_the_same_dtype(name, dtype):
    one = host(name, dtype)
    array = np.linspace(-1, 1, 6, dtype=dtype).reshape(2, 3)
    with one.running():
        own = one.give(array.T)
        back = one.take(own)
    assert isinstance(one, Hosts)
    assert one.owns(own)
    assert type(own).__module__.partition(".")[0].startswith(one.package)
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, array.T)
    back[...] = 7
    np.testing.assert_array_equal(one.take(own), array.T)
    array[...] = 5
    assert one.take(own).max() == 1
    assert one.take(one.give(np.array(2.5, dtype))).shape == ()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_vjp_is_the_derivative_with_the_upstream_given(framework, dtype):
    rng = np.random.default_rng(0)  # small whole numbers, so that every way to add is exact
    x, w, upstream = (rng.integers(-9, 9, shape).astype(dtype) for shape in ((4, 3), (3, 2), (5, 2)))
    ids = np.array([1, 1, 3, 0, 1])
    output, (dx, dw, dids) = host(framework, dtype).vjp(lambda x, w, ids: x[ids] @ w, [x, w, ids], upstream)
    expected = np.zeros_like(x)
    np.add.at(expected, ids, upstream @ w.T)
    assert dids is None
    for actual, right in ((output, x[ids] @ w), (dx, expected), (dw, x[ids].T @ upstream)):
        assert actual.dtype == dtype
        np.testing.assert_array_equal(actual, right)


def test_an_output_of_one_number_needs_no_upstream(framework):
    output, (dx,) = host(framework).vjp(lambda x: (x * x).sum(), [np.array([1.5, -2.0])], None)
    assert output == 6.25
    np.testing.assert_array_equal(dx, [3.0, -4.0])


def test_an_input_that_is_not_read_has_the_gradient_zero(framework):
    x, y = np.array([1.5, -2.0]), np.ones((2, 3))
    _, (dx, dy) = host(framework).vjp(lambda x, y: x * x, [x, y], np.array([1.0, 2.0]))
    np.testing.assert_array_equal(dx, [3.0, -8.0])
    np.testing.assert_array_equal(dy, np.zeros((2, 3)))
    _, (dx,) = host(framework).vjp(lambda x: host(framework).give(y), [x], y)
    np.testing.assert_array_equal(dx, [0.0, 0.0])


def test_a_plain_function_is_differentiated_as_a_pair(framework):
    one = host(framework)
    forward, backward = one.pair(lambda x, ids: x[ids] * x[ids])
    with one.running():
        x, ids, upstream = (one.give(np.array(a)) for a in ([1.0, 3.0], [1, 1], [1.0, 10.0]))
        assert one.take(forward(x, ids)).tolist() == [9, 9]
        dx, dids = backward(upstream, x, ids)
    assert dids is None
    np.testing.assert_array_equal(one.take(dx), [0, 66])


def test_numpy_differentiates_nothing():
    with pytest.raises(CannotCompareError, match="NumPy has no autograd"):
        host("hand").vjp(np.tanh, [np.ones(2)], np.ones(2))
    with pytest.raises(CannotCompareError, match="give its backward pass too"):
        host("hand").pair(np.tanh)
    assert not host("hand").brings_backward(np.tanh)


def test_an_autograd_function_is_run_by_its_own_rule_on_views_of_what_is_given():
    torch = pytest.importorskip("torch")

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, ids):
            ctx.save_for_backward(x)
            return x[ids]

        @staticmethod
        def backward(ctx, upstream):
            (x,) = ctx.saved_tensors
            x[0] = 9
            return 3 * x, None

    one = host("torch")
    forward, backward = one.pair(Wrong)
    x, ids = one.give(np.array([1.0, 2.0])), one.give(np.array([1, 0]))
    np.testing.assert_array_equal(one.take(forward(x, ids)), [2, 1])
    dx, dids = backward(one.give(np.ones(2)), x, ids)
    np.testing.assert_array_equal(one.take(dx), [27, 6])
    assert dids is None
    np.testing.assert_array_equal(one.take(x), [9, 2])  # what the function wrote is seen
    assert one.brings_backward(Wrong)
    assert not one.brings_backward(torch.tanh)
    assert not one.brings_backward(torch.nn.Linear)


def test_a_custom_vjp_is_run_by_its_own_rule():
    jax = pytest.importorskip("jax")
    square = jax.custom_vjp(lambda x: x * x)
    square.defvjp(lambda x: (x * x, x), lambda x, upstream: (5 * x * upstream,))
    one = host("jax")
    forward, backward = one.pair(square)
    with one.running():
        x = one.give(np.array([1.0, 3.0]))
        assert forward(x).dtype == np.float64
        np.testing.assert_array_equal(one.take(backward(x, x)[0]), [5, 45])
    assert one.brings_backward(square)
    assert not one.brings_backward(jax.numpy.tanh)


def test_float64_mode_of_jax_is_on_inside_only():
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    with host("jax", "float64").running():
        assert jax.config.jax_enable_x64
    with host("jax", "float32").running():
        assert not jax.config.jax_enable_x64
    host("jax").give(np.ones(2))
    host("jax").vjp(lambda x: x * x, [np.ones(2)], np.ones(2))
    assert jax.config.jax_enable_x64 == before


def test_one_row_that_was_turned_round_is_handed_over(framework):
    row = np.arange(12.0).reshape(3, 4)[:1][::-1]
    assert min(row.strides) < 0
    one = host(framework)
    np.testing.assert_array_equal(one.take(one.give(row)), row)


def test_several_outputs_have_an_upstream_each_and_a_constant_has_no_gradient(framework):
    one = host(framework)
    x, y = np.array([1.0, 2.0]), np.array([3.0, 5.0])

    def function(x, y):
        return x * one.constant(y), x + y

    outputs, (dx, dy) = one.vjp(function, [x, y], [np.array([1.0, 10.0]), np.array([0.5, 0.25])])
    np.testing.assert_array_equal(outputs, [x * y, x + y])
    np.testing.assert_array_equal(dx, [3.5, 50.25])
    np.testing.assert_array_equal(dy, [0.5, 0.25])


def test_compiled_programs_are_let_go_where_there_are_many(monkeypatch):
    one, cleared = host("jax"), []
    import jax

    from impls.jax_grad.hosting import COMPILED

    monkeypatch.setattr(COMPILED, "many", 0)
    monkeypatch.setattr(jax, "clear_caches", lambda: cleared.append(COMPILED.count))
    one.vjp(lambda x: x * jax.numpy.tanh(x), [np.ones(123)], np.ones(123))
    one.forget()
    one.forget()
    assert len(cleared) == 1
    assert cleared[0] > 0
    assert COMPILED.count == 0


def test_jax_stands_in_for_numpy():
    one = host("jax")

    def function(x, w):
        kept = np.zeros_like(x)
        kept[...] = np.where(x > 0, x, np.exp(x) - 1) / np.sqrt(np.mean(x**2, axis=-1, keepdims=True))
        kept += 1
        return np.add.reduce(kept, axis=0) @ w.T, np.linalg.norm(w), np.concatenate([x, x]).sum()

    x, w = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[1.0, 2.0]])
    with one.running():
        outputs = one.in_place_of_numpy(function)(one.give(x), one.give(w))
    for found, right in zip(outputs, function(x, w), strict=True):
        np.testing.assert_allclose(one.take(found), right, rtol=1e-15)


def test_many_functions_at_one_point_and_one_at_once(framework):
    """What cannot be traced is run operation by operation; what raises has no gradients."""
    one, x, upstream = host(framework), np.array([[1.5, -2.0, 0.5]]), np.array([[1.0, 2.0, -3.0]])

    def decides(x):
        return x * 2 if float(x.sum()) > 0 else x * 3

    def raises(x):
        raise ValueError("no")

    found = one.vjp_of_each([lambda x: x * x, raises, decides, lambda x: x.sum(0)[None]], [x], upstream)
    np.testing.assert_array_equal(found[0][0], 2 * x * upstream)
    np.testing.assert_array_equal(found[3][0], upstream)
    assert found[1] is None
    for function, slope in ((decides, 2.0), (lambda x: x * 4, 4.0)):
        with one.running():
            own = one.take(one.at_once(function)(one.give(np.abs(x))))
        np.testing.assert_array_equal(own, slope * np.abs(x))
    for _ in range(2):
        _, (dx,) = one.vjp(lambda x: x * x, [x], upstream, at_once=True)
        np.testing.assert_array_equal(dx, 2 * x * upstream)


def test_what_is_compiled_is_let_go_of(framework):
    from impls.jax_grad import hosting

    one = host(framework)
    for factor in range(30):
        one.vjp(lambda x, factor=factor: factor * x, [np.ones(3)], np.ones(3), at_once=True)
        one.perturbed(lambda x, factor=factor: factor * x, [np.ones(3)], np.ones(3), lambda numbers: numbers)
    assert max(hosting._pass.cache_info().currsize, hosting._program.cache_info().currsize) <= 16
    one.forget()
    if framework == "jax":
        assert hosting._pass.cache_info().currsize == hosting._program.cache_info().currsize == 0
