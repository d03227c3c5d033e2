"""The catalogue of an optimizer: what somebody may have written for it, right forms first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from harness.faults.optimizers import adaptive, descent
from harness.faults.optimizers.written import Rules, Variant, and_then, other, read_by, reading, rules_of, written
from impls.hand.optimizers import Adagrad, Adam, AdamW, GradientDescent, Momentum, Nesterov, RMSProp

Variants = Callable[[Any], Iterator[Variant]]
FORMS: dict[type, Variants] = {
    GradientDescent: descent.forms_of_descent, Momentum: descent.forms_of_momentum, Nesterov: descent.forms_of_nesterov,
}  # fmt: skip
MISTAKES: dict[type, Variants] = {
    Momentum: descent.of_momentum, Nesterov: descent.of_momentum, Adagrad: adaptive.of_divided,
    RMSProp: adaptive.of_divided, Adam: adaptive.of_adam, AdamW: adaptive.of_adam,
}  # fmt: skip


def variants_of(optimizer: Any) -> Iterator[Variant]:
    """Right forms first, then mistakes, those that say most of the formula in front."""
    for table in (FORMS, MISTAKES):
        if made := table.get(type(optimizer)):
            yield from made(optimizer)
    yield from _of_decay(optimizer)
    yield from _of_any(optimizer)


def _of_decay(o: Any) -> Iterator[Variant]:
    w = o.weight_decay
    if not w:
        return
    yield written("weight decay missing", "weight decay is left out", other(o, weight_decay=0.0))
    yield written(
        "weight decay doubled", f"weight decay is 2·{w:g}·W: the penalty has no 1/2", other(o, weight_decay=2 * w)
    )
    yield written(
        "weight decay's sign", "weight decay is subtracted from the gradient: weights grow", other(o, weight_decay=-w)
    )
    bare = AdamW(o.lr, o.beta1, o.beta2, o.epsilon, 0.0) if isinstance(o, AdamW) else other(o, weight_decay=0.0)
    moved = rules_of(bare).W
    if isinstance(o, AdamW):
        coupled = Adam(o.lr, o.beta1, o.beta2, o.epsilon, w)
        yield written(
            "weight decay coupled",
            "weight decay is added to the gradient, and so divided by √v (Adam with L2)",
            coupled,
        )
    elif not isinstance(o, GradientDescent):
        says = "weight decay is taken from the weights, W − lr·decay·W, where it belongs in the gradient (decoupled)"
        yield written("weight decay decoupled", says, bare, W=and_then(moved, lambda new, W: new - o.lr * w * W))
    says = "weight decay is taken from the weights without the learning rate: W − decay·W"
    yield written("weight decay without lr", says, bare, W=and_then(moved, lambda new, W: new - w * W))
    says = "weight decay is taken from the new weights, after the step"
    yield written("weight decay after the step", says, bare, W=and_then(moved, lambda new, _: new - o.lr * w * new))


def _of_any(o: Any) -> Iterator[Variant]:
    yield written("sign", "the step is added to the weights, where it should be subtracted", other(o, lr=-o.lr))
    yield written(
        "learning rate twice", f"the learning rate is multiplied in twice: lr² = {o.lr * o.lr:g}", other(o, lr=o.lr**2)
    )
    yield written("learning rate missing", "the learning rate is left out: lr = 1", other(o, lr=1.0))
    yield written("step doubled", "the step is twice as large: lr is doubled", other(o, lr=2 * o.lr))
    yield written("step halved", "the step is half as large: lr is halved", other(o, lr=o.lr / 2))
    if o.state:
        kept = "the state is not kept from step to step: each step begins with zeros"
        yield written("state not kept", kept, o, keeps=False)
        late = f"the weights move by the state of the step before: it is updated after them ({', '.join(o.state)})"
        yield Variant("state one step late", late, _late(o))
    for kind in (GradientDescent, Momentum, Nesterov, Adagrad, RMSProp, Adam, AdamW):
        if kind is not type(o):
            same = kind(**{name: value for name, value in vars(o).items() if name in vars(kind())})
            yield written("another optimizer", f"these are the numbers of {same!r}", same)


def _late(o: Any) -> Rules:
    """State is kept twice, as it is and as it was: the weight reads the latter."""
    own = rules_of(o)
    kept = {f"{name}_": reading([name], lambda before: 1 * before) for name in own.state}
    reads = [f"{name}_" if name in own.state else name for name in read_by(own.W)]
    return Rules({**kept, **own.state}, reading(reads, lambda *read: own.W(*read)))
