"""One mistake each in the 26 gradients by hand: a line of `ninja.backward`, and what stands there instead."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.helpers.deferred import Deferred

ninja = Deferred("docs.examples.character_model")


class Mistake(NamedTuple):
    """What is replaced, by what, the gradients that are wrong then, first to last, and what the cause is called."""

    line: str
    by: str
    wrong: tuple[str, ...]
    cause: str


MISTAKES = {
    "sign lost": Mistake(
        'dcounts_sum = -(t["counts_sum"] ** -2) *', 'dcounts_sum = (t["counts_sum"] ** -2) *', ("dcounts_sum",),
        "sign flipped",
    ),
    "broadcast not summed": Mistake(
        'dbngain = (t["bnraw"] * dhpreact).sum(0, keepdim=True)', 'dbngain = t["bnraw"] * dhpreact', ("dbngain",),
        "broadcast gradient not summed",
    ),
    "bias not summed": Mistake(
        "db2 = dlogits.sum(0)", "db2 = dlogits", ("db2",), "broadcast gradient not summed",
    ),
    "averaged": Mistake(
        "db2 = dlogits.sum(0)", "db2 = dlogits.mean(0)", ("db2",), "mean for sum",
    ),
    "second use forgotten": Mistake(
        'dcounts = dcounts + torch.ones_like(t["counts"]) * dcounts_sum', "pass", ("dcounts",), "dropped path",
    ),
    "second use forgotten, of bndiff": Mistake(
        'dbndiff = dbndiff + 2 * t["bndiff"] * dbndiff2', "pass", ("dbndiff",), "dropped path",
    ),
    "n for n - 1": Mistake(
        "dbndiff2 = 1.0 / (n - 1) *", "dbndiff2 = 1.0 / n *", ("dbndiff2",), "biased for unbiased",
    ),
    "1/n lost": Mistake(
        'dhprebn = dhprebn + 1.0 / n * (torch.ones_like(t["hprebn"]) * dbnmeani)',
        'dhprebn = dhprebn + torch.ones_like(t["hprebn"]) * dbnmeani', ("dhprebn",), "sum for mean",
    ),
    "1/n lost at the loss": Mistake(
        'dlogprobs[range(n), p["Yb"]] = -1.0 / n',
        'dlogprobs[range(n), p["Yb"]] = -1.0', ("dlogprobs",),
        "sum for mean",
    ),
    "indices overwritten": Mistake(
        'dC.index_put_((p["Xb"],), demb, accumulate=True)', 'dC[p["Xb"]] = demb', ("dC",),
        "repeated index overwritten",
    ),
    "transposed operand": Mistake(
        'dW1 = t["embcat"].T @ dhprebn', 'dW1 = (dhprebn.T @ t["embcat"])', ("dW1",), "transposed",
    ),
    "wrong operand": Mistake(
        'dbnvar_inv = (t["bndiff"] * dbnraw)', 'dbnvar_inv = (t["bnraw"] * dbnraw)', ("dbnvar_inv",),
        "derivative at another tensor",
    ),
    "tanh's derivative at its argument": Mistake(
        'dhpreact = (1.0 - t["h"] ** 2) * dh', 'dhpreact = (1.0 - t["hpreact"] ** 2) * dh', ("dhpreact",),
        "wrong operand",
    ),
    "half of a square": Mistake(
        '2 * t["bndiff"] * dbndiff2', 't["bndiff"] * dbndiff2', ("dbndiff",), "half",
    ),
    "derivative left out": Mistake(
        'dhpreact = (1.0 - t["h"] ** 2) * dh', "dhpreact = dh", ("dhpreact",), "derivative missing",
    ),
    "eps lost": Mistake(
        '(t["bnvar"] + 1e-5) ** -1.5', '(t["bnvar"]) ** -1.5', ("dbnvar",), "unknown",
    ),
    "one array for two": Mistake(
        'dlogits = dlogits + functional.one_hot(t["logits"].max(1).indices, t["logits"].shape[1]) * dlogit_maxes',
        "dlogits = dnorm_logits; dlogits += 0.01", ("dnorm_logits",), "one array for two gradients",
    ),
}  # fmt: skip


def with_mistake(mistake: Mistake, module: Any = ninja) -> Callable[..., Any]:
    """The backward pass of that module, with one line another."""
    source = textwrap.dedent(inspect.getsource(module.backward)).replace("keepdims=", "keepdim=")
    assert source.count(mistake.line) == 1
    jax = hasattr(module, "jnp")
    names: dict[str, Any] = dict(inspect.getmodule(module.backward).__dict__)
    changed = source.replace(mistake.line, mistake.by)
    exec(changed.replace("keepdim=", "keepdims=") if jax else changed, names)
    return names["backward"]
