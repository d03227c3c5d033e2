"""Mutants: a function with one small slip in it, made from its own source, and put in its place.

A mutant is another code object for the same function object, so that everybody who holds the function, under
whatever name, calls the mutant while it is planted. Defaults, closures, attributes and decorators are the
function's and stay as they are; what `return locals()` gives has no new names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType
from typing import Any

from harness.edits.changes import changes_of
from harness.edits.syntax import Site
from harness.inputs.recompiled import compiled, plain_function, replaced, tree_of


@dataclass(frozen=True, eq=False)
class Mutant:
    """One slip in one statement of a function.

    Attributes:
        operator: which kind: sign, operand, axis, ...
        line: of the statement, in the file.
        before, after: the statement without and with the slip.
        code: what the function runs while the mutant is planted.
        equal: whether the statement computes the same real function as before, shown by rational arithmetic.
        ran: holds 1 once the statement was reached in a mutant that was planted.
    """

    operator: str
    line: int
    before: str
    after: str
    code: CodeType
    equal: bool
    ran: set[int]


def mutants_of(function: Any) -> list[Mutant]:
    """Every mutant of a Python function, without those that another one equals; decorators are seen through.

    Raises:
        UsageError: it is no function written in Python, its source cannot be found, or it is a lambda.
    """
    function = plain_function(function)
    tree = tree_of(function)
    found: list[Mutant] = []
    for change in changes_of(tree):
        ran: set[int] = set()
        code = compiled(tree, function, change.site, ran)
        if code is not None:
            line = change.site.statement.lineno
            found.append(Mutant(change.operator, line, change.before, change.after, code, change.equal, ran))
    return found


def watched(function: Any) -> tuple[CodeType, set[int]]:
    """The function's own code, which puts 1 into the set when it is called."""
    function = plain_function(function)
    tree, ran = tree_of(function), set[int]()
    first = tree.body[0]
    code = compiled(tree, function, Site(first, tree, "body", 0, first, tree.body, 0, (), ()), ran)
    assert code is not None
    return code, ran


@contextmanager
def planted(function: Any, mutant: Mutant) -> Iterator[None]:
    """The mutant in place of the function's own code, which always comes back.

    What decorators keep of earlier calls (``cache_clear``, ``clear_cache``) is forgotten on either side.
    """
    with replaced(function, mutant.code):
        yield


SAME: Mapping[tuple[str, str], str] = {
    ("HardSigmoid.dz", "shifted = -z + 3"): "0 < z + 3 < 6 is symmetric about z = 0",
    ("Tanh.dz", "return tanh_vjp(da, -a)"): "1 - a^2 is even",
    ("BinaryCrossEntropy.da", "return (a - y) / np.maximum(LEAST_VARIANCE, a * (1 - a)) / a.size"): "max commutes",
    ("clipped_difference", "return np.minimum(delta, np.maximum(a - y, -delta))"): "min commutes",
    ("clipped_difference", "return np.minimum(np.maximum(-delta, a - y), delta)"): "max commutes",
    ("elu_vjp", "return np.where(z > 0, da, da * (alpha * np.exp(np.minimum(0, z))))"): "min commutes",
    ("elu_vjp", "return np.where(z > 0, da, da * (alpha * np.exp(np.minimum(z, 1))))"): "used where z <= 0 only",
    ("Scaled.da", "return self.times(self.loss.da(a, y), -a)"): "a constant asks nothing of the batch",
    ("Scaled.da", "return self.times(self.loss.da(a, y), y)"): "y has as many rows",
    # The targets have exactly the output's shape, or one label per row: check_targets sees to it.
    ("BinaryCrossEntropy.da", "return (a - y) / np.maximum(a * (1 - a), LEAST_VARIANCE) / y.size"): "y.size = a.size",
    (
        "BinaryCrossEntropy.da",
        "return self.passed(((1 - y) / self._of_no(a) - y / self.guarded(a)) / y.size, a)",
    ): "y.size = a.size",
    ("Huber.da", "return clipped_difference(a, y, self.delta) / y.size"): "y.size = a.size",
    ("LogitBinaryCrossEntropy.da", "return logit_cross_entropy_vjp(a, y) / y.size"): "y.size = a.size",
    ("MeanAbsoluteError.da", "return sign_of_difference(a, y) / y.size"): "y.size = a.size",
    ("MeanSquaredError.da", "return 2 * (a - y) / y.size"): "y.size = a.size",
    (
        "CategoricalCrossEntropy.da",
        "return self.passed(-y / self.guarded(a) / rows_in(-a), a)",
    ): "a size has no sign",
    (
        "CategoricalCrossEntropy.da",
        "return self.passed(-y / self.guarded(a) / rows_in(y), a)",
    ): "y has the shape of a",
    (
        "one_hot_cross_entropy_vjp",
        "return (softmax(a) * y.sum(axis=-1, keepdims=True) - y) / rows_in(-a)",
    ): "a size has no sign",
    (
        "one_hot_cross_entropy_vjp",
        "return (softmax(a) * y.sum(axis=-1, keepdims=True) - y) / rows_in(y)",
    ): "y has the shape of a",
    ("Hinge.da", "return -y * (1 - y * a > 0) / y.size"): "y.size = a.size",
    ("KullbackLeibler.da", "return -y / rows_in(-a)"): "a size has no sign",
    ("KullbackLeibler.da", "return -y / rows_in(y)"): "y has the shape of a",
    ("WeightedCrossEntropy.da", "da = one_hot_cross_entropy_vjp(rows, soft_targets(-rows, q))"): "a shape has no sign",
    (
        "WeightedCrossEntropy.da",
        "da = one_hot_cross_entropy_vjp(rows, soft_targets(q, q))",
    ): "q has the shape of the rows",
    ("WeightedCrossEntropy.da", "q, D = self.targets(np.ravel(y), rows.shape[-1])"): "rows end as a does",
    (
        "WeightedCrossEntropy.da",
        "return over_weights(da * rows_in(-rows), D, len(q)).reshape(*a.shape)",
    ): "a size has no sign",
    ("WeightedCrossEntropy.da", "return over_weights(da * rows_in(a), D, len(q)).reshape(*a.shape)"): "as many rows",
    ("WeightedCrossEntropy.da", "return over_weights(da * rows_in(da), D, len(q)).reshape(*a.shape)"): "as many rows",
    ("WeightedCrossEntropy.da", "return over_weights(da * rows_in(q), D, len(q)).reshape(*a.shape)"): "as many rows",
    (
        "WeightedCrossEntropy.da",
        "return over_weights(da * rows_in(rows), D, len(a)).reshape(*a.shape)",
    ): "read by bounds alone",
    (
        "WeightedCrossEntropy.da",
        "return over_weights(da * rows_in(rows), D, len(da)).reshape(*a.shape)",
    ): "read by bounds alone",
    (
        "WeightedCrossEntropy.da",
        "return over_weights(da * rows_in(rows), D, len(rows)).reshape(*a.shape)",
    ): "read by bounds alone",
    (
        "WeightedCrossEntropy.da",
        "return over_weights(da * rows_in(rows), D, len(y)).reshape(*a.shape)",
    ): "read by bounds alone",
    ("chosen_reciprocal", "rows, chosen = (rows_of(a), -(rows_of(a) * 0))"): "-0 = 0",
    ("chosen_reciprocal", "rows, chosen = (rows_of(a), -rows_of(a) * 0)"): "-0 = 0",
    ("chosen_reciprocal", "rows, chosen = (rows_of(a), rows_of(-a) * 0)"): "-0 = 0",
    ("Dense.dx", "return along(rows_of(dz) @ W.T, -dz)"): "only its shape is read there",
    ("LayerNorm.dx", "return layer_norm_vjp(dh, -x, g, self.eps)"): "even in x: xh stands there twice",
    ("layer_norm_vjp", "(xh, r), t = (_standardised(-x, eps), dh * g)"): "even in x: xh stands there twice",
    ("Positions.dW", "return np.concatenate([used, -(0 * W[len(used):])], axis=0)"): "-0 = 0",
    ("Positions.dW", "return np.concatenate([used, 0 * -W[len(used):]], axis=0)"): "-0 = 0",
    ("Positions.dW", "return np.concatenate([used, 0 / W[len(used):]], axis=0)"): "0 times or over what is not 0",
}
"""Mutants of the hand code that are the same function for a reason that the arithmetic of one statement does not show.

From a rule and a mutant's statement to the reason. A test shows each of them, in exact arithmetic where the rule is
rational, bit by bit where it is not.
"""


def is_same(function: Any, mutant: Mutant) -> bool:
    """Whether a mutant is known to be the function itself, in effect."""
    plain = plain_function(function)
    return mutant.equal or (plain.__module__.startswith("impls.hand.") and (plain.__qualname__, mutant.after) in SAME)
