"""JAX programs tapped from outside: traced once, then run and differentiated equation by equation.

    traced      a list of equations; `jit` and `checkpoint` are entered, functions with a derivative of their own and
                loops are operations of their own
    run         un-jitted, each equation by its own primitive, so that what is tapped is not fused away
    backward    a tap at each use of a tensor and at each tensor: the identity, with a second argument that does nothing
                but have the gradient that passes through

So gradients are the same bits with and without taps. Compiled as a whole XLA may fuse and reorder: how far that is
from what was tapped is noted.

Source: "Autodidax", docs.jax.dev, for walking a jaxpr; jax.custom_jvp for the tap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun

from impls.captured import CannotCaptureError, Capture, Form, Meeting, Operation
from impls.contract import Array
from impls.jax_grad.lax import Arguments, rule_of
from impls.jax_grad.leaves import Leaves, is_real
from impls.jax_grad.programs import CALLS, RULES, Program, Step, in_dtype
from impls.jax_grad.written import module_of, place_of

CONSTANT = ("stop_gradient", "sign", "floor", "ceil", "round")
"""Primitives through which no gradient passes, although they give real numbers."""
LOOPS = ("scan", "while", "cond")
"""Kept as one operation."""

Use = tuple[int, int]
"""An operand: the number of its step, counted from 0, and its own."""


@jax.custom_jvp
def tap(value: Any, nothing: Any) -> Any:  # noqa: ARG001
    """The value; its cotangent goes to both arguments."""
    return value


# Forward-mode, not `custom_vjp`: what arrives at a tap stays a symbolic zero where nothing does.
tap.defjvp(lambda primals, tangents: (primals[0], tangents[0] + tangents[1]))


def brings_program(program: Any, arguments: Sequence[Any]) -> bool:
    """Whether a program holds JAX arrays or is given some, or is a function that JAX has wrapped."""
    wrapped = isinstance(program, jax.custom_vjp | jax.custom_jvp | jax.stages.Wrapped)
    return wrapped or any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves((program, list(arguments))))


def capture(
    program: Callable[..., Any], arguments: Sequence[Any], loss: Callable[[Any], Any] | None, seed: int
) -> Capture:
    """Run a JAX program forward and backward once; see `impls.captured.Captures`.

    Args:
        program: a function of pytrees, or a module that is a pytree and callable.
        arguments: pytrees of arrays; those of real numbers have a gradient.
        loss: from what the program returns to one number; None where it returns that itself.
        seed: of NumPy's own numbers, if the program draws any while it is traced; JAX's have a key.

    Raises:
        CannotCaptureError: no array of real numbers, no single number, none that depends on them, complex numbers.
        Exception: whatever the program raises.
    """
    leaves = Leaves.of(program, arguments)
    if not leaves.reals:
        raise CannotCaptureError(
            "because no array of real numbers is among its arguments, so that there is no gradient; give weights and "
            "inputs as JAX arrays, in any pytree, instead of closing over them"
        )

    def number(*arrays: Any) -> Any:
        answer = leaves.answer(arrays)
        return answer if loss is None else loss(answer)

    drawn = np.random.get_state()  # noqa: NPY002  (whatever the program draws by)
    np.random.seed(seed)  # noqa: NPY002
    try:
        traced, kind = jax.make_jaxpr(number, return_shape=True)(*leaves.arrays.values())
    finally:
        np.random.set_state(drawn)  # noqa: NPY002
    _check_number(kind, loss)
    tapped = _Tapped(Program(traced), leaves)
    return tapped.captured(lambda gradients: _as_a_whole(traced, leaves, gradients))


def _check_number(kind: Any, loss: Any) -> None:
    what = "what the program returns" if loss is None else "the loss"
    if not hasattr(kind, "shape"):
        told = f"a {type(kind).__name__}"
    elif kind.shape != ():
        told = f"an array of shape {tuple(kind.shape)}"
    elif not is_real(kind):
        told = f"a number of dtype {kind.dtype}"
    else:
        return
    raise CannotCaptureError(
        f"because {what} is {told}, and no single real number; give loss=, a function of what the program returns that "
        f"gives one number"
    )


def _as_a_whole(traced: Any, leaves: Leaves, gradients: Mapping[str, Array]) -> str:
    """How far the gradients of the loss compiled as a whole, as a user would run it, are from those tapped."""
    names = list(leaves.arrays)
    of = [names.index(name) for name in gradients]
    differentiate = jax.jit(jax.grad(lambda *arrays: jaxpr_as_fun(traced)(*arrays)[0], argnums=of))
    whole = differentiate(*leaves.arrays.values())
    off = [_relative(np.asarray(a), b) for a, b in zip(whole, gradients.values(), strict=True)]
    return (
        f"compiled as a whole by jax.jit, gradients differ from those of its operations one by one, which are judged, "
        f"by at most {max(off):.1e} of the largest entry of each"
    )


def _relative(a: Array, b: Array) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(all="ignore"):
        off = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
        return float(np.max(off, initial=0.0) / max(np.max(np.abs(b), initial=0.0), np.finfo(np.float64).tiny))


class _Tapped:
    """A traced program, and which of its tensors have a gradient.

    Attributes:
        asked: places that depend on a leaf of real numbers.
        passing: numbers of the steps through which a gradient passes to the loss.
        tapped: the places among `asked` that the loss depends on.
    """

    def __init__(self, program: Program, leaves: Leaves) -> None:
        self.program, self.leaves = program, leaves
        names = dict(zip(program.inputs, leaves.arrays, strict=True))
        self.weights = {place: name for place, name in names.items() if name in leaves.reals}
        (self.loss,) = program.outputs
        self.asked, self.tapped = set(self.weights), {self.loss}
        steps = [step for step in program.steps if step.primitive.name not in CONSTANT]
        for step in steps:
            if self.asked.intersection(step.read):
                self.asked.update(place for place in step.made if _has_gradient(program.kinds[place]))
        self.passing: set[int] = set()
        for number, step in reversed(list(enumerate(program.steps))):
            if step.primitive.name not in CONSTANT and self.tapped & self.asked & set(step.made):
                self.passing.add(number)
                self.tapped.update(self.asked.intersection(step.read))
        self._check()

    def _check(self) -> None:
        if self.loss not in self.asked:
            raise CannotCaptureError(
                "because its loss depends on none of the arrays of real numbers that it is given, or only through "
                "jax.lax.stop_gradient or whole numbers; give a loss that has a gradient"
            )
        for number in sorted(self.passing):
            step = self.program.steps[number]
            if any(jnp.issubdtype(self.program.kinds[p].dtype, jnp.complexfloating) for p in (*step.read, *step.made)):
                raise CannotCaptureError(
                    f"because {step.primitive.name}{_at(step)} computes with complex numbers, whose gradients are not "
                    f"judged; give a program of real numbers"
                )

    @cached_property
    def _names(self) -> dict[int, str]:
        """What operations are called, by their numbers."""
        return {n: name_of(self.program.steps[number]) for n, number in enumerate(sorted(self.passing), 1)}

    @cached_property
    def uses(self) -> dict[Use, int]:
        """Where a tensor that has a gradient is read, and which it is."""
        return {
            (number, operand): place
            for number in sorted(self.passing)
            for operand, place in enumerate(self.program.steps[number].read)
            if place in self.asked
        }

    def run(self, weights: Mapping[int, Any], uses: Mapping[Use, Any], made: Mapping[int, Any]) -> Any:
        """The loss and every tensor, from leaves and what is tapped by; without taps where nothing is given."""
        inputs = dict(zip(self.program.inputs, self.leaves.arrays.values(), strict=True)) | dict(weights)

        def born(place: int, value: Any) -> Any:
            return tap(value, made[place]) if place in made else value

        known = {place: born(place, value) for place, value in inputs.items()}
        for number, step in enumerate(self.program.steps):
            operands = [known[p] if p in known else self.program.constants[p] for p in step.read]
            operands = [tap(v, uses[number, k]) if (number, k) in uses else v for k, v in enumerate(operands)]
            known |= {place: born(place, result) for place, result in zip(step.made, step.run(operands), strict=True)}
        return known[self.loss], known

    def captured(self, as_a_whole: Callable[[Mapping[str, Array]], str]) -> Capture:
        """Run, forward and backward; `as_a_whole` tells how its gradients compare."""
        weights = {place: self.leaves.arrays[name] for place, name in self.weights.items()}
        nothing = _Nothing(self.program.kinds)
        made = {place: nothing.like(place) for place in sorted(self.tapped & self.asked)}
        uses = {use: nothing.like(place) for use, place in self.uses.items()}
        loss, pull, known = jax.vjp(self.run, weights, uses, made, has_aux=True)
        of_weights, at_uses, at_places = jax.tree.map(np.asarray, pull(jnp.ones_like(loss)))
        known = self.program.constants | known
        givers = {p: n for n, number in enumerate(sorted(self.passing), 1) for p in self.program.steps[number].made}
        operations = [
            self._operation(n, number, known, at_uses, at_places, givers)
            for n, number in enumerate(sorted(self.passing), 1)
        ]
        kinds = Counter(str(output.dtype) for each in operations for output in each.outputs)
        return Capture(
            version=f"jax {jax.__version__}", dtype=kinds.most_common(1)[0][0] if kinds else str(loss.dtype),
            loss=float(loss), operations=operations, meetings=self._meetings(at_uses, of_weights | at_places, givers),
            modules=len({each.module for each in operations if each.module}), weights=list(self.weights.values()),
            notes=[*self._notes(operations), as_a_whole({n: of_weights[p] for p, n in self.weights.items()})],
            passing=len(self.program.steps) - len(operations),
        )  # fmt: skip

    def _operation(
        self,
        n: int,
        number: int,
        known: Mapping[int, Any],
        at_uses: Mapping[Use, Array],
        at_places: Mapping[int, Array],
        givers: Mapping[int, int],
    ) -> Operation:
        step = self.program.steps[number]
        operands, outputs = [_shown(known[p]) for p in step.read], [_shown(known[p]) for p in step.made]
        asked = [(number, k) in at_uses for k in range(len(operands))]
        rule = rule_of(step.primitive.name, Arguments(step.params, operands, outputs, asked))
        form = form_of(step, [self.program.kinds[place] for place in step.read])
        return Operation(
            number=n, name=name_of(step), module=module_of(step.sources), place=place_of(step.sources),
            operands=operands, outputs=outputs, upstream=[at_places.get(place) for place in step.made],
            gradients=[at_uses.get((number, k)) for k in range(len(operands))],
            sources=[givers.get(place, self.weights.get(place)) for place in step.read],
            rule=rule, form=form, why_not="" if rule else why_no_rule(step),
        )  # fmt: skip

    def _meetings(
        self, at_uses: Mapping[Use, Array], at_places: Mapping[int, Array], givers: Mapping[int, int]
    ) -> list[Meeting]:
        """Where a tensor has several readers, and every leaf that is read, in the order of the forward pass."""
        parts: dict[int, list[Array]] = {}
        for use, place in self.uses.items():
            parts.setdefault(place, []).append(at_uses[use])
        meetings = []
        for place, sent in parts.items():
            of = givers.get(place)
            if of is None or len(sent) > 1:
                name = self.weights[place] if of is None else f"what {self._names[of]} gives"
                meetings.append(Meeting(name=name, of=of, parts=sent, total=at_places[place]))
        return sorted(meetings, key=lambda meeting: meeting.of or 0)

    def _notes(self, operations: Sequence[Operation]) -> list[str]:
        names = Counter(each.name for each in operations)
        return [
            f"{name} is one operation, {count} time{'s' * (count > 1)}: what is inside of it is not judged one by one"
            for name, count in names.items()
            if name in LOOPS
        ]


class _Nothing:
    """Zeros to tap by, the same array for all of one kind: nobody reads it."""

    def __init__(self, kinds: Sequence[Any]) -> None:
        self._kinds = kinds
        self._zeros: dict[Any, Any] = {}

    def like(self, place: int) -> Any:
        """Of the shape of what is in that place."""
        kind = self._kinds[place]
        return self._zeros.setdefault((kind.shape, kind.dtype), jnp.zeros(kind.shape, kind.dtype))


def _has_gradient(kind: Any) -> bool:
    return bool(jnp.issubdtype(kind.dtype, jnp.inexact))


def _shown(value: Any) -> Array:
    """An array of NumPy's; of a key what it is made of."""
    keyed = jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(value) if keyed else value)


def name_of(step: Step) -> str:
    """The primitive; of a function with a derivative of its own, that function's name."""
    inner = step.params.get("call_jaxpr") if step.primitive.name in RULES else None
    return inner.jaxpr.debug_info.func_name if inner is not None else step.primitive.name


def why_no_rule(step: Step) -> str:
    """Why an operation is not judged by a hand rule."""
    if step.primitive.name in RULES:
        return ""
    return "there is no hand rule for it as it is used here"


def form_of(step: Step, kinds: Sequence[Any]) -> Form:
    """What an operation does forward, in the dtype that it is given, without derivatives of its own that it holds."""
    own = step.primitive.name in RULES
    if own:
        inner = Program(step.params["call_jaxpr"], inlining=CALLS + RULES)

    def function(*operands: Any) -> Any:
        given = [_keyed(operand, kind) for operand, kind in zip(operands, kinds, strict=True)]
        dtype = next(str(operand.dtype) for operand in given if is_real(operand))
        results = inner.run(given, dtype) if own else in_dtype(step, dtype).run(given)
        return results[0] if len(results) == 1 else tuple(results)

    return Form(kind="its own forward" if own or _holds_rules(step.params) else "rounding only", function=function)


def _keyed(operand: Any, kind: Any) -> Any:
    """A key from what it is made of; anything else as it is."""
    if jnp.issubdtype(kind.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(operand, impl=jax.random.key_impl(jnp.zeros((), kind.dtype)))
    return operand


def _holds_rules(params: Mapping[str, Any]) -> bool:
    """Whether a function with a derivative of its own is called inside."""
    inner = [each for value in params.values() for each in (value if isinstance(value, tuple) else (value,))]
    jaxprs = [getattr(each, "jaxpr", each) for each in inner if hasattr(each, "eqns") or hasattr(each, "jaxpr")]
    equations = [equation for jaxpr in jaxprs for equation in getattr(jaxpr, "eqns", ())]
    return any(equation.primitive.name in RULES or _holds_rules(equation.params) for equation in equations)


def _at(step: Step) -> str:
    place = place_of(step.sources)
    return f" ({place[0]}:{place[1]})" if place else ""
