"""The bound is never violated by a correct program, and never swells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from harness.arithmetic import Context, profile_of
from harness.arithmetic.threads import threads_for
from harness.evaluation.centre import alone, end_to_end
from impls.hand import Network, from_text
from impls.hand.activations.gelu import erf, gelu, gelu_tanh, gelu_tanh_vjp, gelu_vjp
from impls.hand.activations.sigmoidal import sigmoid, sigmoid_vjp, tanh_vjp
from impls.hand.activations.smooth import elu_vjp, silu, silu_vjp, softplus, softplus_vjp
from impls.hand.activations.softmax import log_softmax, softmax, softmax_vjp
from impls.hand.losses.binary import logit_cross_entropy, logit_cross_entropy_vjp
from impls.hand.losses.cross_entropy import one_hot_cross_entropy_vjp, softmax_cross_entropy_vjp
from impls.hand.losses.squared import clipped_difference, huber, sign_of_difference
from impls.hand.notation import ACTIVATIONS, LOSSES
from impls.hand.optimizers.adaptive import adam_step, decoupled_step, moving_average, step_over, step_over_root

SHAPES = ["2-3-1", "4-3-2", "5-8-4-3"]
MAGNITUDES = [1e-12, 1e-6, 1e-2, 1.0, 4.0, 16.0]


def inside(actual, bounded):
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, which is not inside
        return np.abs(np.asarray(actual, np.float64) - bounded.value) <= bounded.bound


@settings(max_examples=150, deadline=None)
@given(
    text=st.sampled_from(SHAPES),
    activation=st.sampled_from([*ACTIVATIONS, "leaky-relu(slope=-0.3)", "elu(alpha=3)", "softplus(threshold=1)"]),
    loss=st.sampled_from([*LOSSES, "huber(delta=0.01)", "binary-cross-entropy(clamp='torch')"]),
    rows=st.sampled_from([1, 2, 9]),
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from(MAGNITUDES),
    data_scale=st.sampled_from([1e-30, *MAGNITUDES]),
)
def test_a_float32_pass_stays_within_its_bounds(text, activation, loss, rows, seed, scale, data_scale):
    network = from_text(text, activation=activation, loss=loss)
    rng = np.random.default_rng(seed)
    weights = {n: (w * scale).astype("f4") for n, w in network.init(seed).items()}
    x = (data_scale * rng.normal(size=(rows, network.inputs))).astype("f4")
    y = rng.normal(size=(rows, network.outputs)).astype("f4")
    y = (y > 0).astype("f4") if network.loss.unit_targets else y
    y = rng.integers(0, network.outputs, rows) if network.loss.labels else y
    with np.errstate(all="ignore"):
        activations = network.forward(weights, x)
        gradients = network.backward(weights, x, y, activations)
        values = {**activations, **gradients, "loss": network.loss_of({**weights, **activations}, y)}
    centre = end_to_end(network, weights, x, y, profile_of("float32"))
    given_ = {**weights, "x": x, "y": y, **{n: np.asarray(v) for n, v in values.items()}}
    for link in network.links:
        for bounded in (centre.tensors[link.output], alone(link, given_, profile_of("float32", eager=True))):
            value = np.asarray(values[link.output])
            # Where nothing can be bounded (0/0 of a saturated probability) the bound says so: it is not finite.
            bounded_there = np.isfinite(bounded.bound) & np.isfinite(bounded.value)
            assert np.all(inside(value, bounded) | ~bounded_there), link.output
            assert np.all(np.isfinite(value) | ~bounded_there), link.output


UNARY = {
    "exp": np.exp,
    "tanh": np.tanh,
    "square": np.square,
    "sigmoid": sigmoid,
    "sum": lambda a: a.sum(axis=0),
    "mean": lambda a: a.mean(axis=0),
    "mean of all": lambda a: np.mean(a, keepdims=True),
    "log of 1 + exp": lambda a: np.log(1 + np.exp(a)),
    "root": lambda a: np.sqrt(a * a + 0.1),
    "softmax": softmax,
    "log-softmax": log_softmax,
    "relu": lambda a: np.maximum(a, 0),
    "cross-entropy'": lambda a: softmax_cross_entropy_vjp(a, np.arange(len(a)) % 3),
    "sigmoid'": lambda a: sigmoid_vjp(a, sigmoid(a)),
    "tanh'": lambda a: tanh_vjp(a, np.tanh(a)),
    "moving average": lambda a: moving_average(a, a * a, 0.9),
    "product": lambda a: a @ a.T,
    "quotient": lambda a: a / (2 + a * a),
    "erf": erf,
    "gelu": gelu,
    "gelu'": lambda a: gelu_vjp(a * a, a),
    "gelu tanh": gelu_tanh,
    "gelu tanh'": lambda a: gelu_tanh_vjp(a * a, a),
    "softplus": softplus,
    "softplus'": lambda a: softplus_vjp(a * a, a),
    "silu": silu,
    "silu'": lambda a: silu_vjp(a * a, a),
    "elu'": lambda a: elu_vjp(a * a, a, 0.7),
    "expm1": np.expm1,
    "log1p": lambda a: np.log1p(a * a),
    "smaller": lambda a: np.minimum(a, 0.5),
    "piecewise": lambda a: np.where(a > 0.25, a * a, 0.3 * a),
    "between": lambda a: a * (a > -1) * (a < 1),
    "softmax'": lambda a: softmax_vjp(a, softmax(2 * a)),
    "one-hot cross-entropy'": lambda a: one_hot_cross_entropy_vjp(a, np.square(np.tanh(a))),
    "logit cross-entropy": lambda a: logit_cross_entropy(3 * a, np.square(np.tanh(a))),
    "logit cross-entropy'": lambda a: logit_cross_entropy_vjp(3 * a, np.square(np.tanh(a))),
    "huber": lambda a: huber(a, 0.7),
    "huber'": lambda a: clipped_difference(a, a * a, 0.7),
    "sign": lambda a: sign_of_difference(a, a * a),
    "step over a root": lambda a: step_over_root(a, a * a, 0.1, 0.01),
    "step": lambda a: step_over(a, a * a + 0.1, 0.01),
    "Adam's step": lambda a: adam_step(a, a * a, 0.9, 0.999, 1e-8, 3, 0.01),
    "decoupled step": lambda a: decoupled_step(a, a * a, 0.01, 0.1),
}


@pytest.mark.parametrize("name", UNARY)
def test_every_member_of_an_uncertain_operand_lands_inside(name):
    """Operands anywhere within their bounds, in float32 and in float64."""
    function, rng = UNARY[name], np.random.default_rng(len(name))
    for spread in (0.0, 1e-7, 1e-3, 0.1):
        context = Context(profile_of("float32"))
        centre = rng.normal(size=(6, 3)) * 3
        operand = context.exact(centre)
        operand.bound = spread * np.abs(centre)
        result = function(operand)
        for _ in range(50):
            member = centre + operand.bound * rng.choice([-1, 1, rng.uniform(-1, 1)], size=centre.shape)
            assert np.all(inside(function(member), result))
        if spread == 0:
            assert np.all(inside(function(centre.astype("f4")), function(context.exact(centre.astype("f4")))))


@pytest.mark.parametrize("n", [1, 10, 1000, 100_000])
def test_a_bound_grows_with_the_terms_of_a_sum_and_not_with_the_array(n):
    context, u = Context(profile_of("float32")), 2.0**-24
    total = context.exact(np.ones(n)).sum()
    assert total.bound <= n * n * u * 1.01 + 1e-30
    product = context.exact(np.ones((n, 1))) * context.exact(np.full((n, 1), 1 / 3))
    assert np.all(product.bound <= 1.01 * u)


@pytest.mark.parametrize("n", [1, 10, 1000, 100_000])
@pytest.mark.parametrize("at", ["first", "last"])
def test_a_wrong_entry_is_outside_however_large_the_array(n, at):
    context = Context(profile_of("float32"))
    a = np.random.default_rng(n).uniform(0.5, 1, n).astype("f4")
    result = np.square(a)
    result[0 if at == "first" else -1] *= np.float32(1 + 1e-6)
    outside = ~inside(result, np.square(context.exact(a)))
    assert outside.sum() == 1


def test_constants_that_the_dtype_holds_are_exact_and_others_are_rounded_once():
    context = Context(profile_of("float32"))
    assert context.constant(0.5).bound == 0
    assert context.constant(0.1).bound == 0.1 * 2.0**-24
    assert Context(profile_of("float64")).constant(0.1).bound == 0


def test_an_undecided_comparison_is_counted_and_opens_both_branches():
    context = Context(profile_of("float32"))
    operand = context.exact(np.array([-1.0, 1e-9, 1.0]))
    operand.bound = np.full(3, 1e-6)
    mask = operand > 0
    assert context.undecided == 1
    assert mask.bound.tolist() == [0, 1, 0]


def test_bound_arithmetic_leaves_the_thread_counts_as_it_found_them():
    def counts():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    context, before, during = Context(profile_of("float32")), counts(), []
    operand = context.exact(np.ones((8, 8)))
    with threads_for(8 * 8 * 8):
        during = counts()
    assert (operand @ operand).shape == (8, 8)
    assert counts() == before
    assert min(during) == 1
    with threads_for(2**30):
        assert counts() == before


def test_what_may_overflow_is_not_bounded():
    context = Context(profile_of("float32"))
    assert np.isinf((context.exact(np.array([1e30])) * context.exact(np.array([1e30]))).bound).all()
    assert np.isinf((context.exact(np.array([1.0])) / context.exact(np.array([0.0]))).bound).all()


def test_the_formula_check_sees_a_relative_error_below_1e_6_in_a_wide_network():
    network: Network = from_text("784-64-10", activation="tanh", loss="cross-entropy")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 784)), rng.integers(0, 10, 16)
    centre = end_to_end(network, network.init(0), x, y, profile_of("float64"))
    for name in network.gradients:
        tensor = centre.tensors[name]
        assert np.median(2 * tensor.bound / np.abs(tensor.value)) < 1e-6


@pytest.mark.parametrize("order", ["sequential", "reversed", "pairwise", "positive first", "blocks of 7"])
@pytest.mark.parametrize("n", [2, 31, 1000])
def test_a_float32_sum_in_any_order_stays_within_its_bound(n, order):
    """Positive and negative terms apart reach the largest partial sums that there are."""
    rng = np.random.default_rng(n)
    for _ in range(20):
        terms = rng.normal(size=n).astype("f4") * np.exp(rng.normal(size=n) * 2).astype("f4")
        arranged = {"reversed": terms[::-1], "positive first": np.sort(terms)[::-1]}.get(order, terms)
        if order == "pairwise":
            total = arranged
            while len(total) > 1:
                total = np.append(total, np.float32(0))[: len(total) + len(total) % 2]
                total = total[::2] + total[1::2]
            total = total[0]
        elif order == "blocks of 7":
            total = np.float32(0)
            for start in range(0, n, 7):
                total += np.cumsum(arranged[start : start + 7], dtype="f4")[-1]
        else:
            total = np.cumsum(arranged, dtype="f4")[-1]
        context = Context(profile_of("float32"))
        assert inside(total, context.exact(terms).sum())
        mean = context.exact(terms).mean()
        assert inside(total / np.float32(n), mean)
        assert inside(total * (np.float32(1) / np.float32(n)), mean)
        assert mean.bound <= context.exact(terms).sum().bound
        product = context.exact(terms[None, :]) @ context.exact(np.ones((n, 1)))
        assert inside(total, product[0, 0])


@pytest.mark.parametrize("size", [(), (3,), (500, 1)], ids=["a number", "a row", "a column"])
def test_a_product_with_less_may_be_regrouped_by_a_compiler(size):
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(500, 3)).astype("f4"), np.float32(2 / 384), np.asarray(rng.normal(size=size), "f4")
    shown, regrouped = b * a, a * (b * c)  # as XLA does where it is asked for b a and for (b a) c
    for eager, every in ((False, True), (True, False)):
        context = Context(profile_of("float32", eager))
        assert inside(regrouped, context.shown(shown) * context.exact(c)).all() == every
