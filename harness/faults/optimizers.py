"""Optimizers written otherwise: other right forms of an update, and mistakes, each as the rules that make it.

A variant is what somebody may have written for an optimizer of the hand code: rules for its state and for the weight,
as `impls.hand.optimizers.update_links` reads them, and how it counts its steps and keeps its state. It runs on bounded
numbers, so that it reproduces somebody's numbers within a bound of its own, or does not.

    lr g_t + lr mu g_(t-1) + ...     the step of a momentum, whether lr multiplies g where it enters m, or m where it
                                     enters W: both are right, and round differently

Source: the definitions in `impls.hand.optimizers`; PyTorch's and optax's documentation for what their optimizers
multiply where (dampening, nesterov, eps_in_sqrt).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from inspect import Parameter, Signature, signature
from typing import Any

import numpy as np

from impls.hand.optimizers import Adagrad, Adam, AdamW, GradientDescent, Momentum, Nesterov, RMSProp
from impls.hand.optimizers.adaptive import decoupled_step, moving_average, step_over, step_over_root

Rule = Callable[..., Any]


@dataclass(frozen=True)
class Rules:
    """Rules of the state, in the order in which they are applied, then of the weight; parameters say what is read."""

    state: dict[str, Rule]
    W: Rule


@dataclass(frozen=True)
class Variant:
    """An optimizer, written otherwise.

    Attributes:
        cause: name of the mistake; of a right form, ``another form``.
        says: in one line for the person who made it.
        rules: of the state and of the weight.
        counted: t, from the number of the step, and of the tensor, both counted from 0, and of all tensors.
        keeps: whether the state is kept from step to step.
        right: whether it is no mistake.
    """

    cause: str
    says: str
    rules: Rules
    counted: Callable[[int, int, int], int] = lambda step, tensor, tensors: step + 1
    keeps: bool = True
    right: bool = False


def as_written(optimizer: Any) -> Variant:
    """An optimizer as the hand code has it."""
    return Variant("", "", rules_of(optimizer), right=True)


def rules_of(optimizer: Any) -> Rules:
    """The rules of an optimizer of the hand code."""
    return Rules({name: getattr(optimizer, name) for name in optimizer.state}, optimizer.W)


def variants_of(optimizer: Any) -> Iterator[Variant]:
    """Right forms first, then mistakes, those that say most of the formula in front."""
    yield from (form for kind, forms in RIGHT.items() if type(optimizer) is kind for form in forms(optimizer))
    yield from (fault for kind, faults in WRONG.items() if type(optimizer) is kind for fault in faults(optimizer))
    yield from _of_decay(optimizer)
    yield from _of_any(optimizer)


def _with(optimizer: Any, **parameters: Any) -> Any:
    """The optimizer with other parameters, the impossible among them."""
    other = copy(optimizer)
    vars(other).update(parameters)
    return other


def _as(cause: str, says: str, optimizer: Any, **rules: Any) -> Variant:
    """A variant of an optimizer; `rules` may replace W, and of the state some or all (``state``)."""
    own = rules_of(optimizer)
    state = rules.pop("state", None) or {name: rules.pop(name, rule) for name, rule in own.state.items()}
    return Variant(cause, says, Rules(state, rules.pop("W", own.W)), **rules)


def _of_any(o: Any) -> Iterator[Variant]:
    yield _as("sign", "the step is added to the weights, where it should be subtracted", _with(o, lr=-o.lr))
    yield _as(
        "learning rate twice", f"the learning rate is multiplied in twice: lr² = {o.lr * o.lr:g}", _with(o, lr=o.lr**2)
    )
    yield _as("learning rate missing", "the learning rate is left out: lr = 1", _with(o, lr=1.0))
    yield _as("step doubled", "the step is twice as large: lr is doubled", _with(o, lr=2 * o.lr))
    yield _as("step halved", "the step is half as large: lr is halved", _with(o, lr=o.lr / 2))
    if o.state:
        kept = "the state is not kept from step to step: each step begins with zeros"
        yield _as("state not kept", kept, o, keeps=False)
        late = f"the weights move by the state of the step before: it is updated after them ({', '.join(o.state)})"
        yield Variant("state one step late", late, _late(o))
    for other in (GradientDescent, Momentum, Nesterov, Adagrad, RMSProp, Adam, AdamW):
        if other is not type(o):
            same = other(**{name: value for name, value in vars(o).items() if name in vars(other())})
            yield _as("another optimizer", f"these are the numbers of {same!r}", same)


def _late(o: Any) -> Rules:
    """State is kept twice, as it is and as it was: the weight reads the latter."""
    own = rules_of(o)
    kept = {f"{name}_": _reading([name], lambda before: 1 * before) for name in own.state}
    reads = [f"{name}_" if name in own.state else name for name in _read_by(own.W)]
    return Rules({**kept, **own.state}, _reading(reads, lambda *read: own.W(*read)))


def _reading(names: Iterable[str], rule: Rule) -> Rule:
    """A rule that reads these, in this order."""
    rule.__signature__ = Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names])  # type: ignore[attr-defined]
    return rule


def _read_by(rule: Rule) -> list[str]:
    return list(signature(rule).parameters)


def _of_decay(o: Any) -> Iterator[Variant]:
    w = o.weight_decay
    if not w:
        return
    yield _as("weight decay missing", "weight decay is left out", _with(o, weight_decay=0.0))
    yield _as(
        "weight decay doubled", f"weight decay is 2·{w:g}·W: the penalty has no 1/2", _with(o, weight_decay=2 * w)
    )
    yield _as(
        "weight decay's sign", "weight decay is subtracted from the gradient: weights grow", _with(o, weight_decay=-w)
    )
    bare = AdamW(o.lr, o.beta1, o.beta2, o.epsilon, 0.0) if isinstance(o, AdamW) else _with(o, weight_decay=0.0)
    moved = rules_of(bare).W
    if isinstance(o, AdamW):
        coupled = Adam(o.lr, o.beta1, o.beta2, o.epsilon, w)
        yield _as(
            "weight decay coupled",
            "weight decay is added to the gradient, and so divided by √v (Adam with L2)",
            coupled,
        )
    elif not isinstance(o, GradientDescent):
        says = "weight decay is taken from the weights, W − lr·decay·W, where it belongs in the gradient (decoupled)"
        yield _as("weight decay decoupled", says, bare, W=_then(moved, lambda new, W: new - o.lr * w * W))
    says = "weight decay is taken from the weights without the learning rate: W − decay·W"
    yield _as("weight decay without lr", says, bare, W=_then(moved, lambda new, W: new - w * W))
    says = "weight decay is taken from the new weights, after the step"
    yield _as("weight decay after the step", says, bare, W=_then(moved, lambda new, W: new - o.lr * w * new))


def _then(moved: Rule, more: Callable[[Any, Any], Any]) -> Rule:
    """A weight's rule, and then something more, of the new weight and the old one."""
    reads = _read_by(moved)
    return _reading(reads, lambda *read: more(moved(*read), read[reads.index("W")]))


def _forms_of_descent(o: GradientDescent) -> Iterator[Variant]:
    if o.weight_decay:
        says = "W (1 − lr·decay) − lr·dW"
        yield _as(
            "another form", says, o, W=lambda W, dW: decoupled_step(W, o.lr * dW, o.lr, o.weight_decay), right=True
        )


def _forms_of_momentum(o: Momentum) -> Iterator[Variant]:
    inside = {"m": lambda m, dW, W: o.mu * m + o.lr * o.decayed(dW, W)}
    yield _as("another form", "v = mu·v − lr·g, W + v", o, state=inside, W=lambda W, m: W - m, right=True)


def _forms_of_nesterov(o: Nesterov) -> Iterator[Variant]:
    inside = {"m": lambda m, dW, W: o.mu * m + o.lr * o.decayed(dW, W)}
    says = "v = mu·v − lr·g, W + mu·v − lr·g"
    yield _as(
        "another form", says, o, state=inside, W=lambda W, m, dW: W - (o.mu * m + o.lr * o.decayed(dW, W)), right=True
    )


def _of_momentum(o: Momentum) -> Iterator[Variant]:
    nesterov = isinstance(o, Nesterov)
    parameters = (o.lr, o.mu, o.weight_decay)
    if nesterov:
        cause, says = "not Nesterov", "the step is lr·m, plain momentum, without Nesterov's lr·(g + mu·m)"
        other: Momentum = Momentum(*parameters)
    else:
        cause, says = "Nesterov", "the step is Nesterov's, lr·(g + mu·m), where plain momentum takes lr·m"
        other = Nesterov(*parameters)
    yield _as(cause, says, other)
    yield from (replace(form, cause=cause, says=says, right=False) for form in RIGHT[type(other)](other))
    says = "the gradient enters m with the factor (1 − mu), dampening, where it enters whole"
    yield _as("dampening", says, o, m=lambda m, dW, W: moving_average(m, o.decayed(dW, W), o.mu))
    says = "mu multiplies the gradient too: m = mu·(m + g)"
    yield _as("momentum times gradient", says, o, m=lambda m, dW, W: o.mu * (m + o.decayed(dW, W)))
    says = "momentum is left out: the step is lr·g"
    yield _as("momentum missing", says, o, m=lambda m, dW, W: 0 * m + o.decayed(dW, W), W=lambda W, m: W - o.lr * m)
    says = "m forgets nothing: m = m + g, without mu"
    yield _as("mu missing", says, o, m=lambda m, dW, W: m + o.decayed(dW, W))
    says = "1 − mu stands where mu should: m = (1 − mu)·m + g"
    yield _as("1 − mu for mu", says, o, m=lambda m, dW, W: (1 - o.mu) * m + o.decayed(dW, W))


def _of_divided(o: Any) -> Iterator[Variant]:
    """Adagrad and RMSProp."""
    eps, lr = o.epsilon, o.lr
    if o.epsilon_from == "torch":
        says = "epsilon stands inside the root, √(v + epsilon), where √v + epsilon is meant"
        yield _as(
            "epsilon inside the root", says, o, W=lambda W, dW, v: W - step_over_root(o.decayed(dW, W), v, eps, lr)
        )
    else:
        says = "epsilon stands outside the root, √v + epsilon, where √(v + epsilon) is meant"
        yield _as(
            "epsilon outside the root",
            says,
            o,
            W=lambda W, dW, v: W - step_over(o.decayed(dW, W), np.sqrt(v) + eps, lr),
        )
    says = "the root is left out: the step is divided by v"
    yield _as("root missing", says, o, W=lambda W, dW, v: W - step_over(o.decayed(dW, W), v + eps, lr))
    says = "v is kept of the gradient, not of its square"
    if isinstance(o, RMSProp):
        rho = o.rho
        yield _as("square missing", says, o, v=lambda v, dW, W: moving_average(v, np.abs(o.decayed(dW, W)), rho))
        says = "the square enters v whole, without the factor (1 − rho)"
        yield _as("1 − rho missing", says, o, v=lambda v, dW, W: rho * v + np.square(o.decayed(dW, W)))
        says = "rho and 1 − rho are swapped"
        yield _as("rho swapped", says, o, v=lambda v, dW, W: moving_average(v, np.square(o.decayed(dW, W)), 1 - rho))
    else:
        yield _as("square missing", says, o, v=lambda v, dW, W: v + np.abs(o.decayed(dW, W)))


def _of_adam(o: Adam) -> Iterator[Variant]:
    b1, b2, eps, lr = o.beta1, o.beta2, o.epsilon, o.lr

    def moving(step: Callable[[Any, Any, int], Any]) -> Rule:
        def W(W: Any, m: Any, v: Any, t: int) -> Any:
            taken = step(m, v, t)
            return decoupled_step(W, taken, lr, o.weight_decay) if isinstance(o, AdamW) else W - taken

        return W

    def plain(m: Any, v: Any) -> Any:
        return step_over(m, np.sqrt(v) + eps, lr)

    says = "neither m nor v is corrected for its bias, by 1 − beta1^t and 1 − beta2^t"
    yield _as("bias correction missing", says, o, W=moving(lambda m, v, t: plain(m, v)))
    says = "m is not corrected for its bias, by 1 − beta1^t"
    yield _as("bias correction of m missing", says, o, W=moving(lambda m, v, t: plain(m, v / (1 - b2**t))))
    says = "v is not corrected for its bias, by 1 − beta2^t"
    yield _as("bias correction of v missing", says, o, W=moving(lambda m, v, t: plain(m / (1 - b1**t), v)))
    says = "t counts every tensor, not every step: it is increased once for each weight"
    yield _as("step counted per tensor", says, o, counted=lambda step, tensor, tensors: step * tensors + tensor + 1)
    says = "t is increased only after it is used: it begins at 0, where nothing can be divided by 1 − beta^0"
    yield _as("step counted from 0", says, o, counted=lambda step, tensor, tensors: step)
    says = "t begins at 2: it is one too large"
    yield _as("step counted from 2", says, o, counted=lambda step, tensor, tensors: step + 2)
    says = "t stays 1: it is never increased"
    yield _as("step not counted", says, o, counted=lambda step, tensor, tensors: 1)
    says = "epsilon stands inside the root, √(vhat + epsilon), where √vhat + epsilon is meant"
    yield _as(
        "epsilon inside the root",
        says,
        o,
        W=moving(lambda m, v, t: step_over_root(m / (1 - b1**t), v / (1 - b2**t), eps, lr)),
    )
    says = "epsilon is added to √v before the bias correction: lr·√(1 − beta2^t)/(1 − beta1^t) · m/(√v + epsilon)"
    hat = lambda m, v, t: step_over(m, np.sqrt(v) + eps, lr * (1 - b2**t) ** 0.5 / (1 - b1**t))  # noqa: E731
    yield _as("epsilon before the bias correction", says, o, W=moving(hat))
    says = "epsilon is left out"
    yield _as(
        "epsilon missing", says, o, W=moving(lambda m, v, t: step_over(m / (1 - b1**t), np.sqrt(v / (1 - b2**t)), lr))
    )
    yield _as("betas swapped", "beta1 and beta2 are swapped", _with(o, beta1=b2, beta2=b1))
    yield _as("beta1 for both", "beta1 stands where beta2 should, too", _with(o, beta2=b1))
    yield _as("beta2 for both", "beta2 stands where beta1 should, too", _with(o, beta1=b2))
    one = lambda m, dW, W: moving_average(moving_average(m, o.decayed(dW, W), b1), np.square(o.decayed(dW, W)), b2)  # noqa: E731
    says = "m and v are one array: what is written to one is written to the other"
    yield _as("m and v in one array", says, o, state={"m": one, "v": lambda m: 1 * m})
    says = "the gradient enters m whole, without the factor (1 − beta1)"
    yield _as("1 − beta1 missing", says, o, m=lambda m, dW, W: b1 * m + o.decayed(dW, W))
    says = "the square enters v whole, without the factor (1 − beta2)"
    yield _as("1 − beta2 missing", says, o, v=lambda v, dW, W: b2 * v + np.square(o.decayed(dW, W)))
    both = {"m": lambda m, dW, W: b1 * m + o.decayed(dW, W), "v": lambda v, dW, W: b2 * v + np.square(o.decayed(dW, W))}
    yield _as("1 − beta missing", "gradient and square enter whole, without (1 − beta1) and (1 − beta2)", o, state=both)
    says = "v is kept of the gradient, not of its square"
    yield _as("square missing", says, o, v=lambda v, dW, W: moving_average(v, np.abs(o.decayed(dW, W)), b2))
    says = "v is kept of m, not of the gradient"
    yield _as("v of m", says, o, v=lambda v, m: moving_average(v, np.square(m), b2))
    says = "the root is left out: the step is divided by vhat"
    yield _as("root missing", says, o, W=moving(lambda m, v, t: step_over(m / (1 - b1**t), v / (1 - b2**t) + eps, lr)))
    says = "the step is that of the gradient, without m: lr·g/(√vhat + epsilon)"
    yield _as(
        "m missing",
        says,
        o,
        m=lambda m, dW, W: 0 * m + o.decayed(dW, W),
        W=moving(lambda m, v, t: plain(m, v / (1 - b2**t))),
    )


RIGHT: dict[type, Callable[[Any], Iterator[Variant]]] = {
    GradientDescent: _forms_of_descent,
    Momentum: _forms_of_momentum,
    Nesterov: _forms_of_nesterov,
}
WRONG: dict[type, Callable[[Any], Iterator[Variant]]] = {
    Momentum: _of_momentum,
    Nesterov: _of_momentum,
    Adagrad: _of_divided,
    RMSProp: _of_divided,
    Adam: _of_adam,
    AdamW: _of_adam,
}
