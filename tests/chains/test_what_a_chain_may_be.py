"""What a chain may be: a loss by its usual names, a framework that is said, solvers; and what is told otherwise."""

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.cli.answers import _returned
from harness.cli.commands import harness as command
from tests.helpers.deferred import Deferred

torch = Deferred("torch")
jax = Deferred("jax")
jnp = Deferred("jax.numpy")


def given(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape) for name, shape in zip("xWb", shapes, strict=False)}


def affine(p):
    z = p["x"] @ p["W"] + p["b"]
    loss = (z**2).sum()
    return {"z": z, "loss": loss}


@pytest.mark.parametrize(
    ("db", "says"),
    [
        (lambda dz: dz.sum(), "db is summed over axis 0 too"),
        (lambda dz: dz, "db is not summed over axis 0, along which b is broadcast"),
    ],
)
def test_another_shape_has_a_cause(db, says):
    pytest.importorskip("torch")

    def backward(_, t):
        dz = 2 * t["z"].numpy()
        return {"dz": dz, "db": db(dz)}

    found = harness.check_chain(affine, backward, inputs=given((5, 3), (3, 2), (2,)))
    assert (found.verdict, found.wrong) == ("FAIL", ["db"])
    assert says in found.reason


def test_the_same_numbers_in_another_shape_pass_with_a_note_unless_strict():
    pytest.importorskip("torch")

    def backward(_, t):
        dz = 2 * t["z"].numpy()
        return {"dz": dz, "db": dz.sum(0, keepdims=True)}

    found = harness.check_chain(affine, backward, inputs=given((5, 3), (3, 2), (2,)))
    assert (found.verdict, found.wrong) == ("PASS", [])
    assert "note  db has shape (1, 2): read as (2,)" in str(found)
    found = harness.check_chain(affine, backward, inputs=given((5, 3), (3, 2), (2,)), strict=True)
    assert (found.verdict, found.wrong) == ("FAIL", ["db"])
    assert "db has the right numbers in another shape" in found.reason


def test_what_is_told_has_the_names_and_the_lines_of_the_function_that_computes_it(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    (tmp_path / "mine.py").write_text("""def backprop(t):
    dh = 2 * t["h"]
    delta = dh * (1 - t["h"])
    dpre = +delta
    dW = t["x"].T @ dh
    return dh, dpre, dW
""")
    (tmp_path / "adapter.py").write_text("""import mine

def backward(p, t):
    dh, dpre, dW = mine.backprop({**p, **t})
    found = {"dh": dh, "dpre": dpre, "dW": dW}
    return {"dh": found["dh"], "dpre": found["dpre"], "dW": found["dW"]}
""")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    from adapter import backward

    def forward(p):
        pre = p["x"] @ p["W"]
        h = torch.tanh(pre)
        return {"pre": pre, "h": h, "loss": (h**2).sum()}

    found = harness.check_chain(forward, backward, inputs=given((5, 3), (3, 2)))
    assert found.wrong == ["dpre", "dW"]
    assert found.reason.startswith("dpre is wrong (mine.py:4): 1 − h is written for 1 − h²: dh · (1 − h), in dpre")
    assert found.causes[1].says == "dW is made from dh, where dpre belongs"
    assert found.lines["dW"] == ("mine.py", 5)


def test_a_loss_by_another_name_is_taken_and_said():
    pytest.importorskip("torch")

    def forward(p):
        z = p["x"] * 2
        return {"z": z, "cost": (z**2).sum()}

    def check(of, **named):
        return harness.check_chain(of, lambda _, t: {"dz": 2 * t["z"]}, inputs=given((3, 2)), **named)

    found = check(forward)
    assert found.verdict == "PASS"
    assert "note  cost is read as the loss" in str(found)
    two = lambda p: forward(p) | {"error": (p["x"] ** 2).sum()}  # noqa: E731
    with pytest.raises(harness.UsageError, match="Cannot find the loss 'loss' among z, cost, error; call it loss, or"):
        check(two)
    assert check(two, loss="cost").verdict == "PASS"


def test_locals_on_the_command_line_may_have_a_cost(tmp_path):
    (tmp_path / "mine.py").write_text("def both():\n    return {'cost': 1.0, 'dz': 2.0}\n")
    assert _returned(f"{tmp_path / 'mine.py'}:both", None)["tensors"]["cost"] == 1.0


def test_a_loss_that_is_no_number_is_said_with_the_tensor_from_which_on():
    pytest.importorskip("torch")

    def forward(p):
        z = p["x"] - 10
        logs = torch.log(z)
        loss = logs.mean()
        return {"z": z, "logs": logs, "loss": loss}

    def backward(_, t, off=1):
        dlogs = torch.ones_like(t["logs"]) / t["logs"].numel()
        return {"dlogs": dlogs, "dz": off * dlogs / t["z"]}

    found = harness.check_chain(forward, backward, inputs=given((3, 2)))
    assert (found.verdict, found.to_dict()["lost"]) == ("NO POWER", "NaN, from logs on")
    assert "the loss is NaN, from logs on" in str(found).splitlines()[2]
    wrong = harness.check_chain(forward, lambda p, t: backward(p, t, 2), inputs=given((3, 2)))
    assert (wrong.verdict, wrong.wrong) == ("FAIL", ["dz"])
    assert "note  the loss is NaN, from logs on" in str(wrong)


@pytest.mark.parametrize("where", [lambda x: {"x": x}, lambda x: {"x": np.ones((3, 2)), "more": [{"x": x}]}])
def test_masked_inputs_are_refused(where):
    pytest.importorskip("torch")
    masked = np.ma.masked_array(np.ones((3, 2)), mask=np.eye(3, 2))
    with pytest.raises(harness.UsageError, match="Cannot use x, because 2 of its 6 entries are masked"):
        harness.check_chain(lambda p: {"loss": p["x"].sum()}, lambda *_: {}, inputs=where(masked))


def operators(p):
    z = p["x"] @ p["W"]
    return {"z": z, "loss": (z**2).sum()}


def test_a_function_of_no_framework_is_run_in_the_one_that_is_said_or_that_backward_names():
    pytest.importorskip("torch")
    pytest.importorskip("jax")

    def check(backward, **said):
        return harness.check_chain(operators, backward, inputs=given((3, 2), (2, 2)), **said)

    plain = lambda _, t: {"dz": 2 * t["z"]}  # noqa: E731
    module = {}
    exec("import jax.numpy as jnp\ndef in_jax(_, t):\n    return {'dz': jnp.multiply(2, t['z'])}", module)
    assert [check(plain, arrays=name).package for name in ("torch", "jax")] == ["torch", "jax"]
    assert check(module["in_jax"]).package == "jax"
    with pytest.raises(harness.UsageError, match="arrays='numpy', because that is no framework with gradients"):
        check(plain, arrays="numpy")


def test_arrays_are_an_option_of_a_chain(tmp_path):
    pytest.importorskip("jax")
    (tmp_path / "mine.py").write_text(NEUTRAL)
    done = CliRunner().invoke(command, ["check", f"{tmp_path / 'mine.py'}", "--chain", "--arrays", "jax"])
    assert (done.exit_code, "against jax" in done.output) == (0, True), done.output
    assert "next  the same with inputs in float64, as arrays of NumPy or with jax_enable_x64" in done.output


NEUTRAL = """
import jax, torch
import numpy as np

def forward(p):
    z = p["x"] @ p["W"]
    return {"z": z, "loss": (z**2).sum()}

def chain():
    x = np.arange(6, dtype="float32").reshape(3, 2)
    return {"forward": forward, "backward": lambda p, t: {"dz": 2 * t["z"]}, "inputs": {"x": x, "W": x[:2]}}
"""


def test_in_float64_mode_labels_of_64_bits_may_stand_beside_float32():
    pytest.importorskip("jax")
    with jax.enable_x64(True):
        labels = jnp.array([0, 1, 1])

        def forward(p):
            z = p["x"] @ p["W"]
            picked = z[jnp.arange(3), jax.lax.add(labels, p["y"])]
            return {"z": z, "loss": picked.sum()}

        def backward(_, t):
            return {"dz": jnp.zeros_like(t["z"]).at[jnp.arange(3), labels].set(1)}

        inputs = {name: array.astype("float32") for name, array in given((3, 4), (4, 2)).items()}
        found = harness.check_chain(forward, backward, inputs={**inputs, "y": jnp.zeros(3, "int64")})
    assert (found.verdict, found.dtype) == ("PASS", "float32"), str(found)


SOLVED = {
    "solve": lambda A: jnp.linalg.solve(A, A[0]),
    "inv": lambda A: jnp.linalg.inv(A),
    "slogdet": lambda A: jnp.linalg.slogdet(A)[1],
    "qr": lambda A: jnp.linalg.qr(A)[1],
    "cholesky": lambda A: jnp.linalg.cholesky(A @ A.T),
}


@pytest.mark.parametrize("name", SOLVED)
def test_what_jax_solves_is_a_link_like_any_other(name):
    pytest.importorskip("jax")
    of = SOLVED[name]
    A = given((3, 3))["x"] + 3 * np.eye(3)

    def forward(p):
        r = of(p["A"])
        return {"r": r, "loss": (r**2).sum()}

    def backward(p, t, off=1.0):
        dr = 2 * t["r"]
        return {"dr": dr, "dA": off * jax.vjp(of, p["A"])[1](dr)[0]}

    assert harness.check_chain(forward, backward, inputs={"A": A}).verdict == "PASS"
    wrong = harness.check_chain(forward, lambda p, t: backward(p, t, 1.001), inputs={"A": A})
    assert (wrong.verdict, wrong.wrong) == ("FAIL", ["dA"])
