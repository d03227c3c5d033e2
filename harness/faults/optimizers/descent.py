"""Gradient descent, momentum and Nesterov's: other right forms, and mistakes.

    lr g_t + lr mu g_(t-1) + ...     the step of a momentum, whether lr multiplies g where it enters m, or m where it
                                     enters W: both are right, and round differently

Source: the definitions in `impls.hand.optimizers.descent`; PyTorch's documentation of SGD for dampening.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.faults.optimizers.written import Variant, written
from impls.hand.optimizers import GradientDescent, Momentum, Nesterov
from impls.hand.optimizers.adaptive import decoupled_step, moving_average


def forms_of_descent(o: GradientDescent) -> Iterator[Variant]:
    """Weight decay as a factor of the weight, which is the same for plain gradient descent."""
    if o.weight_decay:
        says = "W (1 − lr·decay) − lr·dW"
        yield written(
            "another form", says, o, W=lambda W, dW: decoupled_step(W, o.lr * dW, o.lr, o.weight_decay), right=True
        )


def forms_of_momentum(o: Momentum) -> Iterator[Variant]:
    """The velocity, in which lr is already."""
    inside = {"m": lambda m, dW, W: o.mu * m + o.lr * o.decayed(dW, W)}
    yield written("another form", "v = mu·v − lr·g, W + v", o, state=inside, W=lambda W, m: W - m, right=True)


def forms_of_nesterov(o: Nesterov) -> Iterator[Variant]:
    """The velocity, in which lr is already, and its look ahead."""
    inside = {"m": lambda m, dW, W: o.mu * m + o.lr * o.decayed(dW, W)}
    says = "v = mu·v − lr·g, W + mu·v − lr·g"
    yield written(
        "another form", says, o, state=inside, W=lambda W, m, dW: W - (o.mu * m + o.lr * o.decayed(dW, W)), right=True
    )


def of_momentum(o: Momentum) -> Iterator[Variant]:
    """Mistakes of momentum, Nesterov's too: which step it takes, and what enters m."""
    parameters = (o.lr, o.mu, o.weight_decay)
    if isinstance(o, Nesterov):
        cause, says = "not Nesterov", "the step is lr·m, plain momentum, without Nesterov's lr·(g + mu·m)"
        plain = Momentum(*parameters)
        forms = [written(cause, says, plain), *forms_of_momentum(plain)]
    else:
        cause, says = "Nesterov", "the step is Nesterov's, lr·(g + mu·m), where plain momentum takes lr·m"
        ahead = Nesterov(*parameters)
        forms = [written(cause, says, ahead), *forms_of_nesterov(ahead)]
    yield from (replace(form, cause=cause, says=says, right=False) for form in forms)
    says = "the gradient enters m with the factor (1 − mu), dampening, where it enters whole"
    yield written("dampening", says, o, m=lambda m, dW, W: moving_average(m, o.decayed(dW, W), o.mu))
    says = "mu multiplies the gradient too: m = mu·(m + g)"
    yield written("momentum times gradient", says, o, m=lambda m, dW, W: o.mu * (m + o.decayed(dW, W)))
    says = "momentum is left out: the step is lr·g"
    yield written("momentum missing", says, o, m=lambda m, dW, W: 0 * m + o.decayed(dW, W), W=lambda W, m: W - o.lr * m)
    says = "m forgets nothing: m = m + g, without mu"
    yield written("mu missing", says, o, m=lambda m, dW, W: m + o.decayed(dW, W))
    says = "1 − mu stands where mu should: m = (1 − mu)·m + g"
    yield written("1 − mu for mu", says, o, m=lambda m, dW, W: (1 - o.mu) * m + o.decayed(dW, W))
