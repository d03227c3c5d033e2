"""A learner's chain in JAX: what JAX can trace is judged by the same mechanism, in whatever manner it is written."""

import numpy as np
import pytest

import harness
from tests.chains.mistakes import MISTAKES, with_mistake
from tests.chains.small import DTYPES, NAMES, SMALL
from tests.helpers.deferred import Deferred

jax, jnp, torch = Deferred("jax"), Deferred("jax.numpy"), Deferred("torch")
ninja_jax = Deferred("docs.examples.character_model_jax")


@pytest.fixture(autouse=True)
def _loaded():
    assert jnp.ones(1).sum() == 1


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_26_right_gradients_pass(dtype):
    inputs = ninja_jax.parameters(**SMALL, dtype=dtype)
    check = harness.check_chain(ninja_jax.forward, ninja_jax.backward, inputs=inputs)
    assert (check.verdict, check.package, check.dtype) == ("PASS", "jax", dtype), check
    assert {row.gradient for row in check.rows} == {f"d{name}" for name in NAMES}
    assert {row.gradient for row in check.rows if row.reason} == {"dlogit_maxes", "db1"}, "which are 0 but for rounding"
    assert max(row.used for row in check.rows) < 0.2
    assert not check.unseen


@pytest.mark.parametrize(
    "name", ["sign lost", "broadcast not summed", "second use forgotten, of bndiff", "n for n - 1",
             "transposed operand", "wrong operand", "derivative left out"],
)  # fmt: skip
def test_a_mistake_is_found_where_it_is_and_named(name):
    mistake = MISTAKES[name]
    inputs = ninja_jax.parameters(**SMALL, dtype="float64")
    check = harness.check_chain(ninja_jax.forward, with_mistake(mistake, ninja_jax), inputs=inputs)
    assert tuple(check.wrong) == mistake.wrong
    assert check.causes[0].cause == mistake.cause, check


def test_repeated_indices_that_are_set_and_not_added():
    def backward(p, t):
        found = ninja_jax.backward(p, t)
        return {**found, "dC": jnp.zeros_like(p["C"]).at[p["Xb"]].set(found["demb"])}

    check = harness.check_chain(ninja_jax.forward, backward, inputs=ninja_jax.parameters(**SMALL))
    assert (check.wrong, check.causes[0].cause) == (["dC"], "repeated index overwritten")


def small(forward, backward, **inputs):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(5, 3)).astype("float32"), rng.normal(size=(3, 3)).astype("float32")
    return harness.check_chain(forward, backward, inputs={"x": x, "w": w} | inputs)


def layer(p):
    z = p["x"] @ p["w"]
    h = jnp.tanh(z)
    loss = (h**2).sum()
    return locals()


def of_layer(p, t):
    dloss = 1.0
    dh = 2 * t["h"]
    dz = dh * (1 - t["h"] ** 2)
    dw = p["x"].T @ dz
    dx = dz @ p["w"].T
    return locals()


def compiled(p):
    return jax.jit(layer)(p)


def nested(p):
    W1 = p["layers"][0]["W"]
    z = p["x"] @ W1
    hs = [z, jnp.sin(z)]
    h = hs[-1]
    loss = (h**2).mean()
    return locals()


def of_nested(p, t):
    dh = 2 * t["hs"][1] / 15
    dz = dh * jnp.cos(t["hs"][0])
    dW1 = p["x"].T @ dz
    return locals()


def dropped(p):
    z = p["x"] @ p["w"]
    h = jnp.where(jax.random.bernoulli(p["key"], 0.5, z.shape), 2 * z, 0.0)
    loss = (h**2).sum()
    return {"z": z, "h": h, "loss": loss}


def of_dropped(p, t):
    dh = 2 * t["h"]
    dz = jnp.where(t["h"] == 0, 0.0, 2 * dh)
    return {"dh": dh, "dz": dz, "dw": p["x"].T @ dz}


def straight_through():
    @jax.custom_vjp
    def rounded(z):
        return jnp.round(z)

    rounded.defvjp(lambda z: (jnp.round(z), None), lambda _, dq: (dq,))

    def forward(p):
        z = p["x"] @ p["w"]
        q = rounded(z)
        loss = (q**2).sum()
        return locals()

    return forward


def of_straight_through(p, t):
    dq = 2 * t["q"]
    dz = dq
    dw = p["x"].T @ dz
    return locals()


def recurrent(p):
    def cell(h, x):
        h = jnp.tanh(x + h @ p["w"])
        return h, h

    hs = jax.lax.scan(cell, jnp.zeros(3), p["x"])[1]
    loss = (hs**2).sum()
    return {"hs": hs, "loss": loss}


def of_recurrent(p, t):
    hs, dh, dw, dx = t["hs"], jnp.zeros(3), jnp.zeros((3, 3)), []
    for n in reversed(range(5)):
        dz = (dh + 2 * hs[n]) * (1 - hs[n] ** 2)
        before = hs[n - 1] if n else jnp.zeros(3)
        dx.insert(0, dz)
        dw, dh = dw + jnp.outer(before, dz), dz @ p["w"].T
    return {"dhs": 2 * hs, "dw": dw, "dx": jnp.stack(dx)}


def several_transformations(p):
    z = jax.checkpoint(lambda a, b: jnp.sin(a @ b))(p["x"], p["w"])
    y = jax.vmap(lambda row: row * row.sum())(z)
    logprobs = jax.nn.log_softmax(y)
    loss = -logprobs[jnp.arange(5), p["targets"]].mean()
    return locals()


def of_several(p, t):
    z, dlogprobs = t["z"], jnp.zeros((5, 3)).at[jnp.arange(5), p["targets"]].set(-1 / 5)
    dy = dlogprobs - jnp.exp(t["logprobs"]) * dlogprobs.sum(1, keepdims=True)
    dz = dy * z.sum(1, keepdims=True) + (dy * z).sum(1, keepdims=True)
    dw = p["x"].T @ (dz * jnp.cos(p["x"] @ p["w"]))
    return locals()


def chosen(p):
    z = p["x"] @ p["w"]
    y = jax.lax.cond(p["squared"], lambda z: z * z, jnp.exp, z)
    loss = y.sum()
    return locals()


def of_chosen(p, t):
    return {"dy": jnp.ones((5, 3)), "dz": jnp.exp(t["z"])}


SQUARE = np.random.default_rng(1).normal(size=(3, 3)).astype("float32")
PROGRAMS = {
    "plain": (lambda: layer, of_layer, dict),
    "compiled": (lambda: compiled, of_layer, dict),
    "parameters nested, intermediates in a list": (lambda: nested, of_nested, lambda: {"layers": [{"W": SQUARE}]}),
    "dropout": (lambda: dropped, of_dropped, lambda: {"key": jax.random.key(1)}),
    "straight-through estimator": (straight_through, of_straight_through, dict),
    "recurrent": (lambda: recurrent, of_recurrent, dict),
    "remat, vmap, log_softmax": (
        lambda: several_transformations, of_several, lambda: {"targets": np.array([0, 1, 2, 1, 0])},
    ),
    "cond": (lambda: chosen, of_chosen, lambda: {"squared": np.array(False)}),
}  # fmt: skip


@pytest.mark.parametrize(("forward", "backward", "more"), PROGRAMS.values(), ids=PROGRAMS)
def test_right_programs_pass_and_each_gradient_off_by_a_thousandth_is_found(forward, backward, more):
    made, inputs = forward(), more()
    check = small(made, backward, **inputs)
    assert check.verdict == "PASS", check
    wrong = check.rows[-1].gradient

    def off(p, t):
        found = backward(p, t)
        return {**found, wrong: found[wrong] * 1.001}

    assert small(made, off, **inputs).wrong == [wrong]


def test_gradients_in_arrays_of_numpy_and_torch_and_in_lists():
    right = {}

    def kept(p, t):
        right.update({name: np.array(value) for name, value in of_layer(p, t).items() if name in ("dh", "dz", "dw")})
        return right

    assert small(layer, kept).verdict == "PASS"
    mixed = {"dh": torch.tensor(right["dh"]), "dz": right["dz"].tolist(), "dw": jnp.asarray(right["dw"])}
    assert small(layer, lambda p, t: mixed).verdict == "PASS"
    wrong = small(layer, lambda p, t: {**mixed, "dz": "dz", "dx": object()}).wrong
    assert set(wrong) == {"dz", "dx"}


def rectified(p):
    z = p["x"] @ p["w"]
    h = jax.nn.relu(z)
    loss = (h * jnp.arange(15.0).reshape(5, 3)).sum()
    return locals()


@pytest.mark.parametrize(("at_zero", "verdict"), [(0.0, "ok"), (1.0, "convention"), (2.0, "FAULT")])
def test_at_a_kink_every_subgradient_is_valid_and_nothing_else(at_zero, verdict):
    def backward(p, t):
        dh = jnp.arange(15.0).reshape(5, 3)
        return {"dh": dh, "dz": dh * jnp.where(t["z"] == 0, at_zero, (t["z"] > 0) * 1.0)}

    check = small(rectified, backward, w=SQUARE * np.float32([1, 0, 1]))
    assert {row.gradient: row.verdict for row in check.rows} == {"dh": "ok", "dz": verdict}


def test_the_float64_mode_of_whoever_asks_stays_as_it_is():
    small(layer, of_layer)
    harness.check_chain(layer, of_layer, inputs={"x": np.ones((2, 3)), "w": np.ones((3, 3))})
    assert jnp.ones(3).dtype == "float32"


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda p: {"loss": p["x"].sum() if p["x"].sum() > 0 else -p["x"].sum()}, "which JAX cannot trace; stay"),
        (lambda p: {"loss": jnp.asarray(np.tanh(p["x"])).sum()}, "which JAX cannot trace; stay"),
        (lambda p: {"loss": jnp.ones(())}, "not computed from any input of reals"),
        (lambda p: {"loss": p["x"].sum().astype(jnp.float8_e5m2)}, "loss is float8_e5m2"),
        (lambda p: {"loss": jax.lax.while_loop(lambda s: s < 9, lambda s: 2 * s, jnp.abs(p["x"]).sum())}, "Reverse"),
    ],
)
def test_wrong_use_is_told(forward, message):
    with pytest.raises(harness.UsageError, match=message):
        small(forward, lambda p, t: {"dx": p["x"]}, x=jnp.asarray(SQUARE))


def test_finished_arrays_have_no_graph():
    with pytest.raises(harness.UsageError, match="JAX keeps no graph, so give forward and inputs"):
        harness.check_chain(tensors={"loss": jnp.ones(())}, gradients={})
