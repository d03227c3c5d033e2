"""JAX's primitives by the hand rules that they are: forward and backward within their allowance, twice of it not."""

import numpy as np
import pytest

from harness.evaluation.references.captured import RuleReference
from tests.helpers.captured import operations_at_once, wrong_in
from tests.helpers.deferred import Deferred

jax, jnp, lax, table = map(Deferred, ("jax", "jax.numpy", "jax.lax", "impls.jax_grad.lax"))

rng = np.random.default_rng(5)


def real(*shape):
    return rng.normal(size=shape)


def positive(*shape):
    return rng.uniform(0.2, 3, shape)


def i(*numbers):
    return jnp.asarray(numbers, jnp.int32)


def of(name):
    """A function of jax.lax, looked up when it is called."""
    return lambda *x: getattr(lax, name)(*x)


ONE = {
    **dict.fromkeys(["exp", "expm1", "tanh", "logistic", "sin", "cos", "erf", "abs", "neg", "square"], real),
    **dict.fromkeys(["log", "log1p", "sqrt", "rsqrt"], positive),
}
EXAMPLES = {
    **{name: (of(name), draw(3, 2)) for name, draw in ONE.items()},
    **{name: (of(name), real(2, 3), real(2, 3)) for name in ("add", "sub", "mul", "div", "max", "min")},
    "integer_pow": (lambda x: lax.integer_pow(x, -5), positive(4)),
    "pow": (lambda x: x**2.5, positive(4)),
    "pow of two": (of("pow"), positive(4), real(4)),
    "clamp": (of("clamp"), real(2, 3) - 1, 2 * real(2, 3), real(2, 3) + 1),
    "select_n": (lambda x, y: lax.select(x > y, x, y), real(5), real(5)),
    "dot_general": (lambda x, y: lax.dot_general(x, y, (((2,), (0,)), ((0,), (2,)))), real(2, 3, 4), real(4, 3, 2)),
    "outer": (lambda x, y: lax.dot_general(x, y, (((), ()), ((), ()))), real(2), real(3)),
    "conv_general_dilated": (
        lambda x, w: lax.conv_general_dilated(
            x, w, (2, 1), [(0, 1), (2, -1)], rhs_dilation=(1, 2), dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=2,
        ),
        real(2, 5, 4, 4), real(3, 2, 2, 2),
    ),
    "transposed convolution of sequences": (
        lambda x, w: lax.conv_transpose(x, w, (2,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")),
        real(2, 4, 2), real(3, 2, 3),
    ),
    "reduce_sum": (lambda x: x.sum(axis=(0, 2)), real(2, 3, 4)),
    "reduce_max": (lambda x: x.max(axis=1), real(2, 3)),
    "reduce_min": (lambda x: x.min(), real(2, 3)),
    "cumsum": (lambda x: lax.cumsum(x, axis=1, reverse=True), real(2, 4)),
    "reduce_window_sum": (
        lambda x: lax.reduce_window(x, 0.0, lax.add, (2, 2), (2, 1), ((1, 0), (0, 2)), (1, 2), (2, 1)), real(5, 3),
    ),
    "reduce_window_max": (lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (3, 2), (2, 1), "SAME"), real(5, 4)),
    "broadcast_in_dim": (lambda x: lax.broadcast_in_dim(x, (2, 3, 4), (0, 2)), real(2, 1)),
    "reshape": (lambda x: x.reshape(3, 2), real(2, 3)),
    "transpose": (lambda x: x.transpose(2, 0, 1), real(2, 3, 4)),
    "squeeze": (lambda x: lax.squeeze(x, (1,)), real(2, 1)),
    "rev": (lambda x: lax.rev(x, (0, 1)), real(2, 3)),
    "slice": (lambda x: lax.slice(x, (1, 0), (5, 2), (2, 1)), real(5, 2)),
    "dynamic_slice": (lambda x: lax.dynamic_slice(x, i(3, 0), (2, 2)), real(4, 3)),
    "dynamic_update_slice": (lambda x, v: lax.dynamic_update_slice(x, v, i(9, 1)), real(4, 3), real(2, 2)),
    "gather": (lambda x: x[i(2, 0, 2), :, i(1, 1, 1)], real(3, 4, 2)),
    "gather of each row": (lambda x: jnp.take_along_axis(x, i([0], [2], [2]), axis=1), real(3, 4)),
    "scatter-add": (lambda x, v: x.at[:, i(2, 0, 2)].add(v), real(2, 3), real(2, 3)),
    "scatter": (lambda x, v: x.at[i(2, 0)].set(v), real(4, 3), real(2, 3)),
    "concatenate": (lambda x, y: lax.concatenate([x, y, x], 1), real(2, 3), real(2, 1)),
    "stack": (lambda x, y: jnp.stack([x, y, x], 1), real(2, 3), real(2, 3)),
    "split": (lambda x: lax.split(x, (1, 3), 1)[1], real(2, 4)),
    "pad": (lambda x, v: lax.pad(x, v, ((1, -1, 2), (0, 2, 0))), real(3, 2), real()),
    "sort": (lambda x: lax.sort(x, dimension=0), real(4, 2)),
    "top_k": (lambda x: lax.top_k(x, 2)[0], real(2, 4)),
    "copy": (lambda x: jnp.copy(x), real(2, 3)),
    "convert_element_type": (lambda x: lax.convert_element_type(lax.add(x, 1.0), x.dtype), real(3)),
    "relu": (lambda x: jax.nn.relu(x), real(5)),
    "relu6": (lambda x: jax.nn.relu6(x), 5 * real(5)),
    "softplus": (lambda x: jax.nn.softplus(x), 5 * real(5)),
}  # fmt: skip


def other_relu(x):
    """Another function of that name, with a derivative of its own."""

    def relu(x):
        return jnp.maximum(x, 0.1 * x)

    own = jax.custom_jvp(relu)
    own.defjvp(lambda p, t: (own(*p), t[0] * jnp.where(p[0] > 0, 1.0, 0.1)))
    return own(x)


WITHOUT = {
    "taken from outside": (lambda x: jnp.take(x, i(1, 7), axis=0, mode="fill", fill_value=2.0), real(3)),
    "put outside": (lambda x: x.at[i(1, 7)].add(1.0), real(3)),
    "rounded": (lambda x: lax.reduce_precision(x, 5, 10), real(3)),
    "no rule": (of("cbrt"), real(3)),
    "own, of the same name": (other_relu, real(4)),
}


def to_a_number(function):
    """The sum of its outputs times numbers that have every bit, so that upstreams have."""

    def number(*arrays):
        outputs = jax.tree.leaves(function(*arrays))
        return sum(jnp.vdot(y, jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)) for y in outputs)

    return number


@pytest.fixture(scope="module")
def operations():
    """Of every example and what has no rule: in turn in one of both dtypes."""
    every, found = {**EXAMPLES, **WITHOUT}, {}
    for k, dtype in enumerate(("float32", "float64")):
        with jax.enable_x64(dtype == "float64"):
            programs = {
                name: (to_a_number(every[name][0]), [jnp.asarray(array, dtype) for array in every[name][1:]])
                for name in list(every)[k::2]
            }
            found |= operations_at_once(programs)
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_primitive_is_its_hand_rule_and_twice_its_gradients_are_not(name, operations):
    assert [operation.name for operation in operations[name] if not operation.rule] == []
    for operation in operations[name]:
        assert wrong_in(operation) == [], operation.name
        numbers = RuleReference(operation).numbers.items()
        sent = {name: operation.gradients[number] for name, number in numbers}
        asked = [f"d{name}" for name, gradient in sent.items() if gradient is not None and gradient.any()]
        assert set(asked) <= set(wrong_in(operation, 2.0)), operation.name


def test_forty_primitives_have_a_hand_rule_and_the_examples_are_of_all():
    assert len(table.RULES) >= 40
    others = {"add_any", "copy_p", "device_put", "sharding_constraint", "expand_dims", "custom_jvp_call"}
    assert set(table.RULES) - set(EXAMPLES) - others == {"reduce_precision"}


@pytest.mark.parametrize("name", WITHOUT)
def test_where_there_is_no_rule_it_is_said_why_and_there_is_another_form(name, operations):
    operation = operations[name][0]
    kind = "its own forward" if "own" in name else "rounding only"
    assert (operation.rule, operation.form().kind) == (None, kind)
    assert ("no hand rule" in operation.why_not) == (kind == "rounding only")
    with jax.enable_x64(True):
        wide = operation.form().function(
            *(np.asarray(o, "float64" if o.dtype.kind == "f" else o.dtype) for o in operation.operands)
        )
    assert wide.dtype == "float64"
    np.testing.assert_allclose(wide, operation.outputs[0], rtol=1e-3)
