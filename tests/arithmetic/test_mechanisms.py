"""What frameworks and compilers do otherwise than the hand code, done in NumPy: each stays within the bound.

Every one of these was once a false alarm of the soundness campaign.
"""

import numpy as np
import pytest

from harness.arithmetic import Bounded, Context, profile_of
from harness.comparison.checks import judge_link, rounding
from harness.comparison.judge import judge
from harness.evaluation.point import Point
from impls.contract import Arithmetic
from impls.graph.backward import accumulate
from impls.hand import (
    Clip,
    Dense,
    Divide,
    GraphBuilder,
    LayerNorm,
    Log,
    MaskedSoftmax,
    Maximum,
    MeanSquaredError,
    Minimum,
    Power,
    Rotary,
    Rsqrt,
    Transpose,
    from_text,
)  # fmt: skip
from impls.hand.activations.gelu import gelu_tanh_vjp, gelu_vjp
from impls.hand.activations.sigmoidal import tanh_vjp
from impls.hand.activations.smooth import silu_vjp, softplus_vjp
from impls.hand.activations.softmax import softmax, softmax_vjp
from impls.hand.layers.attention import scaled_product
from impls.hand.layers.layer_norm import layer_norm_vjp
from impls.hand.layers.rms_norm import rms_norm_vjp
from impls.hand.layers.rotary import partner
from impls.hand.losses.squared import sign_of_difference
from impls.hand.optimizers.adaptive import step_over, step_over_root
from impls.hand_numpy import Hand

F = np.float32
TINY, LARGEST = np.finfo(F).tiny, np.finfo(F).max


def compiled():
    return Context(profile_of("float32"))


def eager():
    return Context(profile_of("float32", eager=True))


def outside(actual, bounded):
    return int(np.count_nonzero(~(np.abs(np.asarray(actual, np.float64) - bounded.value) <= bounded.bound)))


@pytest.mark.parametrize("classes", [1, 2, 3, 50])
def test_softmax_gradient_through_the_quotient_of_exponentials(classes):
    """JAX: e (g r - sum (g r2) e) with r = 1/D, r2 = 1/D^2, where p = e r is what is shown."""
    rng = np.random.default_rng(classes)
    z, g = (rng.normal(size=(2000, classes)).astype(F) for _ in range(2))
    e = np.exp(z - z.max(axis=1, keepdims=True))
    D = e.sum(axis=1, keepdims=True)
    r, r2 = F(1) / D, F(1) / (D * D)
    S = ((g * r2) * e).sum(axis=1, keepdims=True)
    dz = (g * r - S) * e
    context = compiled()
    assert outside(dz, softmax_vjp(context.shown(g), context.shown(e * r))) == 0


def test_a_probability_that_is_shown_as_0_may_not_have_been_0_where_it_was_read():
    p, g = np.array([[1.0, 0.0]], F), np.array([[1.0, 1e6]], F)
    underflown = 0.9 * float(TINY)  # flushed where it is shown
    dz = np.array([[0.0, underflown * (1e6 - 1.0)]])
    context = compiled()
    assert outside(dz, softmax_vjp(context.shown(g), context.shown(p))) == 0
    assert outside(dz, softmax_vjp(eager().shown(g), eager().shown(p))) == 1


def test_softmax_of_a_product_that_is_read_before_it_is_rounded():
    """XLA: the logits x w of a layer with one input are fused into the shift, z - max, by an FMA."""
    rng = np.random.default_rng(0)
    x, w = 40 * rng.normal(size=(500, 1)).astype(F), 10 * rng.normal(size=(1, 11)).astype(F)
    exact = x.astype(np.float64) * w
    z = exact.astype(F)
    shifted = (exact - z.max(axis=1, keepdims=True)).astype(F)
    e = np.exp(shifted)
    a = e / e.sum(axis=1, keepdims=True)
    assert outside(a, softmax(compiled().shown(z))) == 0
    assert outside(a, softmax(eager().shown(z))) > 0


def test_a_product_with_a_single_number_that_is_regrouped():
    """XLA: (t c) d becomes t (c d) where c is a constant and d a tensor of one entry."""
    rng = np.random.default_rng(0)
    t, c = rng.normal(size=(3000, 1)).astype(F), F(1 / 6)
    for d in rng.normal(size=(20, 1, 1)).astype(F):
        result = t * (c * d)
        assert outside(result, compiled().shown(t * c) @ compiled().shown(d)) == 0
    # In a longer sum nothing is regrouped, and the bound does not grow.
    context = compiled()
    ordinary, exact = context.shown(np.ones((2, 2))), context.exact(np.ones((2, 2)))
    assert np.array_equal((ordinary @ ordinary).bound, (exact @ exact).bound)


def test_a_step_whose_product_with_lr_underflows_before_the_division():
    """torch's addcdiv_: (lr g) / d."""
    g, d = np.array([-2.8812302e-38], F), np.array([1e-10], F)
    lr = 0.018
    assert outside((F(lr) * g) / d, step_over(eager().exact(g), eager().exact(d), lr)) == 0


def test_optax_adagrad_takes_no_step_where_every_square_underflowed():
    g, v = np.array([1e-23, 1e-5], F), np.array([0.0, 1e-10], F)
    step = step_over_root(compiled().exact(g), compiled().exact(v), 1e-10, 0.1)
    assert outside(np.array([0.0, step.value[1]]), step) == 0
    assert outside(np.zeros(2), step) == 1


@pytest.mark.parametrize(
    ("rule", "da", "z"),
    [
        (gelu_vjp, 1e30, 1e10),
        (gelu_vjp, 2.5e38, 0.75),
        (silu_vjp, 1e30, -1e10),
        (gelu_tanh_vjp, 1e30, 1e10),
        (gelu_tanh_vjp, 1e-3, 1.3e19),
        (tanh_vjp, 2.5e38, 1.0),
    ],
)
def test_where_a_first_product_overflows_nothing_is_bounded(rule, da, z):
    """JAX multiplies da z or da erfc, or adds da and da a, first; tanh in gelu has 3 z^2. Infinity is then times 0."""
    with np.errstate(all="ignore"):
        assert not np.isfinite([F(da) * F(z), 2 * F(da), 3 * F(z) * F(z)]).all()
    bound = rule(compiled().exact(np.array([da])), compiled().exact(np.array([z]))).bound
    assert np.isinf(bound).all()
    ordinary = rule(compiled().exact(np.array([1.0])), compiled().exact(np.array([z / 1e10])))
    assert np.isfinite(ordinary.bound).all()


def test_torchs_softplus_gradient_multiplies_by_the_exponential_up_to_its_threshold():
    da, z = np.array([1e31, 1e31, 1e29]), np.array([19.0, 21.0, 19.0])
    bound = softplus_vjp(compiled().exact(da), compiled().exact(z), 20.0).bound
    assert np.isfinite(bound).tolist() == [False, True, True]
    assert np.isfinite(softplus_vjp(compiled().exact(da), compiled().exact(z)).bound).all()


def test_where_a_partial_sum_may_overflow_nothing_is_bounded():
    terms = np.array([[0.7, 0.7, -0.7]]) * LARGEST
    with np.errstate(over="ignore"):
        assert np.isinf(np.cumsum(terms.astype(F))).any()
    for total in (compiled().exact(terms).sum(axis=1), compiled().exact(terms) @ compiled().exact(np.ones((3, 1)))):
        assert np.isinf(total.bound).all()
    harmless = compiled().exact(np.array([[0.7, -0.7, 0.2]]) * LARGEST)
    assert np.isfinite(harmless.sum(axis=1).bound).all()


def judged(actual, expected, allowed):
    arrays = (np.array(a, np.float64) for a in (actual, expected, allowed))
    return judge("rounding", "z1", "x", 1, **dict(zip(("actual", "expected", "allowed"), arrays, strict=True)))


def test_entries_at_which_nothing_is_bounded_are_neither_inside_nor_outside():
    row = judged([np.nan, 2.0], [1.0, 2.0], [np.inf, 1e-9])
    assert (row.verdict, row.entries, row.outside, row.unbounded) == ("ok", 2, 0, 1)
    row = judged([np.nan, 3.0], [1.0, 2.0], [np.inf, 1e-9])
    assert (row.verdict, row.outside, row.unbounded, row.index) == ("FAULT", 1, 1, (1,))
    row = judged([np.nan, 2.0], [1.0, 2.0], [1e-9, 1e-9])
    assert (row.verdict, row.outside, row.unbounded) == ("FAULT", 1, 0)


def test_a_tensor_of_which_nothing_is_bounded_is_never_ok():
    row = judged([1.0, 2.0], [1.0, 2.0], [np.inf, np.inf])
    assert (row.verdict, row.unbounded) == ("no power", 2)
    assert judged([0.0, 2.0], [0.0, 2.0], [0.0, np.inf]).verdict == "no power"  # half of it would pass


def test_a_convention_at_a_kink_stays_one_where_another_entry_is_infinite():
    """JAX takes slope 1 at 0; where da is infinite nothing is bounded."""
    network = from_text("1-3", activation="leaky-relu")
    link = next(link for link in network.links if link.output == "dz1")
    tensors = {"z1": np.array([[0.0, 1.0, 0.0]], F), "da1": np.array([[2.0, 3.0, -np.inf]], F)}
    row = judge_link(link, tensors, np.array([[2.0, 3.0, -np.inf]], F), profile_of("float32"), "x", 1)
    assert (row.verdict, row.unbounded) == ("convention", 1)
    row = judge_link(link, tensors, np.array([[2.5, 3.0, -np.inf]], F), profile_of("float32"), "x", 1)
    assert row.verdict == "FAULT"


def test_what_is_moved_or_passed_on_may_still_be_read_before_its_last_rounding():
    x, u = np.full((2, 3, 4), 1.25), profile_of("float32").u
    shown = Context(profile_of("float32")).shown(x, parts=8.0)
    for moved in (+shown, shown.T, shown.swapaxes(0, 1), shown.reshape(6, 4), shown[:, 1:]):
        np.testing.assert_array_equal(moved.as_summand, np.full(moved.shape, u * 9.25))
        np.testing.assert_array_equal(moved.as_factor, np.full(moved.shape, u * 8.0))
        assert not moved.bound.any()
    eager = Context(profile_of("float32", eager=True)).shown(x, parts=8.0)
    assert not eager.as_summand.any()
    assert not eager.as_factor.any()


def test_the_terms_of_a_layer_norms_gradient_are_added_one_by_one_to_the_rest():
    """JAX: ((s + r t) + 2 x v' / n) - mean(...), s being what comes past the layer: each sum rounds u |s|."""
    rng = np.random.default_rng(0)
    n, eps = 6, F(1e-5)
    x, dh = (1e-2 * rng.normal(size=(4000, n)).astype(F) for _ in range(2))
    s, g = 30 * rng.normal(size=(4000, n)).astype(F), np.ones(n, F)
    m = x.mean(axis=-1, keepdims=True)
    v = np.square(x).mean(axis=-1, keepdims=True) - m * m
    r = F(1) / np.sqrt(v + eps)
    moved = F(-0.5) * (dh * (x - m)).sum(axis=-1, keepdims=True) * r * r * r / F(n)
    last = -(r * dh).mean(axis=-1, keepdims=True) - F(2) * m * moved
    ds = ((s + r * dh) + F(2) * x * moved) + last
    found = {}
    for context in (compiled(), eager()):
        part = layer_norm_vjp(*map(context.exact, (dh, x, g)), float(eps))
        found[context.profile.eager] = outside(ds, accumulate(context.exact(s), part))
    assert found[False] == 0
    assert found[True] > 0


def test_torch_adds_both_terms_of_an_rms_norms_gradient_to_what_else_there_is_one_by_one():
    """Autograd: (s + r t) + 2 x v', s being what comes past the layer."""
    rng = np.random.default_rng(0)
    n, eps = 6, 1e-6
    x, t = (rng.normal(size=(4000, n)).astype(F) for _ in range(2))
    s, g = 30 * rng.normal(size=(4000, n)).astype(F), np.ones(n, F)
    r = F(1) / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + F(eps))
    moved = F(-0.5) * (t * x).sum(axis=-1, keepdims=True) * (r * r * r) / F(n)
    one_by_one = (s + t * r) + moved * (2 * x)
    part = rms_norm_vjp(*map(eager().exact, (t, x, g)), eps)
    assert outside(one_by_one, accumulate(eager().exact(s), part)) == 0
    part.terms = 0
    assert outside(one_by_one, accumulate(eager().exact(s), part)) > 0


def test_of_narrow_numbers_torch_sends_back_one_part_of_an_rms_norms_gradient():
    composed = Context(profile_of("bfloat16", True, Arithmetic(products="float32", sums="float32")))
    x = composed.exact(np.ones((2, 3)))
    assert rms_norm_vjp(x, x, composed.exact(np.ones(3)), 1e-6).terms == 0


def test_a_factor_that_is_flushed_before_a_large_one_is_multiplied():
    """XLA divides the gradient of the scores by sqrt D before the product, and flushes what is below 2^-126."""
    ds, k = np.array([[3.3e-38]], F), np.array([[46.688416]], F)
    by = np.sqrt(8.0)
    assert ds / by < TINY < (ds @ k) / by
    assert outside(np.zeros((1, 1)), scaled_product(compiled().exact(ds), compiled().exact(k), by)) == 0
    assert outside(np.zeros((1, 1)), scaled_product(compiled().exact(10 * ds), compiled().exact(k), by)) == 1


def test_a_sum_may_be_contracted_otherwise_where_it_is_computed_anew():
    """XLA: what a fusion reads of LayerNorm's gradient is not the tensor that is shown, but the same sum once more."""
    net = GraphBuilder()
    z = net("last", Dense(3, 2), net("ln", LayerNorm(3), net("fc", Dense(2, 3), net.input("x", 2))))
    network = net.loss(MeanSquaredError(), z)
    rng = np.random.default_rng(0)
    weights = {name: w.astype(F) for name, w in network.init(0).items()}
    point = Point(network, weights, rng.normal(size=(1, 2)).astype(F), rng.normal(size=(1, 2)).astype(F), 1)
    made = Hand(network, "float32").differentiate(point.weights, point.x, point.y)
    shown = made.gradients["ln.dh"], weights["ln.g"]
    sums = [layer_norm_vjp(dh, made.activations["fc.z"], g, 1e-5) for dh, g in (shown, map(np.float64, shown))]
    made.gradients["fc.db"] = made.gradients["fc.db"] + 3 * (sums[1] - sums[0]).sum(axis=0).astype(F)
    verdicts = {
        eager: {row.gradient: row.verdict for row in rounding(point, "x", made, profile_of("float32", eager))}["fc.db"]
        for eager in (False, True)
    }
    assert verdicts == {False: "ok", True: "FAULT"}


def test_a_logarithm_of_an_exponential_may_be_what_was_exponentiated():
    """XLA's algebraic simplifier: log(exp(z)) is z, whatever exp rounds."""
    z = np.linspace(-1e-3, 1e-3, 1001).astype(F)
    e = np.exp(z)
    assert outside(z, Log().forward(compiled().shown(e))) == 0
    assert outside(z, Log().forward(eager().shown(e))) > 900


def test_a_gains_gradient_whose_product_is_flushed_before_1_over_the_deviation_is_multiplied():
    """JAX: sum (dh (x - m)) r, r = 1 / sqrt(eps) at most."""
    x, dh = np.array([[1e-25, -1e-25, 0.0]]), np.array([[1e-13, 1e-13, 1e-13]])
    assert np.all(np.abs(dh * x) < TINY)
    bounded = LayerNorm(3, 1e-12).dg(compiled().exact(dh), compiled().exact(x))
    assert bounded.value[0] > 5 * TINY
    assert outside(np.zeros(3), bounded) == 0
    assert outside(np.zeros(3), LayerNorm(3, 1e-12).dg(compiled().exact(1e7 * dh), compiled().exact(x))) == 2


def test_where_a_mask_is_multiplied_nothing_is_bounded_where_an_infinity_would_be():
    """JAX: ds times [p > q]."""
    ds, p, q = np.array([np.inf, 2.0]), np.array([1.0, 1.0]), np.array([3.0, 3.0])
    for rule in (Maximum().dp, lambda ds, p, q: Minimum().dp(ds, q, p)):
        assert np.isinf(rule(*map(compiled().exact, (ds, p, q))).bound).tolist() == [True, False]
    assert np.isinf(Clip(-1.0, 2.0).dz(*map(compiled().exact, (ds, q))).bound).tolist() == [True, False]


def test_where_a_derivative_overflows_or_a_sign_is_that_of_nothing_nothing_is_bounded():
    small, one = compiled().exact(np.array([1e-27])), compiled().exact(np.array([1.0]))
    assert np.isinf(Rsqrt().dz(compiled().exact(np.array([1e-12])), small).bound).all()
    assert np.isfinite(Rsqrt().dz(one, one).bound).all()
    lost = Bounded(np.array([1.0]), np.array([np.inf]), one.context)
    assert np.isinf(sign_of_difference(lost, one).bound).all()


def test_what_a_mask_hides_is_bounded_only_where_the_scores_are_finite():
    z, m = np.array([[[np.inf, 1.0, 2.0]], [[3.0, 1.0, 2.0]]]), np.array([[0, 1, 1], [0, 1, 1]])
    bound = MaskedSoftmax().forward(compiled().exact(z), m).bound[..., 0]
    assert bound.ravel().tolist() == [np.inf, 0]


def test_where_a_difference_from_the_mean_overflows_nothing_is_bounded_however_small_the_probability():
    da, p = np.array([[3e38, -3e38], [1.0, 2.0]]), np.array([[1e-3, 0.999], [1e-3, 0.999]])
    bounded = softmax_vjp(compiled().exact(da), compiled().exact(p))
    assert np.isfinite(bounded.value).all()
    assert np.isinf(bounded.bound).tolist() == [[True, False], [False, False]]
    with np.errstate(over="ignore"):
        assert np.isinf(softmax_vjp(da.astype(F), p.astype(F))).tolist() == [[True, False], [False, False]]


def test_a_power_of_an_exponential_may_be_an_exponential():
    """XLA's algebraic simplifier: exp(z) to the c is exp(c z)."""
    z = np.linspace(0.5, 12, 1001).astype(F)
    anew = np.exp(F(5.5) * z)
    assert outside(anew, Power(5.5).forward(compiled().exact(np.exp(z)))) == 0
    assert outside(anew, Power(5.5).forward(eager().exact(np.exp(z)))) > 0


def test_torchs_quotient_of_a_quotient_may_overflow_before_it_is_small():
    ds, p, q = (np.array([each]) for each in (1e-30, 1e30, 1e-10))
    bound = Divide().dq(*map(eager().exact, (ds, p, q))).bound
    assert np.isinf(bound).all()
    assert np.isfinite(Divide().dq(*map(eager().exact, (ds, p * 1e-20, q))).bound).all()


def test_jaxs_product_with_the_reciprocal_of_a_square_may_overflow_before_it_is_small():
    ds, p, q = (np.array([each], F) for each in (1e30, 1e-30, 1e-10))
    with np.errstate(over="ignore"):
        assert np.isinf(ds * (1 / (q * q)) * p)
    assert np.isinf(Divide().dq(*map(compiled().exact, (ds, p, q))).bound).all()
    assert np.isfinite(Divide().dq(*map(compiled().exact, (F(1e-20) * ds, p, q))).bound).all()


@pytest.mark.parametrize(
    ("part", "ds", "p", "q"),
    [
        (lambda ds, p, q: ds / (q * q), -1e-14, 8e11, -2e12),
        (lambda ds, p, q: 1 / (q * q), 1e18, 1e18, 1.2e19),
        (lambda ds, p, q: p / q / q, 1e30, 1e-24, 1e7),
    ],
)
def test_what_a_quotients_gradient_is_made_of_may_be_flushed_before_a_large_factor_is_multiplied(part, ds, p, q):
    """XLA: (ds q^-2) p, torch: ds (p / q / q)."""
    ds, p, q = (np.array([each], F) for each in (ds, p, q))
    assert 0 < np.abs(part(ds, p, q)) < TINY < np.abs(part(ds, p, q / 8))
    bounded, ordinary = (Divide().dq(*map(compiled().exact, (ds, p, by))) for by in (q, q / 8))
    assert np.abs(bounded.value) > 1000 * TINY
    assert outside(np.zeros(1), bounded) == 0
    assert outside(np.zeros(1), ordinary) == 1


def test_torch_adds_both_products_of_a_turn_to_what_else_there_is_one_by_one():
    rng = np.random.default_rng(0)
    s, ds = 30 * rng.normal(size=(2000, 1, 2)).astype(F), rng.normal(size=(2000, 1, 2)).astype(F)
    layer = Rotary()
    cos, sin = (table.astype(F) for table in layer.table((2000, 2, 2)))
    s, ds = np.repeat(s, 2, axis=1), np.repeat(ds, 2, axis=1)
    one_by_one = (s + ds * cos) + partner(ds, "halves") * -sin
    context = eager()
    assert outside(one_by_one, accumulate(context.exact(s), layer.dx(context.exact(ds)))) == 0
    part = layer.dx(context.exact(ds))
    part.terms = 0
    assert outside(one_by_one, accumulate(context.exact(s), part)) > 0


def test_the_terms_of_a_gradient_survive_what_only_moves_it():
    x = compiled().exact(np.ones((2, 3)))
    assert layer_norm_vjp(x, x, compiled().exact(np.ones(3)), 1e-5).T.reshape(6).terms == 2


def test_what_moves_a_sum_may_have_computed_it_anew():
    """XLA: a transposition of LayerNorm's rows contains the LayerNorm."""
    net = GraphBuilder()
    turned = net("turn", Transpose([2, 1]), net("ln", LayerNorm(3), net.input("x", (2, 3))))
    network = net.loss(MeanSquaredError(), turned)
    rng = np.random.default_rng(0)
    weights = {name: 40 * w.astype(F) for name, w in network.init(0).items()}
    point = Point(network, weights, rng.normal(size=(4, 2, 3)).astype(F), np.zeros((4, 3, 2), F), 1)
    made = Hand(network, "float32").differentiate(point.weights, point.x, point.y)
    made.activations["turn.s"] = np.nextafter(made.activations["turn.s"], F(np.inf))
    for eager, verdict in ((False, "ok"), (True, "FAULT")):
        rows = rounding(point, "x", made, profile_of("float32", eager))
        assert {row.verdict for row in rows if row.gradient == "turn.s"} == {verdict}


def test_what_is_chosen_of_two_is_bounded_by_the_next_number_above_its_distance_from_the_ends():
    value = np.array([0.0, -0.0, 1.5, -3.0, 5e-324, 1e308, -1e308, np.inf, np.nan, 2.0])
    bound = np.array([1e-9, 5e-324, 0.0, 1e-300, 5e-324, 1e308, 1e308, 1.0, 1.0, np.inf])
    x, y = (Bounded(each, bound, eager()) for each in (value, value[::-1].copy()))
    with np.errstate(all="ignore"):
        middle, low, high = (
            np.maximum(x.value + room, y.value + room) for room in (np.zeros(10), -bound, bound)
        )  # fmt: skip
        expected = np.where(high == low, 0.0, np.nextafter(np.maximum(high - middle, middle - low), np.inf))
    np.testing.assert_array_equal(np.maximum(x, y).bound, expected)
