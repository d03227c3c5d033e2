"""Rule of a gradient that is read off one update by gradient descent: what is lost on the way there and back.

    update     t = fl(lr g),  W' = fl(W - t)          g within E of the gradient, lr rounded where the dtype lacks it
    reading    g' = fl(fl(W - W') / lr)

The product is off from lr g by at most T = lr E + 2 u lr (|g| + E) + eta, by u less where lr is a number of the dtype
and by nothing of its own where it is a power of two. The difference rounds by u |W'|, or by nothing where t is between
W/2 and 2 W (Sterbenz). A program that adds the product before it is rounded (fma) rounds W' even there; but then
|W'| <= |t|, and what it saves of the product is as much. So

    |g' - g| <= (T + u |W'|) / lr + 2 u |g'|

which grows without limit as lr becomes small: u |W| / lr is what no reading can see.

lr may have been multiplied into a factor of g instead, as ``lr * x.T @ dz`` does. That rounds each term of the sum once
more, and E counts n such roundings, n being the number of terms: E / n more. Where it is not known how many E counts,
it counts one: E more.

Where samples come one at a time, each updates the same W, and the g' of all are added up. With M for the sum of their
|g|, what single readings are off adds up to

    |sum g' - g| <= E + 6 u M + n (u |W| + eta) / lr         n samples; u |W| / lr, not n times it, for their mean

2 u M being of the products, u M of an lr multiplied into a factor, u M of the W' beyond the W, 2 u M of the quotients.
The addition, of which E knows, rounds what was read off and not g: 1 + n u more. E counts n - 1 roundings of partial
sums, which reach M/2, so that u M is at most 2 E / (n - 1).

Source: Sterbenz, "Floating-Point Computation" (1974), theorem 4.3.1; Higham, "Accuracy and Stability of Numerical
Algorithms" (2002), section 2.2; the bound is derived here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.arithmetic.bounded import Bounded, rule_for
from harness.arithmetic.profile import UNIT_ROUNDOFF_64
from harness.arithmetic.rules.elementwise import multiply
from impls.hand.optimizers import read_off


@rule_for(read_off)
def read_off_(dW: Bounded, W: Any, lr: float, updates: int = 1, mean: bool = False) -> Bounded:
    context = dW.context
    W = W if isinstance(W, Bounded) else context.exact(W)
    if updates > 1:
        return _added_up(dW, W, lr, updates, mean)
    step = multiply(context.constant(lr), dW.widened(dW.bound / max(dW.terms, 1)))
    size, along = np.abs(W.value), step.value * np.sign(W.value)
    exact = (along - step.bound >= size / 2) & (along + step.bound <= 2 * size) & (W.bound == 0)
    # The centre of W' has a rounding of its own.
    reach = np.abs(W.value - step.value) + step.bound + W.bound + 2 * UNIT_ROUNDOFF_64 * size
    update = np.where(exact, 0.0, context.profile.u * reach)
    return context.rounded(dW.value, (step.bound + W.bound + update) / lr, 2.0)


def _added_up(dW: Bounded, W: Bounded, lr: float, updates: int, mean: bool) -> Bounded:
    """The sum, or the mean, of what is read off one update of each sample."""
    p = dW.context.profile
    spread = 2 * dW.bound / max(dW.terms - 1, 1)
    lost = (p.u * (np.abs(W.value) + W.bound) + W.bound + p.eta) / lr
    room = (dW.bound + 6 * spread + lost * (1 if mean else updates)) * (1 + updates * p.u)
    return dW.context.rounded(dW.value, room, 0.0)
