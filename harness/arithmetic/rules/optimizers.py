"""Rules of the optimizers' named primitives: unions over torch.optim, optax and the hand formulas.

moving average   beta m + (1 - beta) g    hand, optax: both factors rounded, both products rounded,
                                          2 u (beta |m| + (1 - beta) |g|)
                 m + w (g - m), w = 1 - beta    torch's lerp_ for w < 1/2:  3 u w |g - m|
                 g - (g - m)(1 - w)             and for w >= 1/2:  (3 beta + w) u |g - m|,
                                          1 - w being computed from a rounded w
                 the last addition is u |result| in all of them

step             lr (g / d)               hand, optax (by 1 / d)
                 (lr g) / d               torch's addcdiv_: where lr g underflows, off by eta / d

Adam's step      lr mhat / (sqrt(vhat) + epsilon), mhat = m / c_1, vhat = v / c_2, c = 1 - beta^t
                 torch computes c, and sqrt(c_2), in double, and rounds it once: u.
                 optax computes beta^t in the working dtype: beta is rounded (t u in the power), so is
                 the power (constant "power"), so is the difference:
                     |c_optax - c| <= beta^t (t + power) u + u |c|,
                 which for t = 1 and beta = 0.999 is some thousand u of c: not a mistake, an algorithm.
                 torch divides sqrt(v) by sqrt(c_2), the others take the root of v / c_2: union of both. The
                 step is then a step as above; torch rounds lr / c_1 once.

step over root   lr g / sqrt(v + epsilon)      hand: the root and a division
                 lr g rsqrt(v + epsilon)       optax: constant "rsqrt" and a product
                 optax.adagrad takes 0 where v is 0, which it is where every g^2 so far underflowed.

decoupled step   W - (s + lr w W)         hand, optax as lr (d + w W), s = lr d: at most 3 u (|s| + lr w |W|), and
                                          u |result|
                 W (1 - lr w) - s         torch: lr w and 1 - lr w are computed in double and rounded once, so
                                          u (2 |1 - lr w| |W| + lr w |W| + 2 |s|), and u |result|

Sources: torch/optim/adam.py, adamw.py (_single_tensor_adam), ATen/native/Lerp.h; optax/tree_utils
(tree_update_moment, tree_bias_correction), optax/_src/transform.py (scale_by_rss, scale_by_rms,
add_decayed_weights), read at the pinned versions; the bounds are derived here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import INFLATION, Bounded, Context, rounded_bound, rule_for
from harness.arithmetic.rules.elementary import sqrt
from harness.arithmetic.rules.elementwise import add, divide, multiply
from impls.hand.optimizers.adaptive import adam_step, decoupled_step, moving_average, step_over, step_over_root


@rule_for(moving_average)
def moving_average_(m: Bounded, g: Bounded, beta: float) -> Bounded:
    context = m.context
    value = in_blocks(_moving_average, m.value, g.value, beta)
    rounding = context.rounding(1.0, 4.0)
    bound = in_blocks(
        _bound_of_moving_average, value, m.value, g.value, m.bound, g.bound, beta, context.profile.u, rounding
    )
    return Bounded(value, bound, context)


def _moving_average(m: Any, g: Any, beta: float) -> Any:
    return beta * m + (1 - beta) * g


def _bound_of_moving_average(
    value: Any, m: Any, g: Any, m_bound: Any, g_bound: Any, beta: float, u: float, rounding: tuple[Any, ...]
) -> Any:
    weight = 1 - beta
    products = 2 * (beta * (np.abs(m) + m_bound) + weight * (np.abs(g) + g_bound))
    lerp = (3 * weight if weight < 0.5 else 3 * beta + weight) * (np.abs(g - m) + m_bound + g_bound)
    local = u * np.maximum(products, lerp) * (1 + 4 * u)
    # Products and the difference may each underflow.
    return rounded_bound(value, beta * m_bound + weight * g_bound + local, 4.0, *rounding)


def _bias_correction(context: Context, beta: float, t: int) -> Bounded:
    """c = 1 - beta^t with the union of torch's and optax's error; beta is exact where the dtype holds it."""
    u = context.profile.u
    exact_beta = not context.constant(beta).bound.any()
    power = beta**t
    # (1 + u)^t - 1 <= t u / (1 - t u) for the rounded beta; the power itself on top.
    in_power = math.expm1((0 if exact_beta else t) * u + context.profile.constants["power"] * u)
    return context.rounded(np.asarray(1 - power), power * in_power, 1.0, centre=4.0)


@rule_for(step_over)
def step_over_(g: Bounded, d: Bounded, lr: float) -> Bounded:
    context = g.context
    step = multiply(context.constant(lr), divide(g, d))
    return Bounded(step.value, in_blocks(_bound_of_step, step.bound, d.value, d.bound, context.profile.eta), context)


def _bound_of_step(bound: Any, d: Any, d_bound: Any, eta: float) -> Any:
    """Where lr g underflows before it is divided."""
    return (bound + eta / np.maximum(np.abs(d) - d_bound, 0.0)) * INFLATION


@rule_for(adam_step)
def adam_step_(m: Bounded, v: Bounded, beta1: float, beta2: float, epsilon: float, t: int, lr: float) -> Bounded:
    context = m.context
    c1, c2 = _bias_correction(context, beta1, t), _bias_correction(context, beta2, t)
    root = sqrt(divide(v, c2))
    sqrt_c2 = np.asarray(math.sqrt(1 - beta2**t))
    of_torch = divide(sqrt(v), context.rounded(sqrt_c2, 0.0, 1.0, centre=8.0))
    union = in_blocks(_bound_of_both, root.value, root.bound, of_torch.value, of_torch.bound)
    denominator = add(Bounded(root.value, union, context), context.constant(epsilon))
    return step_over_(divide(m, c1), denominator, lr)


def _bound_of_both(value: Any, bound: Any, other: Any, other_bound: Any) -> Any:
    return np.maximum(bound, (other_bound + np.abs(other - value)) * INFLATION)


@rule_for(step_over_root)
def step_over_root_(g: Bounded, v: Bounded, epsilon: float, lr: float) -> Bounded:
    context = g.context
    direct = divide(g, sqrt(add(v, context.constant(epsilon))))
    constant = context.profile.constants["rsqrt"]
    # What the operands' bounds do is in `direct`; a product with rsqrt has its own roundings instead.
    bound = direct.bound + (constant + 1) * context.profile.u * (np.abs(direct.value) + direct.bound)
    bound = np.where(v.value <= v.bound, np.maximum(bound, np.abs(direct.value)), bound)
    return multiply(context.constant(lr), Bounded(direct.value, bound * INFLATION, context))


@rule_for(decoupled_step)
def decoupled_step_(W: Bounded, step: Bounded, lr: float, weight_decay: float) -> Bounded:
    context, decay = W.context, lr * weight_decay
    value = in_blocks(_decoupled_step, W.value, step.value, decay)
    operands = W.value, W.bound, step.value, step.bound, decay, context.profile.u
    return Bounded(value, in_blocks(_bound_of_decoupled_step, value, *operands, context.rounding(1.0, 6.0)), context)


def _decoupled_step(W: Any, step: Any, decay: float) -> Any:
    return W - (step + decay * W)


def _bound_of_decoupled_step(
    value: Any, W: Any, W_bound: Any, step: Any, step_bound: Any, decay: float, u: float, rounding: tuple[Any, ...]
) -> Any:
    weight, size, keep = np.abs(W) + W_bound, np.abs(step) + step_bound, abs(1 - decay)
    inside = 3 * (size + decay * weight)
    outside = 2 * (keep * weight + size)
    # Each rounded constant (lr, w, 1 - lr w) is among the roundings counted; 1 - lr w also has that of lr w.
    local = u * (np.maximum(inside, outside) + decay * weight) * (1 + 8 * u)
    return rounded_bound(value, keep * W_bound + step_bound + local, 4.0, *rounding)
