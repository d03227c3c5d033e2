"""In bfloat16 and float16, every operation rounded, each form of a norm, a variance, a scaled loss is within its bound.

Rows are long, so that no order may be left out, and data, gains and upstreams so small that products are flushed, or
subnormal numbers of float16, and are then multiplied by what is large.
"""

import ml_dtypes
import numpy as np
import pytest

from harness.arithmetic import Context, profile_of
from harness.arithmetic.rules.sums import compounded
from impls.contract import Arithmetic
from impls.graph.backward import accumulate
from impls.hand import (
    AdaptiveAvgPool2d,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    CosineDistance,
    Erf,
    Huber,
    KullbackLeibler,
    LayerNorm,
    MatrixProduct,
    MeanSquaredError,
    RMSNorm,
    Rotary,
    Scaled,
)  # fmt: skip
from impls.hand.layers.reductions import Variance
from impls.hand.layers.rotary import partner, turned

TYPES = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}


class Narrow:
    """Rounds each result to a dtype, and flushes what is below the smallest normal number of float32."""

    def __init__(self, dtype):
        self.type = TYPES[dtype]

    def __call__(self, value):
        single = np.asarray(value, np.float32)
        single = np.where(np.abs(single) < np.finfo(np.float32).tiny, 0, single)
        return single.astype(self.type).astype(np.float32)

    def sum(self, terms, axis):
        """One addition after the other, each rounded."""
        total = np.zeros_like(np.take(terms, 0, axis))
        for k in range(terms.shape[axis]):
            total = self(total + np.take(terms, k, axis))
        return np.expand_dims(total, axis) if axis == -1 else total

    def root(self, x, eps):
        n = np.float32(x.shape[-1])
        s = self(self(self.sum(self(x * x), -1) / n) + self(eps))
        return s, self(1 / np.sqrt(s))


def of_torch(q, dh, x, g, eps):
    """(x r) g."""
    _, r = q.root(x, eps)
    xh = q(x * r)
    return {"h": q(xh * g), "dg": q.sum(q(dh * xh), 0)}


def of_jax(q, dh, x, g, eps):
    """x (r g), as flax.linen.RMSNorm, and what jax.grad makes of it."""
    (s, r), n = q.root(x, eps), np.float32(x.shape[-1])
    upstream = q(dh * x)
    through = q(q(q.sum(q(upstream * g), -1) * np.float32(-0.5)) * q(r / s))
    direct = q(dh * q(r * g))
    return {
        "h": q(x * q(r * g)),
        "dg": q.sum(q(upstream * r), 0),
        "dx": q(direct + q(q(through / n) * q(np.float32(2) * x))),
    }


def drawn(dtype, n, *scales):
    rng = np.random.default_rng([n, 7])
    sizes = ((5, n), (5, n), (n,))
    kept = [(rng.normal(size=size) * scale).astype(TYPES[dtype]) for size, scale in zip(sizes, scales, strict=True)]
    return kept, [array.astype(np.float32) for array in kept]


@pytest.mark.parametrize("form", [of_torch, of_jax])
@pytest.mark.parametrize("n", [1, 7, 100, 700])
@pytest.mark.parametrize(
    ("dtype", "scales"),
    [
        ("bfloat16", (1.0, 1.0, 1.0)),
        ("bfloat16", (1e-3, 1e-36, 1.0)),
        ("bfloat16", (1e-12, 1e-30, 1e4)),
        ("bfloat16", (1e4, 1.0, 1e-37)),
        ("float16", (1.0, 1.0, 1.0)),
        ("float16", (1e-5, 2.0, 1e-6)),
        ("float16", (30.0, 6.0, 1e-6)),
        ("float16", (1e-6, 1e-3, 30.0)),
    ],
)
@pytest.mark.filterwarnings("ignore")  # r / s overflows in float16, and nothing is bounded there
def test_every_form_of_an_rms_norm_stays_within_the_bound(form, n, dtype, scales):
    exact, (dh, x, g) = drawn(dtype, n, *scales)
    layer = RMSNorm(n)
    context = Context(profile_of(dtype, eager=True, arithmetic=Arithmetic()))
    bdh, bx, bg = map(context.exact, exact)
    bounds = {"h": layer.forward(bx, bg), "dg": layer.dg(bdh, bx), "dx": layer.dx(bdh, bx, bg)}
    for name, actual in form(Narrow(dtype), dh, x, g, np.float32(layer.eps)).items():
        assert bounds[name].holds(actual), name


@pytest.mark.parametrize("n", [2, 8, 300])
@pytest.mark.parametrize(
    ("dtype", "ds", "far"), [("bfloat16", 1.0, 1.0), ("bfloat16", 1e-37, 1e3), ("float16", 1e-7, 30.0)]
)
def test_every_form_of_a_variances_gradient_stays_within_the_bound(n, dtype, ds, far):
    q, scale = Narrow(dtype), np.float32(2 / n)
    (upstream, rows, _), (wide, x, _) = drawn(dtype, n, ds, far, 1.0)
    context = Context(profile_of(dtype, eager=True, arithmetic=Arithmetic()))
    bound = Variance([1]).dx(context.exact(upstream[:, :1]), context.exact(rows))
    d = q(x - q(q.sum(x, -1) / np.float32(n)))
    torch = q(q(q(scale) * wide[:, :1]) * d)
    terms = q(q(wide[:, :1] / np.float32(n)) * q(np.float32(2) * d))
    jax = q(terms - q(q.sum(terms, -1) / np.float32(n)))
    assert bound.holds(torch)
    assert bound.holds(jax)


def test_what_compounds_leaves_no_order_out():
    u = 2.0**-8
    assert compounded(u, 0, u, 300) == pytest.approx(300 * u)
    assert compounded(u, 3, u, 300) == pytest.approx((1 + 300 * u) * (1 + u) ** 3 - 1)
    assert compounded(u, 3, u, 300) > 303 * u * 1.01
    assert compounded(2.0**-52, 2) == pytest.approx(2.0**-51, rel=1e-12)


def test_a_row_of_a_bfloat16_norm_is_seen_where_its_sum_is_of_float32():
    (_, x, g), _ = drawn("bfloat16", 700, 1.0, 1.0, 1.0)
    seen = []
    for arithmetic in (Arithmetic(), Arithmetic(sums="float32")):
        context = Context(profile_of("bfloat16", eager=True, arithmetic=arithmetic))
        h = RMSNorm(700).forward(context.exact(x), context.exact(g))
        seen.append(np.median(2 * h.bound / np.abs(h.value)))
    assert seen[0] > 1  # half of it could be rounding
    assert seen[1] < 0.12


def fast(q, x):
    """E[x^2] - E[x]^2, cut off at 0, as flax.linen has it."""
    n = np.float32(x.shape[-1])
    m = q(q.sum(x, -1) / n)
    return m, np.maximum(q(q(q.sum(q(x * x), -1) / n) - q(m * m)), np.float32(0))


def two_passes(q, x):
    n = np.float32(x.shape[-1])
    m = q(q.sum(x, -1) / n)
    d = q(x - m)
    return m, q(q.sum(q(d * d), -1) / n)


def running(q, x):
    """Welford's, as torch has it."""
    m, v = np.zeros_like(x[:, :1]), np.zeros_like(x[:, :1])
    for k in range(x.shape[1]):
        d = q(x[:, k : k + 1] - m)
        m = q(m + q(d / np.float32(k + 1)))
        v = q(v + q(d * q(x[:, k : k + 1] - m)))
    return m, q(v / np.float32(x.shape[1]))


@pytest.mark.parametrize("moments", [fast, two_passes, running], ids=lambda each: each.__name__)
@pytest.mark.parametrize("n", [2, 40, 400])
@pytest.mark.parametrize(
    ("dtype", "scales", "offset"),
    [
        ("bfloat16", (1.0, 1.0, 1.0), 0.0),
        ("bfloat16", (1.0, 1.0, 1.0), 3.0),
        ("bfloat16", (1e-36, 1e-30, 1e4), 0.0),
        ("float16", (1.0, 1.0, 1.0), 0.5),
        ("float16", (1e-6, 6.0, 1e-6), 0.0),
        ("float16", (1e-3, 1e-3, 300.0), 0.0),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_every_form_of_a_layer_norm_stays_within_the_bound(moments, n, dtype, scales, offset):
    rng, kind = np.random.default_rng([n, 8]), TYPES[dtype]
    kept = [
        (rng.normal(size=size) * scale).astype(kind) for size, scale in zip(((5, n), (5, n), (n,)), scales, strict=True)
    ]
    kept[1] = kept[1] + kind(offset)
    dh, x, g = (array.astype(np.float32) for array in kept)
    b = np.zeros_like(g)
    q, layer = Narrow(dtype), LayerNorm(n)
    m, v = moments(q, x)
    r = q(1 / np.sqrt(q(v + q(np.float32(layer.eps)))))
    context = Context(profile_of(dtype, eager=True, arithmetic=Arithmetic()))
    bdh, bx, bg, bb = map(context.exact, (*kept, b.astype(kind)))
    h, dg = layer.forward(bx, bg, bb), layer.dg(bdh, bx)
    d, a = q(x - m), q(r * g)
    assert h.holds(q(q(d * r) * g))
    assert h.holds(q(d * a))
    assert dg.holds(q.sum(q(dh * q(d * r)), 0))
    assert dg.holds(q.sum(q(q(dh * d) * r), 0))
    assert dg.holds(q.sum(q(dh * q(q(x * r) - q(m * r))), 0))
    dx, n32 = layer.dx(bdh, bx, bg), np.float32(n)
    t, xh = q(dh * g), q(d * r)
    share, whole = (q(q.sum(each, -1) / n32) for each in (q(t * xh), t))
    assert dx.holds(q(r * q(q(t - whole) - q(xh * share))))
    s, w = q.sum(q(t * x), -1), q.sum(t, -1)
    factor = q(q(q(q(q(q(w * m) - s) * r) * r) * r) / n32)
    assert dx.holds(q(q(q(r * t) + q(factor * x)) + q(q(-factor * m) - q(q(w * r) / n32))))


@pytest.mark.parametrize("inner", [KullbackLeibler(), MeanSquaredError()], ids=lambda each: type(each).__name__)
def test_a_scaled_loss_may_be_divided_by_its_terms_first(inner):
    rng, q, by = np.random.default_rng(3), Narrow("float16"), 2.0**-14
    y = rng.uniform(size=(33, 5)).astype(np.float16)
    a = (3 * rng.normal(size=y.shape)).astype(np.float16)
    n = np.float32(inner.terms(a))
    context = Context(profile_of("float16", eager=True, arithmetic=Arithmetic()))
    bounds = Scaled(inner, by).da(context.exact(a), context.exact(y))
    narrow, wide = y.astype(np.float32), a.astype(np.float32)
    rest = -narrow if isinstance(inner, KullbackLeibler) else q(2 * q(wide - narrow))
    assert bounds.holds(q(q(np.float32(by) / n) * rest))
    assert bounds.holds(q(np.float32(by) * q(rest / n)))
    assert not bounds.holds(0.5 * bounds.value)


@pytest.mark.parametrize("by", [1.0, 2.0**-14])
@pytest.mark.parametrize(
    "loss", [CategoricalCrossEntropy(), BinaryCrossEntropy()], ids=lambda each: type(each).__name__
)
def test_a_product_with_the_constant_of_a_mean_may_be_subnormal_and_is_then_divided_by_a_probability(loss, by):
    """Of -(y log a).sum() / n torch and JAX make ((by / n) y) / a."""
    rng, q = np.random.default_rng(6), Narrow("float16")
    y = rng.uniform(0, 0.02, size=(17, 102)).astype(np.float16)
    a = rng.uniform(1e-4, 0.2, size=y.shape).astype(np.float16)
    context = Context(profile_of("float16", eager=True, arithmetic=Arithmetic()))
    bound = (loss if by == 1 else Scaled(loss, by)).da(context.exact(a), context.exact(y))
    upstream, narrow, wide, one = q(np.float32(by) / np.float32(loss.terms(a))), q(y), q(a), np.float32(1)
    shown = -q(q(upstream * narrow) / wide)
    if isinstance(loss, BinaryCrossEntropy):
        shown = q(shown + q(q(upstream * q(one - narrow)) / q(one - wide)))
    assert bound.holds(shown)
    assert not bound.holds(shown + 2 * bound.bound)


@pytest.mark.parametrize("form", ["torch", "jax"])
@pytest.mark.parametrize("by", [1.0, 2.0**-7])
@pytest.mark.parametrize("size", [0.3, 3.0, 90.0])
def test_every_form_of_a_cosine_distances_gradient_stays_within_the_bound(size, by, form):
    """The constant is multiplied in first, so that JAX's g v |a|^-2 is a subnormal number of float16."""
    rng, q = np.random.default_rng(5), Narrow("float16")
    a, y = (size * rng.normal(size=(40, 2)).astype(np.float16) for _ in range(2))
    context, loss = Context(profile_of("float16", eager=True, arithmetic=Arithmetic())), CosineDistance()
    bound = (loss if by == 1 else Scaled(loss, by)).da(context.exact(a), context.exact(y))
    g, a, y = q(-np.float32(by) / np.float32(40)), q(a), q(y)
    r, r_y = (q(np.sqrt(q(q.sum(q(each * each), -1)))) for each in (a, y))
    gv = q(g * q(y / r_y))
    if form == "torch":
        d = q.sum(-q(q(q(gv * a) / r) / r), -1)
        shown = q(q(gv / r) + q(q(a * d) / r))
    else:
        d = q.sum(-q(q(gv * q(1 / q(r * r))) * a), -1)
        shown = q(q(gv / r) + q(q(np.float32(2) * a) * q(d / q(np.float32(2) * r))))
    assert bound.holds(shown)
    assert np.isfinite(bound.bound).all()


@pytest.mark.parametrize("scale", [1e-6, 1e-5, 1.0])
@pytest.mark.parametrize("dtype", TYPES)
def test_an_adaptive_pools_gradient_may_be_divided_twice(dtype, scale):
    q, ds = Narrow(dtype), (np.random.default_rng(4).normal(size=(9, 5, 2, 3)) * scale).astype(TYPES[dtype])
    context, layer, x = (
        Context(profile_of(dtype, eager=True, arithmetic=Arithmetic())),
        AdaptiveAvgPool2d((2, 3)),
        (6, 9),
    )
    bound = layer.dx(context.exact(ds), np.zeros((9, 5, *x)))
    twice = q(q(ds.astype(np.float32) / np.float32(3)) / np.float32(3))
    assert bound.holds(twice.repeat(3, axis=2).repeat(3, axis=3))
    assert not bound.holds(0.5 * bound.value)


@pytest.mark.parametrize("dtype", TYPES)
def test_what_is_turned_may_be_added_to_a_gradient_part_by_part(dtype):
    """As torch's autograd does, which sends both products of a rotation to where a residual's gradient is already."""
    q, rng = Narrow(dtype), np.random.default_rng(0)
    x, residual = (q(rng.normal(size=(5000, 4, 4))) for _ in range(2))
    cos, sin = (q(table) for table in Rotary().table((5000, 4, 4)))
    context = Context(profile_of(dtype, True, Arithmetic(products="float32", sums="float32")))
    bounded = accumulate(context.exact(residual), turned(context.exact(x), cos, sin, "neighbours"))
    first, second = q(x * cos), q(partner(x, "neighbours") * sin)
    shown = q(q(residual + first) + second)
    assert np.all(np.abs(shown - bounded.value) <= bounded.bound)


@pytest.mark.parametrize("dtype", TYPES)
def test_products_of_a_repeated_matrix_may_be_rounded_before_they_are_added(dtype):
    """As torch does: p is repeated along an axis, and the products with each copy are kept in the dtype."""
    q, rng, layer = Narrow(dtype), np.random.default_rng(0), MatrixProduct()
    p, other, ds = (q(rng.standard_normal(shape)) for shape in ((6, 1, 4, 3), (6, 5, 3, 7), (6, 5, 4, 7)))
    ds[:, 1] = -ds[:, 0]  # copies cancel
    other[:, 1] = q(other[:, 0] * 1.01)
    given = q((q(ds @ other.swapaxes(-1, -2))).sum(axis=1, keepdims=True))
    context = Context(profile_of(dtype, arithmetic=Arithmetic(products="float32", sums="float32")))
    expected = layer.dp(*(context.exact(array) for array in (ds, p, other)))
    off = np.abs(given - expected.value)
    assert np.all(off <= expected.bound)
    assert np.any(off > context.profile.u * np.abs(expected.value))  # more than one rounding of the result
    assert np.median(expected.bound / np.abs(ds @ other.swapaxes(-1, -2)).sum(axis=1)) < 10 * context.profile.u


def test_a_scaled_mean_may_overflow_before_it_is_divided():
    """As torch does: the gradient of one entry, times the constant, over how many there are."""
    a, y = np.array([[0.0045], [0.5]]), np.array([[1.0], [0.5]])
    context = Context(profile_of("float16", arithmetic=Arithmetic(products="float32", sums="float32")))
    scaled = Scaled(BinaryCrossEntropy(clamp="torch"), 16384.0)
    expected = scaled.da(*map(context.exact, (np.float64(np.float16(a)), y)))
    with np.errstate(over="ignore"):
        given = np.float16(16384.0) * np.float16((a - y) / (a * (1 - a))) / np.float16(2)
    assert np.isinf(given[0, 0])
    assert np.isinf(expected.bound[0, 0])
    assert 0 < np.abs(expected.value[0, 0]) * 2 > 65504


@pytest.mark.parametrize("dtype", TYPES)
def test_of_hubers_constant_half_is_rounded_before_it_is_doubled(dtype):
    q, delta, by = Narrow(dtype), 100.0, 2000 * 3 * 2.0**-24
    a, y = q(np.random.default_rng(0).normal(0, 40, (2, 2000)).astype(np.float32))
    constant = q(by / a.size)
    given = q(q(constant * np.float32(0.5)) * q(2 * q(a - y)))
    context = Context(profile_of(dtype, arithmetic=Arithmetic(products="float32", sums="float32")))
    expected = Scaled(Huber(delta), by).da(context.exact(a[None]), context.exact(y[None]))
    inside = np.abs(a - y) < delta - 1
    assert np.all(np.abs(given - expected.value[0])[inside] <= expected.bound[0][inside])


@pytest.mark.parametrize("dtype", TYPES)
def test_of_the_slope_of_erf_either_factor_may_be_multiplied_in_first(dtype):
    q, rng = Narrow(dtype), np.random.default_rng(0)
    z, da = q(rng.normal(0, 1, 4000)), q(rng.normal(0, 1, 4000) * 2.0**-22)
    slope = q(np.exp(-q(np.square(z))))
    given = q(q(da * q(2 / np.sqrt(np.pi))) * slope)
    context = Context(profile_of(dtype, arithmetic=Arithmetic(products="float32", sums="float32")))
    expected = Erf().dz(context.exact(da), context.exact(z))
    assert np.all(np.abs(given - expected.value) <= expected.bound)
    assert np.any(np.abs(given - expected.value) > 2.0**-25) == (dtype == "float16")  # of half a subnormal number
