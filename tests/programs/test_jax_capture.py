"""JAX programs as they are: every operation found, with its place, and right; what is planted, and only that, wrong."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from impls.captured import CannotCaptureError
from tests.helpers.captured import operations_at_once, rows_of, tapped_by, wrong_in
from tests.helpers.deferred import Deferred

jax, jnp, lax, capturing = map(Deferred, ("jax", "jax.numpy", "jax.lax", "impls.jax_grad.capture"))


def capture(program, arguments, loss=None):
    return capturing.capture(program, arguments, loss, 0)


def block(p, x):
    with jax.named_scope("attention"):
        h = (x - x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * p["g"] + p["b"]
        q, k, v = jnp.split(h @ p["qkv"], 3, axis=-1)
        scores = jnp.einsum("btd,bsd->bts", q, k) / np.sqrt(q.shape[-1])
        seen = jnp.tril(jnp.ones((x.shape[1],) * 2, bool))
        x = x + jax.nn.softmax(jnp.where(seen, scores, -1e9)) @ v
    with jax.named_scope("mlp"):
        return x + jax.checkpoint(lambda x: jax.nn.gelu(x @ p["up"]))(x) @ p["down"]


def loss(p, tokens, targets):
    x = block(p["block"], p["embedding"][tokens])
    rows = jax.nn.log_softmax(jax.nn.relu(x) @ p["out"])
    return -jnp.take_along_axis(rows, targets[..., None], -1).mean()


def given(seed, width=4, words=5):
    rng = np.random.default_rng(seed)

    def real(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    inner = {"g": real(width), "b": real(width), "qkv": real(width, 3 * width)}
    inner |= {"up": real(width, 2 * width), "down": real(2 * width, width)}
    tokens = jnp.asarray([[0, 2, 2], [1, 2, 0]])
    return {"embedding": real(words, width), "out": real(width, words), "block": inner}, tokens, (tokens + 1) % words


@pytest.fixture(scope="module")
def transformer():
    return capture(loss, given(0))


def test_every_operation_of_a_transformer_is_right_and_has_module_place_and_leaves(transformer):
    assert all(operation.rule for operation in transformer.operations)
    assert {o.number: wrong_in(o) for o in transformer.operations if wrong_in(o)} == {}
    assert {o.module for o in transformer.operations} == {"", "attention", "mlp"}
    lines = Path(__file__).read_text().splitlines()
    gelu = next(o for o in transformer.operations if o.name == "tanh")
    assert gelu.place[0] == __file__
    assert "jax.nn.gelu" in lines[gelu.place[1] - 1]  # inside of jit inside of checkpoint
    gather = transformer.operations[0]
    assert (gather.name, gather.sources[0]) == ("gather", "arguments[0].embedding")  # tokens repeat
    assert transformer.weights == [f"arguments[0].{n}" for n in (
        "block.b", "block.down", "block.g", "block.qkv", "block.up", "embedding", "out"
    )]  # fmt: skip
    assert transformer.loss == pytest.approx(float(jax.jit(loss)(*given(0))), rel=1e-5)
    assert "compiled as a whole by jax.jit" in transformer.notes[-1]


def test_gradients_with_taps_are_those_without_bit_by_bit():
    p, tokens, targets = given(1)
    tapped = tapped_by(loss, [p, tokens, targets])
    arrays = jax.tree.leaves([p, tokens, targets])
    places = dict(zip(tapped.program.inputs, arrays, strict=True))

    def plain(leaves):
        return tapped.run(places | leaves, {}, {})[0]

    without = jax.grad(plain)({place: places[place] for place in tapped.leaves})
    observed = tapped.observed(arrays)
    assert len(observed.at_uses) > 60
    for place, gradient in observed.of_leaves.items():
        np.testing.assert_array_equal(gradient, without[place])
    for gradient, other in zip(jax.tree.leaves(jax.grad(loss)(p, tokens, targets)), without.values(), strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-4, atol=1e-6)  # whose inner functions are compiled


def test_gradients_add_up_where_a_tensor_has_several_readers(transformer):
    leaves = {m.name: m for m in transformer.meetings if m.of is None}
    assert set(leaves) == set(transformer.weights)
    several = [m for m in transformer.meetings if len(m.parts) > 1]
    assert {len(m.parts) for m in several} >= {2, 3}
    for meeting in transformer.meetings:
        np.testing.assert_allclose(sum(meeting.parts), meeting.total, rtol=1e-5, atol=1e-6)
    of_residual = {transformer.operations[m.of - 1].name for m in several}
    assert {"add", "split"} & of_residual


def planted():
    """Two functions with derivatives of their own: 2 x^2 for 3 x^2, and cos x for cos x / 2."""

    def cube(x):
        return x**3

    def halved(x):
        return jnp.sin(x) / 2

    by_vjp, by_jvp = jax.custom_vjp(cube), jax.custom_jvp(halved)
    by_vjp.defvjp(lambda x: (x**3, x), lambda x, g: (2 * x**2 * g,))
    by_jvp.defjvp(lambda p, t: (by_jvp(*p), jnp.cos(p[0]) * t[0]))
    return by_vjp, by_jvp


def test_own_derivatives_are_kept_whole_and_only_what_is_planted_is_wrong():
    cube, halved = planted()

    def program(x):
        return (halved(jax.jit(cube)(jnp.tanh(x))) * x).sum()

    x = jnp.asarray([0.3, -0.7, 1.1])
    found = operations_at_once({"it": (program, [x])})["it"]
    own = {operation.name: operation for operation in found if operation.form().kind == "its own forward"}
    assert list(own) == ["cube", "halved"]
    assert [wrong_in(operation) for operation in found if operation.rule] == [[]] * 3  # tanh, mul, reduce_sum
    for operation in own.values():
        rule = {"cube": "by_vjp.defvjp(", "halved": "by_jvp.defjvp("}[operation.name]
        assert rule in Path(__file__).read_text().splitlines()[operation.place[1] - 1]
        _, pull = jax.vjp(operation.form().function, *operation.operands)
        right, sent = pull(operation.upstream[0])[0], operation.gradients[0]
        np.testing.assert_allclose(sent, right * {"cube": 2 / 3, "halved": 2}[operation.name], rtol=1e-5)


def test_a_tensor_read_twice_and_constants_and_unused_outputs_are_told_apart():
    def program(x, n, unused):
        first, _ = jnp.split(x * x, 2)
        return (first * n + lax.stop_gradient(x[:2])).sum()

    found = capture(program, (jnp.arange(1.0, 5.0), jnp.asarray(3), jnp.ones(2)))
    product, parted = found.operations[:2]
    assert product.sources == ["arguments[0]", "arguments[0]"]
    assert [m.name for m in found.meetings] == ["arguments[0]"]  # neither whole numbers nor what nobody reads
    assert parted.upstream[1] is None
    assert rows_of(product)["dp"].verdict == "ok"
    assert found.passing == 3  # the number as a real one, the slice and its copy without a gradient
    assert not jax.config.jax_enable_x64


def test_float64_and_modules_that_are_pytrees():
    @jax.tree_util.register_pytree_with_keys_class
    class Affine:
        def __init__(self, W, act):
            self.W, self.act = W, act

        def tree_flatten_with_keys(self):
            return [(jax.tree_util.GetAttrKey("W"), self.W)], self.act

        @classmethod
        def tree_unflatten(cls, act, leaves):
            return cls(*leaves, act)

        def __call__(self, x):
            return self.act(x @ self.W)

    with jax.enable_x64(True):
        model = Affine(jnp.ones((2, 2)), jnp.tanh)
        assert capturing.brings_program(model, [np.ones(2)])
        found = capture(model, (np.ones((1, 2)),), lambda y: (y**2).mean())
    assert (found.dtype, found.weights) == ("float64", ["arguments[0]", "program.W"])
    assert [wrong_in(operation) for operation in found.operations] == [[]] * len(found.operations)


@pytest.mark.parametrize("named", [lambda x: {"loss": x, "logits": 0}, lambda x: SimpleNamespace(loss=x)])
def test_the_loss_among_what_a_program_returns_is_read(named):
    found = capture(lambda x: named((x * x).sum()), [np.ones(3, np.float32)])
    assert (found.loss, [operation.name for operation in found.operations]) == (3.0, ["mul", "reduce_sum"])


@pytest.mark.parametrize(
    ("program", "arguments", "why"),
    [
        (lambda n: n * 2.0, [np.asarray(3)], "because no array of real numbers is among its arguments"),
        (lambda x: x * 2, [np.ones(3)], "because what the program returns is an array of shape (3,)"),
        (lambda x: {"loss": x}, [np.ones(3)], "because what the program returns is an array of shape (3,)"),
        (lambda x: (x.sum(), x), [np.ones(3)], "because what the program returns is a tuple"),
        (lambda x: (x > 0).sum(), [np.ones(3)], "because what the program returns is a number of dtype int32"),
        (lambda x: lax.stop_gradient(x).sum(), [np.ones(3)], "because its loss depends on none of the arrays"),
        (lambda x: jnp.abs(jnp.fft.fft(x)).sum(), [np.ones(4)], "because convert_element_type (" + __file__),
        (lambda x: x.sum() if x.sum() > 0 else -x.sum(), [np.ones(3)], "because the numbers in its arrays decide"),
        (lambda x: np.sin(x).sum(), [np.ones(3)], "because the numbers in its arrays decide"),
    ],
    ids=[
        "whole numbers",
        "no number",
        "no loss",
        "several",
        "a count",
        "no gradient",
        "complex numbers",
        "a branch",
        "numpy",
    ],
)
def test_what_cannot_be_captured_is_said_with_what_to_give_instead(program, arguments, why):
    with pytest.raises(CannotCaptureError) as raised:
        capture(program, arguments)
    assert str(raised.value).startswith(why)
    assert "; give " in str(raised.value)
