"""JAX programs tapped from outside: traced once, then run and differentiated equation by equation.

    traced      a list of equations; `jit` and `checkpoint` are entered, `scan` and `cond` turn by turn (see
                `impls.jax_grad.loops`); functions with a derivative of their own are one operation each
    run         un-jitted, each equation by its own primitive, so that what is tapped is not fused away
    backward    by taps, see `impls.jax_grad.tapped`

Compiled as a whole XLA may fuse and reorder: how far that is from what was tapped is noted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun

from impls.captured import WHOLE, CannotCaptureError, Capture, Meeting, Operation, Window
from impls.contract import Array
from impls.jax_grad.devices import on_device, unknown_platform
from impls.jax_grad.forms import form_of, name_of
from impls.jax_grad.lax import Arguments, rule_of
from impls.jax_grad.leaves import Leaves, is_real
from impls.jax_grad.loops import ENTERED, MOST_ENTERED
from impls.jax_grad.programs import RULES, Program, compiled
from impls.jax_grad.tapped import Observed, Tapped
from impls.jax_grad.written import module_of, place_of, place_of_rule

NUMBERS_DECIDE = (
    jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)  # fmt: skip
"""What JAX raises where Python asks for a number that is traced."""


def brings_program(program: Any, arguments: Sequence[Any]) -> bool:
    """Whether a program holds JAX arrays or is given some, or is a function that JAX has wrapped."""
    wrapped = isinstance(program, jax.custom_vjp | jax.custom_jvp | jax.stages.Wrapped)
    return wrapped or any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves((program, list(arguments))))


def capture(
    program: Callable[..., Any],
    arguments: Sequence[Any],
    loss: Callable[[Any], Any] | None,
    seed: int,
    *,
    at_once: bool = False,
    window: Window = WHOLE,
) -> Capture:
    """Run a JAX program forward and backward once; see `impls.captured.Captures`.

    Args:
        program: a function of pytrees, or a module that is a pytree and callable.
        arguments: pytrees of arrays; those of real numbers have a gradient.
        loss: from what the program returns to one number; None where it returns that itself.
        seed: of NumPy's own numbers, if the program draws any while it is traced; JAX's have a key.
        window: the modules whose operations are kept, and the room for them.
        at_once: whether all equations are compiled in one program, each in a kernel of its own, which is quick.

    Raises:
        CannotCaptureError: no array of real numbers, no single number, none that depends on them, complex numbers, or
            a program that JAX cannot trace.
        Exception: whatever the program raises.
    """
    leaves = Leaves.of(program, arguments)
    traced = traced_by(leaves, loss, seed)
    arrays = list(leaves.arrays.values())
    tapped = Tapped(Program(traced, entering=ENTERED, given=arrays), list(leaves.arrays), window)
    tapped.needed().refuse(window)
    run = compiled(tapped.observed, apart=True) if at_once else tapped.observed
    ran = run(arrays)
    device = next(iter(ran.loss.devices()))
    if unknown := unknown_platform(device):
        raise CannotCaptureError(f"because it computes on {unknown}, and there are bounds for cpu and cuda alone")
    observed = jax.tree.map(shown, ran)
    operations = list(operations_of(tapped, observed))
    elsewhere = [
        module_of(tapped.program.steps[number].sources) for number in tapped.passing if number not in tapped.kept
    ]
    kinds = Counter(str(output.dtype) for operation in operations for output in operation.outputs)
    return Capture(
        version=f"jax {jax.__version__}" + ("" if device.platform == "cpu" else f" on {device}"),
        dtype=kinds.most_common(1)[0][0] if kinds else str(observed.loss.dtype),
        loss=float(observed.loss), operations=operations, meetings=list(meetings_of(tapped, observed)),
        modules=len({*(operation.module for operation in operations), *elsewhere} - {""}),
        weights=list(tapped.leaves.values()), passing=len(tapped.program.steps) - len(tapped.passing),
        elsewhere=elsewhere, arithmetic=partial(on_device, device=device, at_once=at_once),
        notes=[*_loops(operations), *([] if at_once else _as_a_whole(traced, arrays, tapped, observed))],
    )  # fmt: skip


def traced_by(leaves: Leaves, loss: Callable[[Any], Any] | None, seed: int) -> Any:
    """The jaxpr of the loss as a function of the arrays."""
    if not leaves.reals:
        raise CannotCaptureError(
            "because no array of real numbers is among its arguments, so that there is no gradient; give weights and "
            "inputs as JAX arrays, in any pytree, instead of closing over them"
        )

    def number(*arrays: Any) -> Any:
        answer = leaves.answer(arrays)
        return _loss_in(answer) if loss is None else loss(answer)

    drawn = np.random.get_state()  # noqa: NPY002  (whatever the program draws by)
    np.random.seed(seed)  # noqa: NPY002
    try:
        traced, kind = jax.make_jaxpr(number, return_shape=True)(*leaves.arrays.values())
    except NUMBERS_DECIDE as error:
        raise CannotCaptureError(
            f"because the numbers in its arrays decide what it does ({type(error).__name__}), and JAX traces it "
            f"without them; give a program that jax.jit takes, with jnp.where or jax.lax.cond in place of if"
        ) from None
    finally:
        np.random.set_state(drawn)  # noqa: NPY002
    what, told = "what the program returns" if loss is None else "the loss", _no_number(kind)
    if told:
        raise CannotCaptureError(
            f"because {what} is {told}, and no single real number; give loss=, a function of what the program returns "
            f"that gives one number"
        )
    return traced


def _loss_in(answer: Any) -> Any:
    """The loss among what a program returns: that itself, or what it calls so."""
    named = answer.get("loss", answer) if isinstance(answer, Mapping) else answer
    return getattr(named, "loss", named)


def _no_number(kind: Any) -> str:
    """What something is that is no real number."""
    if not hasattr(kind, "shape"):
        return f"a {type(kind).__name__}"
    if kind.shape:
        return f"an array of shape {tuple(kind.shape)}"
    return "" if is_real(kind) else f"a number of dtype {kind.dtype}"


def operations_of(tapped: Tapped, observed: Observed) -> Iterator[Operation]:
    """The steps through which a gradient passes, each with what it read, gave, was sent and sent back."""
    steps, kinds, givers = tapped.program.steps, tapped.program.kinds, _givers(tapped)
    known = {place: np.asarray(value) for place, value in tapped.program.constants.items()} | observed.made
    for n, number in enumerate(tapped.passing, 1):
        if number not in tapped.kept:
            continue
        step = steps[number]
        operands, outputs = [known[place] for place in step.read], [known[place] for place in step.made]
        gradients = [observed.at_uses.get((number, operand)) for operand in range(len(operands))]
        asked = [gradient is not None for gradient in gradients]
        rule = rule_of(step.primitive.name, Arguments(step.params, operands, outputs, asked))
        own = step.primitive.name in RULES
        yield Operation(
            number=n, name=name_of(step), module=module_of(step.sources),
            place=place_of_rule(step.params) or place_of(step.sources),
            operands=operands, outputs=outputs, upstream=[observed.at_places.get(place) for place in step.made],
            gradients=gradients, sources=[givers.get(place, tapped.leaves.get(place)) for place in step.read],
            rule=rule, form=partial(form_of, step, [kinds[place] for place in step.read]),
            why_not="" if rule or own else "there is no hand rule for it as it is used here",
        )  # fmt: skip


def meetings_of(tapped: Tapped, observed: Observed) -> Iterator[Meeting]:
    """Tensors with several readers, in the order of the forward pass, and every leaf that is read."""
    givers, parts = _givers(tapped), dict[int, list[Array]]()
    for use, place in tapped.uses.items():
        if place not in tapped.met:
            continue
        parts.setdefault(place, []).append(observed.at_uses[use])
    for place, name in tapped.leaves.items():
        if place in parts and observed.of_leaves[place].size:
            yield Meeting(name=name, of=None, parts=parts[place], total=observed.of_leaves[place])
    for place, of in givers.items():
        if len(parts.get(place, ())) > 1 and observed.at_places[place].size:
            name = f"what {name_of(tapped.program.steps[tapped.passing[of - 1]])} gives"
            yield Meeting(name=name, of=of, parts=parts[place], total=observed.at_places[place])


def _givers(tapped: Tapped) -> dict[int, int]:
    """By place the number of the operation that gave it, counted from 1."""
    return {place: n for n, number in enumerate(tapped.passing, 1) for place in tapped.program.steps[number].made}


def _loops(operations: Sequence[Operation]) -> Iterator[str]:
    if kept := sum(operation.name == "scan" for operation in operations):
        yield (
            f"scan is one operation, {kept} time{'s' * (kept > 1)}: its turns together have more than {MOST_ENTERED:,} "
            f"equations, and are not judged one by one"
        )


def _as_a_whole(traced: Any, arrays: Sequence[Any], tapped: Tapped, observed: Observed) -> Iterator[str]:
    """How far gradients of the loss compiled as a whole, as users run it, are from those tapped, if all are finite."""
    places = list(tapped.leaves)
    of = [tapped.program.inputs.index(place) for place in places]
    whole = jax.jit(jax.grad(lambda *given: jaxpr_as_fun(traced)(*given)[0], argnums=of))(*arrays)
    pairs = [(np.asarray(a, np.float64), observed.of_leaves[place]) for a, place in zip(whole, places, strict=True)]
    if not all(np.isfinite(each).all() for pair in pairs for each in pair):
        return
    largest = max(_largest(each) for pair in pairs for each in pair)
    share = max(_largest(a - b) for a, b in pairs) / (largest or 1)
    yield (
        f"compiled as a whole by jax.jit, gradients differ from those of its operations one by one, which are judged, "
        f"by at most {share:.1e} of the largest"
    )


def _largest(a: Array) -> float:
    return float(np.max(np.abs(a), initial=0.0))


def shown(value: Any) -> Array:
    """An array of NumPy's; of a key of random numbers what it is made of."""
    keyed = jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(value) if keyed else value)
