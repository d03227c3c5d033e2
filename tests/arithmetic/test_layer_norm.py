"""LayerNorm in every form that frameworks execute stays within its bound, far from 0 too; and mistakes do not."""

import numpy as np
import pytest

from harness.arithmetic import Context, profile_of
from impls.hand import LayerNorm, Variance
from impls.hand.layers.batch_norm import variance

F = np.float32


def one_pass(x, eps):
    """Flax: E[x^2] - E[x]^2, cut off at 0."""
    m, q = x.mean(axis=-1, keepdims=True), np.square(x).mean(axis=-1, keepdims=True)
    return m, 1 / np.sqrt(np.maximum(q - m * m, F(0)) + eps)


def running(x, eps):
    """Welford, as torch has it."""
    m, v = np.zeros_like(x[:, :1]), np.zeros_like(x[:, :1])
    for k in range(x.shape[1]):
        delta = x[:, k : k + 1] - m
        m = m + delta / F(k + 1)
        v = v + delta * (x[:, k : k + 1] - m)
    return m, 1 / np.sqrt(v / F(x.shape[1]) + eps)


def two_passes(x, eps):
    m = x.mean(axis=-1, keepdims=True)
    return m, 1 / np.sqrt(np.square(x - m).mean(axis=-1, keepdims=True) + eps)


def torch_dx(dh, x, g, m, r):
    """r t + b x + c."""
    n = F(x.shape[1])
    s, b = (dh * g * x).sum(axis=-1, keepdims=True), (dh * g).sum(axis=-1, keepdims=True)
    factor = (b * m - s) * r * r * r / n
    return r * dh * g + factor * x + (-factor * m - b * r / n)


def right(x, g, b, dh, m, r):
    several = x.shape[1] > 1  # of one entry x r - m r is no form of 0
    return {
        "h": ((x - m) * r * g + b, (x - m) * (r * g) + b),
        "dg": ((dh * ((x - m) * r)).sum(axis=0), (dh * (x * r - m * r)).sum(axis=0))[: 1 + several],
        "dx": (torch_dx(dh, x, g, m, r),) if several else (),
    }


def case(n, rows, offset, scale, seed):
    rng = np.random.default_rng([seed, n])
    x = ((rng.normal(size=(rows, n)) + offset) * scale).astype(F)
    x[0] = x[0, 0]  # a constant row, whose variance is 0
    return x, rng.uniform(0.5, 1.5, n).astype(F), rng.normal(size=n).astype(F), rng.normal(size=(rows, n)).astype(F)


@pytest.mark.parametrize("moments", [two_passes, one_pass, running], ids=lambda f: f.__name__)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 33, 100])
@pytest.mark.parametrize("offset", [0, 3, 1e3])
def test_every_form_stays_within_the_bound(moments, n, offset):
    for seed, scale in enumerate((1e-3, 1.0, 1e3)):
        x, g, b, dh = case(n, 4, offset, scale, seed)
        layer, context = LayerNorm(n), Context(profile_of("float32", eager=True))
        bx, bg, bb, bdh = map(context.exact, (x, g, b, dh))
        bounds = {"h": layer.forward(bx, bg, bb), "dx": layer.dx(bdh, bx, bg), "dg": layer.dg(bdh, bx)}
        for name, forms in right(x, g, b, dh, *moments(x, F(layer.eps))).items():
            for actual in forms:
                assert bounds[name].holds(actual), name
        assert bounds["h"].holds(layer.forward(x, g, b))
        assert bounds["dx"].holds(layer.dx(dh, x, g))


def test_in_a_row_of_one_entry_nothing_but_0_is_right():
    x, _, _, dh = case(1, 8, 5, 1.0, 0)
    layer, context = LayerNorm(1), Context(profile_of("float32", eager=True))
    bound = layer.dg(context.exact(dh), context.exact(x))
    assert bound.holds(np.zeros(1))
    assert not bound.holds(np.full(1, 1e-6))


def test_what_the_bound_sees_does_not_depend_on_the_rows():
    for rows in (1, 1000):
        x, g, _, dh = case(64, rows + 1, 0, 1.0, 1)
        context = Context(profile_of("float32", eager=True))
        dx = LayerNorm(64).dx(*map(context.exact, (dh, x, g)))
        seen = 2 * dx.bound[-1] / np.abs(dx.value[-1])
        assert np.median(seen) < 1e-3


@pytest.mark.parametrize("shape", [(6, 1), (6, 2), (3, 2, 7), (60, 64)])
def test_what_may_be_read_before_it_was_rounded_may_be_further_off(shape):
    rng, n = np.random.default_rng(shape), shape[-1]
    x, dh = (rng.normal(size=shape).astype(F) for _ in range(2))
    g, b = (rng.uniform(0.5, 1.5, n).astype(F) for _ in range(2))
    layer, context = LayerNorm(n), Context(profile_of("float32"))
    bdh, bg, bb = map(context.exact, (dh, g, b))

    def bounds(x):
        return [each.bound for each in (layer.forward(x, bg, bb), layer.dx(bdh, x, bg), layer.dg(bdh, x))]

    unrounded = context.exact(x).widened(context.profile.u * np.abs(x.astype(float)))
    for known, shown, wide in zip(*map(bounds, (context.exact(x), context.shown(x, 0.0), unrounded)), strict=True):
        np.testing.assert_array_equal(shown, wide)
        assert (shown > known).all() if n > 1 else (shown >= known).all()


def test_a_gradient_times_the_distance_from_the_mean_may_overflow_before_it_is_divided():
    x, dh = np.array([[1e9, -1e9, 3e8]], F), np.full((1, 3), 1e30, F)
    layer, context = LayerNorm(3), Context(profile_of("float32"))
    bound = layer.dg(context.exact(dh), context.exact(x)).bound
    np.testing.assert_array_equal(np.isinf(bound), [True, True, True])
    assert np.isfinite(layer.dg(context.exact(F(1e-3) * dh), context.exact(x)).bound).all()


def test_one_entry_has_no_unbiased_variance():
    context = Context(profile_of("float32"))
    assert np.isinf(variance(context.exact(np.ones((3, 1))), 1).bound).all()
    assert np.isfinite(variance(context.exact(np.ones((3, 1))), 0).bound).all()


def test_the_gradient_of_a_variance_may_overflow_before_it_is_divided():
    ds, x, context = np.full((1, 1), 1e30, F), np.array([[1e9, -1e9]], F), Context(profile_of("float32"))
    layer = Variance([1])
    assert np.isinf(layer.dx(context.exact(ds), context.exact(x)).bound).all()
    assert np.isfinite(layer.dx(context.exact(F(1e-3) * ds), context.exact(x)).bound).all()


@pytest.mark.parametrize("n", [64, 80])
def test_in_whatever_order_entries_lie_in_memory_their_bounds_are_the_same(n):
    x, g, b, dh = case(n, 64, 0, 1.0, 2)
    layer = LayerNorm(n)

    def bounded(order):
        context = Context(profile_of("float32"))
        bx, bdh, bg, bb = (context.exact(np.asarray(each, order=order)) for each in (x, dh, g, b))
        return layer.dx(bdh, bx, bg), layer.forward(bx, bg, bb), layer.dg(bdh, bx)

    for one, other in zip(bounded("C"), bounded("F"), strict=True):
        np.testing.assert_allclose(other.value, one.value, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(other.bound, one.bound, rtol=1e-9)
