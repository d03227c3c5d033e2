"""What moving the variable does: by a stated amount, and by the optimizer.

A nudge moves it, and every output on the way is watched. What adds up exactly are the changes *to first order*: along
each path the amount times the path's product, and over all paths the amount times the derivative. The loss's true
change differs from that by a remainder of second order in the amount: half the amount leaves a quarter of it, unless a
kink lies between.

The update is ``w_new = w_old − lr·∂L/∂w`` with numbers, or what else the optimizer does with the derivative.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.explaining.case import Case
from harness.explaining.explanation import Moved, Nudge, Update, UpdateRow
from harness.explaining.layout import opened, operand
from harness.explaining.methods import finite
from harness.explaining.references import Reference
from harness.usage import UsageError
from impls import hand
from impls.contract import Array
from impls.graph import LOSS, evaluate, prefixed
from impls.hand.notation import name_of
from impls.hand.optimizers import update_links


def nudged(case: Case, amount: float, others: float, in_sample: int) -> Nudge:
    """Move the variable and compare; the outputs shown are those on the listed paths, in one sample.

    `others` is the sum of the paths that are not listed.

    Raises:
        UsageError: the amount moves nothing, or moves it so far that the loss is not finite.
    """
    variable, at = case.variable, case.variable.value
    if at + amount == at:
        raise UsageError(
            f"Cannot nudge by {amount:g}, because that moves {at:g} to the same float64; give a larger amount."
        )
    before = variable.forward(at)
    with np.errstate(all="ignore"):
        after, half = variable.forward(at + amount), variable.loss(at + amount / 2)
    change, change_at_half = (float(loss) - float(before[LOSS]) for loss in (after[LOSS], half))
    if not np.isfinite([change, change_at_half]).all():
        raise UsageError(f"Cannot nudge by {amount:g}, because the loss is not finite there; give a smaller amount.")
    first, place = amount * case.total, list(case.rows).index(in_sample)
    nodes, arrivals = [], case.paths.arrivals()
    for position, node in sorted({at for path in case.listed for at in zip(path.levels, path.route, strict=True)}):
        if 0 < position < len(case.names) - 1:
            level, slope = case.paths.levels[position], float(arrivals[position][place, node])
            old, new = (float(t[level.tensor][place, level.entries[node]]) for t in (before, after))
            nodes.append(Moved(case.names[position][node], old, new, new - old, amount * slope))
    return Nudge(
        amount,
        in_sample,
        nodes,
        Moved("L", float(before[LOSS]), float(after[LOSS]), change, first),
        along_paths=[amount * path.product for path in case.listed],
        others=amount * others,
        first_order=first,
        remainder=change - first,
        remainder_at_half=change_at_half - first / 2,
        rounding=finite(2 * case.centre.tensors[LOSS].bound),
    )


RULES: Mapping[type, Mapping[str, str]] = {
    hand.GradientDescent: {"W": "{w} − {lr}·{g}"},
    hand.Momentum: {"m": "{mu}·{m_old} + {g}", "W": "{w} − {lr}·{m}"},
    hand.Nesterov: {"m": "{mu}·{m_old} + {g}", "W": "{w} − {lr}·({g} + {mu}·{m})"},
    hand.Adagrad: {"v": "{v_old} + {square}", "W": "{w} − {lr}/{root}·{g}"},
    hand.RMSProp: {"v": "{rho}·{v_old} + (1 − {rho})·{square}", "W": "{w} − {lr}/{root}·{g}"},
    hand.Adam: {
        "m": "{beta1}·{m_old} + (1 − {beta1})·{g}",
        "v": "{beta2}·{v_old} + (1 − {beta2})·{square}",
        "W": "{w} − {lr}·{mhat}/(√{vhat} + {epsilon})",
    },
    hand.AdamW: {
        "m": "{beta1}·{m_old} + (1 − {beta1})·{g}",
        "v": "{beta2}·{v_old} + (1 − {beta2})·{square}",
        "W": "{w} − {lr}·({mhat}/(√{vhat} + {epsilon}) + {weight_decay}·{w})",
    },
}
"""The optimizers' own formulas, those at the head of their files, rule by rule."""


def update_of(
    reference: Reference, optimizer: Any, old: float, gradient: float, state: Mapping[str, Array], step: int
) -> Update | None:
    """The update of one weight or bias at a step, counted from 1; None for what is not updated."""
    if not reference.learned:
        return None
    weight = reference.tensor
    held = {"w": weight, "g": prefixed("d", weight), **{s: prefixed(s, weight) for s in optimizer.state}}
    tensors: dict[str, Any] = {held["w"]: np.array([old]), held["g"]: np.array([gradient]), "t": step}
    tensors |= {held[s]: np.array([state[held[s]][reference.index]]) for s in optimizer.state}
    before = {letter: float(tensors[name][0]) for letter, name in held.items()}
    evaluate(update_links(optimizer, [weight]), tensors)
    after = {letter: float(tensors[name][0]) for letter, name in held.items()}
    short = reference.short
    if type(optimizer) in RULES:
        rows = _rows(optimizer, short, before, after, step)
    else:
        rows = [UpdateRow(f"{short}_new", "", "", after["w"])]
    return Update(name_of(optimizer), old, getattr(optimizer, "lr", None), after["w"], rows)


def _rows(
    optimizer: Any, short: str, before: Mapping[str, float], after: Mapping[str, float], step: int
) -> list[UpdateRow]:
    """Numbers before and after the update by letter: w the weight, g its gradient, and those of the state."""
    symbols = {name: name for name in optimizer.parameters()} | {"lr": "lr", "w": f"{short}_old"}
    symbols |= {"g": f"∂L/∂{short}", "square": f"(∂L/∂{short})²"}
    numbers = {name: operand(value) for name, value in optimizer.parameters().items() if not isinstance(value, str)}
    numbers |= {"lr": f"{optimizer.lr:g}", "w": operand(before["w"]), "g": operand(before["g"])}
    numbers["square"] = f"{numbers['g']}²"
    rows = []
    decayed = optimizer.weight_decay and not isinstance(optimizer, hand.AdamW)
    if decayed:
        g = before["g"] + optimizer.weight_decay * before["w"]
        template = "{g} + {weight_decay}·{w}"
        rows.append(UpdateRow("g", template.format(**symbols), opened(template.format(**numbers)), g))
        symbols["g"], numbers["g"] = "g", operand(g)
        symbols["square"], numbers["square"] = "g²", f"{operand(g)}²"
    for s in optimizer.state:
        symbols[f"{s}_old"], numbers[f"{s}_old"] = f"{s}_old", operand(before[s])
        symbols[s], numbers[s] = f"{s}_new", operand(after[s])
    for s in ("mu", "rho", "beta1", "beta2", "epsilon", "weight_decay"):  # parameters that are off are 0
        symbols[s], numbers[s] = s, f"{getattr(optimizer, s, 0):g}"
    _add_parts(optimizer, symbols, numbers, {s: after[s] for s in optimizer.state}, step)
    for rule, template in RULES[type(optimizer)].items():
        name, value = (short, after["w"]) if rule == "W" else (rule, after[rule])
        rows.append(UpdateRow(f"{name}_new", template.format(**symbols), opened(template.format(**numbers)), value))
    return rows


def _add_parts(
    optimizer: Any, symbols: dict[str, str], numbers: dict[str, str], state: Mapping[str, float], step: int
) -> None:
    """The divisor of Adagrad and RMSProp, and Adam's corrected averages."""
    if hasattr(optimizer, "epsilon_from"):
        template = "√({v} + {epsilon})" if optimizer.epsilon_from == "optax" else "(√{v} + {epsilon})"
        symbols["root"], numbers["root"] = template.format(**symbols), template.format(**numbers)
    if hasattr(optimizer, "beta1"):
        for name, s, beta in (("mhat", "m", "beta1"), ("vhat", "v", "beta2")):
            symbols[name] = f"({s}_new/(1 − {beta}^{step}))"
            numbers[name] = operand(state[s] / (1 - getattr(optimizer, beta) ** step))
