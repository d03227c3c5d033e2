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

import numpy as np

from harness.arithmetic.bounded import INFLATION, Bounded, Context, rule_for
from harness.arithmetic.rules.elementary import sqrt
from harness.arithmetic.rules.elementwise import add, divide, multiply
from impls.hand.optimizers.adaptive import adam_step, decoupled_step, moving_average, step_over, step_over_root


@rule_for(moving_average)
def moving_average_(m: Bounded, g: Bounded, beta: float) -> Bounded:
    context, u = m.context, m.context.profile.u
    weight = 1 - beta
    m_largest, g_largest = np.abs(m.value) + m.bound, np.abs(g.value) + g.bound
    products = 2 * (beta * m_largest + weight * g_largest)
    gap = np.abs(g.value - m.value) + m.bound + g.bound
    lerp = (3 * weight if weight < 0.5 else 3 * beta + weight) * gap
    local = u * np.maximum(products, lerp) * (1 + 4 * u)
    propagated = beta * m.bound + weight * g.bound
    # Products and the difference may each underflow.
    return context.rounded(beta * m.value + weight * g.value, propagated + local, 1.0, centre=4.0, underflows=4.0)


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
    # lr g underflows before it is divided.
    least = np.maximum(np.abs(d.value) - d.bound, 0.0)
    return Bounded(step.value, (step.bound + context.profile.eta / least) * INFLATION, context)


@rule_for(adam_step)
def adam_step_(m: Bounded, v: Bounded, beta1: float, beta2: float, epsilon: float, t: int, lr: float) -> Bounded:
    context = m.context
    c1, c2 = _bias_correction(context, beta1, t), _bias_correction(context, beta2, t)
    root = sqrt(divide(v, c2))
    sqrt_c2 = np.asarray(math.sqrt(1 - beta2**t))
    of_torch = divide(sqrt(v), context.rounded(sqrt_c2, 0.0, 1.0, centre=8.0))
    gap = np.abs(of_torch.value - root.value)
    union = np.maximum(root.bound, (of_torch.bound + gap) * INFLATION)
    denominator = add(Bounded(root.value, union, context), context.constant(epsilon))
    return step_over_(divide(m, c1), denominator, lr)


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
    context, u = W.context, W.context.profile.u
    keep, decay = 1 - lr * weight_decay, lr * weight_decay
    value = W.value - (step.value + decay * W.value)
    weight, size = np.abs(W.value) + W.bound, np.abs(step.value) + step.bound
    inside = 3 * (size + decay * weight)
    outside = 2 * (abs(keep) * weight + size)
    # Each rounded constant (lr, w, 1 - lr w) is among the roundings counted; 1 - lr w also has that of lr w.
    local = u * (np.maximum(inside, outside) + decay * weight) * (1 + 8 * u)
    propagated = abs(keep) * W.bound + step.bound
    return context.rounded(value, propagated + local, 1.0, centre=6.0, underflows=4.0)
