"""JAX programs tapped, many of them compiled together; and one captured operation judged by its hand rule."""

import numpy as np

from harness.comparison.judge import judge
from harness.evaluation.references.captured import RuleReference
from harness.evaluation.references.expected import Expected
from harness.inputs.outputs import joined
from tests.helpers.deferred import Deferred

jax, capturing, leaves = Deferred("jax"), Deferred("impls.jax_grad.capture"), Deferred("impls.jax_grad.leaves")
programs, taps = Deferred("impls.jax_grad.programs"), Deferred("impls.jax_grad.tapped")

reference_of = RuleReference


def rows_of(operation, scale=1.0):
    """Rows of outputs and gradients by the names that they have there; gradients are scaled first."""
    reference, gives = reference_of(operation), operation.rule.gives
    outputs, arrived = ([array[place] for place in gives] for array in (operation.outputs, operation.upstream))
    sent = [np.zeros(o.shape, o.dtype) if u is None else u for o, u in zip(outputs, arrived, strict=True)]
    given = {name: operation.operands[reference.numbers[name]] for name in reference.inputs}
    upstream = sent[0] if len(sent) == 1 else joined(tuple(sent))
    expected = Expected(reference, given, upstream, str(outputs[0].dtype))
    shown = dict(zip(expected.parts, outputs, strict=True))
    shown |= {tensor: scale * operation.gradients[reference.numbers[name]] for tensor, name in expected.inputs.items()}
    rows = {}
    for tensor, actual in shown.items():
        right = expected.tensors[tensor]
        rows[tensor] = judge(
            "rounding", tensor, "jax", 1, actual=np.asarray(actual), expected=right.value, allowed=right.bound
        )
    return rows


def wrong_in(operation, scale=1.0):
    """Names of the tensors that are outside their allowance."""
    return [tensor for tensor, row in rows_of(operation, scale).items() if row.verdict == "FAULT"]


def tapped_by(function, arrays):
    """A function of arrays to one number, with taps."""
    given = leaves.Leaves.of(function, arrays)
    traced = jax.make_jaxpr(lambda *each: given.answer(each))(*given.arrays.values())
    return taps.Tapped(programs.Program(traced), list(given.arrays))


def operations_at_once(functions):
    """The operations of each function, by its name, from (function, arrays); all are compiled as one program."""
    tapped = {name: tapped_by(*each) for name, each in functions.items()}
    run = programs.compiled(lambda given: {name: each.observed(given[name]) for name, each in tapped.items()})
    observed = run({name: jax.tree.leaves(list(arrays)) for name, (_, arrays) in functions.items()})
    return {
        name: list(capturing.operations_of(tapped[name], jax.tree.map(np.asarray, observed[name])))
        for name in functions
    }
