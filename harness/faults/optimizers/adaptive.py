"""Adagrad, RMSProp, Adam and AdamW: mistakes.

Source: the definitions in `impls.hand.optimizers.adaptive`; optax's documentation for epsilon inside the root; Kingma
and Ba, "Adam" (2015), end of section 2, for epsilon before the bias correction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from harness.faults.optimizers.written import Rule, Variant, other, written
from impls.hand.optimizers import Adam, AdamW, RMSProp
from impls.hand.optimizers.adaptive import decoupled_step, moving_average, step_over, step_over_root


def of_divided(o: Any) -> Iterator[Variant]:
    """Adagrad and RMSProp."""
    eps, lr = o.epsilon, o.lr
    if o.epsilon_from == "torch":
        says = "epsilon stands inside the root, √(v + epsilon), where √v + epsilon is meant"
        yield written(
            "epsilon inside the root", says, o, W=lambda W, dW, v: W - step_over_root(o.decayed(dW, W), v, eps, lr)
        )
    else:
        says = "epsilon stands outside the root, √v + epsilon, where √(v + epsilon) is meant"
        yield written(
            "epsilon outside the root",
            says,
            o,
            W=lambda W, dW, v: W - step_over(o.decayed(dW, W), np.sqrt(v) + eps, lr),
        )
    says = "the root is left out: the step is divided by v"
    yield written("root missing", says, o, W=lambda W, dW, v: W - step_over(o.decayed(dW, W), v + eps, lr))
    says = "v is kept of the gradient, not of its square"
    if isinstance(o, RMSProp):
        rho = o.rho
        yield written("square missing", says, o, v=lambda v, dW, W: moving_average(v, np.abs(o.decayed(dW, W)), rho))
        says = "the square enters v whole, without the factor (1 − rho)"
        yield written("1 − rho missing", says, o, v=lambda v, dW, W: rho * v + np.square(o.decayed(dW, W)))
        says = "rho and 1 − rho are swapped"
        yield written(
            "rho swapped", says, o, v=lambda v, dW, W: moving_average(v, np.square(o.decayed(dW, W)), 1 - rho)
        )
    else:
        yield written("square missing", says, o, v=lambda v, dW, W: v + np.abs(o.decayed(dW, W)))


def of_adam(o: Adam) -> Iterator[Variant]:
    """Mistakes of Adam and AdamW: corrections, the step's number, epsilon, factors, what m and v are kept of."""
    b1, b2, eps, lr = o.beta1, o.beta2, o.epsilon, o.lr

    def moving(step: Callable[[Any, Any, int], Any]) -> Rule:
        def W(W: Any, m: Any, v: Any, t: int) -> Any:
            taken = step(m, v, t)
            return decoupled_step(W, taken, lr, o.weight_decay) if isinstance(o, AdamW) else W - taken

        return W

    def plain(m: Any, v: Any) -> Any:
        return step_over(m, np.sqrt(v) + eps, lr)

    says = "neither m nor v is corrected for its bias, by 1 − beta1^t and 1 − beta2^t"
    yield written("bias correction missing", says, o, W=moving(lambda m, v, _: plain(m, v)))
    says = "m is not corrected for its bias, by 1 − beta1^t"
    yield written("bias correction of m missing", says, o, W=moving(lambda m, v, t: plain(m, v / (1 - b2**t))))
    says = "v is not corrected for its bias, by 1 − beta2^t"
    yield written("bias correction of v missing", says, o, W=moving(lambda m, v, t: plain(m / (1 - b1**t), v)))
    says = "t counts every tensor, not every step: it is increased once for each weight"
    yield written("step counted per tensor", says, o, counts="tensors")
    says = "t is increased only after it is used: it begins at 0, where nothing can be divided by 1 − beta^0"
    yield written("step counted from 0", says, o, first=0)
    says = "t begins at 2: it is one too large"
    yield written("step counted from 2", says, o, first=2)
    says = "t stays 1: it is never increased"
    yield written("step not counted", says, o, counts="nothing")
    says = "epsilon stands inside the root, √(vhat + epsilon), where √vhat + epsilon is meant"
    yield written(
        "epsilon inside the root",
        says,
        o,
        W=moving(lambda m, v, t: step_over_root(m / (1 - b1**t), v / (1 - b2**t), eps, lr)),
    )
    says = "epsilon is added to √v before the bias correction: lr·√(1 − beta2^t)/(1 − beta1^t) · m/(√v + epsilon)"
    hat = lambda m, v, t: step_over(m, np.sqrt(v) + eps, lr * (1 - b2**t) ** 0.5 / (1 - b1**t))  # noqa: E731
    yield written("epsilon before the bias correction", says, o, W=moving(hat))
    says = "epsilon is left out"
    yield written(
        "epsilon missing", says, o, W=moving(lambda m, v, t: step_over(m / (1 - b1**t), np.sqrt(v / (1 - b2**t)), lr))
    )
    yield written("betas swapped", "beta1 and beta2 are swapped", other(o, beta1=b2, beta2=b1))
    yield written("beta1 for both", "beta1 stands where beta2 should, too", other(o, beta2=b1))
    yield written("beta2 for both", "beta2 stands where beta1 should, too", other(o, beta1=b2))
    one = lambda m, dW, W: moving_average(moving_average(m, o.decayed(dW, W), b1), np.square(o.decayed(dW, W)), b2)  # noqa: E731
    says = "m and v are one array: what is written to one is written to the other"
    yield written("m and v in one array", says, o, state={"m": one, "v": lambda m: 1 * m})
    says = "the gradient enters m whole, without the factor (1 − beta1)"
    yield written("1 − beta1 missing", says, o, m=lambda m, dW, W: b1 * m + o.decayed(dW, W))
    says = "the square enters v whole, without the factor (1 − beta2)"
    yield written("1 − beta2 missing", says, o, v=lambda v, dW, W: b2 * v + np.square(o.decayed(dW, W)))
    both = {"m": lambda m, dW, W: b1 * m + o.decayed(dW, W), "v": lambda v, dW, W: b2 * v + np.square(o.decayed(dW, W))}
    yield written(
        "1 − beta missing", "gradient and square enter whole, without (1 − beta1) and (1 − beta2)", o, state=both
    )
    says = "v is kept of the gradient, not of its square"
    yield written("square missing", says, o, v=lambda v, dW, W: moving_average(v, np.abs(o.decayed(dW, W)), b2))
    says = "v is kept of m, not of the gradient"
    yield written("v of m", says, o, v=lambda v, m: moving_average(v, np.square(m), b2))
    says = "the root is left out: the step is divided by vhat"
    yield written(
        "root missing", says, o, W=moving(lambda m, v, t: step_over(m / (1 - b1**t), v / (1 - b2**t) + eps, lr))
    )
    says = "the step is that of the gradient, without m: lr·g/(√vhat + epsilon)"
    yield written(
        "m missing",
        says,
        o,
        m=lambda m, dW, W: 0 * m + o.decayed(dW, W),
        W=moving(lambda m, v, t: plain(m, v / (1 - b2**t))),
    )
