"""What golden cases call from Python: each returns the text that is pinned; and the files that some cases need."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import harness
from impls.hand import Dense, Relu, Tanh
from tests.golden.candidates import kinks
from tests.golden.implementations import registered

CALLS: dict[str, Callable[[Path], str]] = {}


def pinned(call: Callable[[Path], str]) -> Callable[[Path], str]:
    """The function is a case, by its name."""
    CALLS[call.__name__] = call
    return call


def said_by(*attempts: Callable[[], Any]) -> str:
    """What each attempt returns or raises, in paragraphs."""
    parts = []
    for attempt in attempts:
        try:
            parts.append(str(attempt()))
        except (harness.UsageError, harness.GradientMismatch) as error:
            parts.append(f"{type(error).__name__}: {error}")
    return "\n\n".join(parts) + "\n"


def write_dump(path: Path, change: Callable[[dict], dict] = lambda held: held) -> None:
    reference = harness.reference("4-3-2-1", data="iris", seed=3)
    gradients = {name: reference.gradients[name] for name in reference.network.gradients}
    np.savez(path, **change({"x": reference.x, "y": reference.y, **reference.weights, **gradients}))


def write_wide_dump(path: Path) -> None:
    """Right gradients of a network so wide that in float32 zeros would pass."""
    network = harness.load_network("400-300-200-10", activation="tanh", loss="cross-entropy")
    reference = harness.reference(network, dtype="float32")
    gradients = {name: reference.gradients[name] for name in reference.network.gradients}
    np.savez(path, x=reference.x, y=reference.y, **reference.weights, **gradients)


def write_dumps_on_kinks(folder: Path) -> None:
    """Whole numbers of 3-4-2, on which many arguments of relu are exactly 0; several derivatives there."""
    rng = np.random.default_rng(0)
    shapes = {"W1": (3, 4), "b1": (4,), "W2": (4, 2), "b2": (2,)}
    w = {name: rng.integers(-2, 3, shape).astype(float) for name, shape in shapes.items()}
    x, y = (rng.integers(-2, 3, (12, width)).astype(float) for width in (3, 2))
    given = {"x": x, "y": y, **w}
    for convention in (kinks.other_side, kinks.middle, kinks.twice):
        np.savez(folder / f"{convention.__name__}.npz", **given, **convention(w, x, y))
    shown = kinks.other_side(w, x, y)
    np.savez(folder / "hidden.npz", **given, **{name: shown[name] for name in ("dW1", "db1", "dW2", "db2")})


def write_record(path: Path) -> None:
    harness.run("3-2-1", "random", ["hand"], steps=2, output=path)


def dense(x, W, b):
    return x @ W + b


def dense_backward(u, x, W, b):
    return u @ W.T, x.T @ u, u.sum(0)


def relu(z):
    return np.maximum(z, 0)


@pinned
def check_vjp_passes(folder: Path) -> str:
    found = harness.check_vjp(dense, dense_backward, reference=Dense(4, 3))
    narrow = harness.check_vjp(np.tanh, lambda u, z: u * (1 - np.tanh(z) ** 2), reference=Tanh(), dtype="float32")
    return said_by(lambda: found, lambda: narrow)


@pinned
def check_vjp_names_the_cause(folder: Path) -> str:
    def mean(u, x, W, b):
        return u @ W.T, x.T @ u, u.mean(0)

    def turned(u, x, W, b):
        return -(u @ W.T), u.T @ x, u.sum(0)

    return said_by(
        lambda: harness.check_vjp(dense, mean, reference=Dense(4, 3)),
        lambda: harness.check_vjp(dense, turned, reference=Dense(4, 3)),
        lambda: harness.check_vjp(np.tanh, lambda u, z: u * (1 - z * z), reference=Tanh()),
    )


@pinned
def check_vjp_json(folder: Path) -> str:
    found = harness.check_vjp(dense, lambda u, x, W, b: (u @ W.T, 2 * x.T @ u, u.sum(0)), reference=Dense(4, 3))
    return json.dumps(found.to_dict(), indent=1, ensure_ascii=False) + "\n"


@pinned
def check_vjp_at_kinks(folder: Path) -> str:
    return said_by(
        *(
            lambda at_zero=at_zero: harness.check_vjp(
                relu, lambda u, z: u * np.where(z == 0, at_zero, z > 0).astype(u.dtype), reference=Relu()
            )
            for at_zero in (0.5, 2)
        )
    )


@pinned
def check_vjp_contracts(folder: Path) -> str:
    def writes(u, z):
        u *= z > 0
        return u

    def kept_dimension(u, x, W, b):
        return u @ W.T, x.T @ u, u.sum(0, keepdims=True)

    return said_by(
        lambda: harness.check_vjp(dense, kept_dimension, reference=Dense(4, 3)),
        lambda: harness.check_vjp(relu, writes, reference=Relu()),
        lambda: harness.check_vjp(relu, lambda u, z: (u * (z > 0)).astype(np.float32), reference=Relu()),
        lambda: harness.check_vjp(relu, lambda u, z: None, reference=Relu()),
        lambda: harness.check_vjp(relu, lambda u, z: u @ z, reference=Relu()),
    )


@pinned
def check_vjp_votes(folder: Path) -> str:
    import jax.numpy as jnp
    import torch

    def straight_through(x):
        return torch.tanh(x) + (torch.tanh(x) - torch.tanh(x).detach()) / 2

    def right(u, x):
        return u / np.cosh(x) ** 2

    inputs = {"x": ("N", "M")}
    return said_by(
        lambda: harness.check_vjp(np.tanh, right, reference=(torch.tanh, jnp.tanh), inputs=inputs),
        lambda: harness.check_vjp(
            np.tanh, lambda u, x: u / np.cosh(x), reference=(torch.tanh, jnp.tanh), inputs=inputs
        ),
        lambda: harness.check_vjp(np.tanh, right, reference=(straight_through, jnp.tanh), inputs=inputs),
    )


@pinned
def check_vjp_measured(folder: Path) -> str:
    import torch

    def rms_norm(x, w):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * w

    def rms_norm_backward(u, x, w):
        r = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
        g = u * w
        return {"dx": r * (g - x * r * r * (g * x).mean(-1, keepdims=True)), "dw": (u * x * r).sum(0)}

    def embedding_overwriting(u, W, ids):
        dW = np.zeros_like(W)
        dW[ids] = u
        return dW, None

    return said_by(
        lambda: harness.check_vjp(
            rms_norm, rms_norm_backward, inputs={"x": ("N", "D"), "w": ("D",)},
            reference=lambda x, w: x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * w,
        ),
        lambda: harness.check_vjp(
            lambda W, ids: W[ids], embedding_overwriting,
            inputs={"W": ("V", "D"), "ids": harness.Indices(("N",), below="V")},
            reference=lambda W, ids: torch.nn.functional.embedding(ids, W),
        ),
    )  # fmt: skip


@pinned
def check_vjp_wrong_input(folder: Path) -> str:
    return said_by(
        lambda: harness.check_vjp(dense, dense_backward, reference=3),
        lambda: harness.check_vjp(dense, 3, reference=Dense(4, 3)),
        lambda: harness.check_vjp(dense, dense_backward, reference=Dense(4, 3), dtype="tf32"),
        lambda: harness.check_vjp(dense, dense_backward, reference=np.tanh),
        lambda: harness.check_vjp(dense, dense_backward, reference=Dense(4, 3), seed=-1),
    )


@pinned
def allow_and_assert_gradients_match(folder: Path) -> str:
    reference = harness.reference("4-3-3-1", dtype="float32")
    mine = {name: reference.gradients[name] for name in reference.network.gradients}
    shown = {**reference.activations, "loss": reference.loss, **reference.gradients}
    allowance = harness.allow(reference)
    return said_by(
        lambda: (mine == allowance, allowance == mine, mine | {"dW2": -mine["dW2"]} == allowance),
        lambda: allowance,
        lambda: harness.assert_gradients_match(mine, reference),
        lambda: harness.assert_gradients_match(mine | {"dW2": mine["dW2"].T}, reference),
        lambda: harness.assert_gradients_match(shown | {"dz2": -shown["dz2"]}, reference),
        lambda: harness.assert_gradients_match({"dW1": mine["dW1"] * np.nan}, reference),
        lambda: harness.assert_gradients_match({}, reference),
        lambda: harness.assert_gradients_match(mine | {"dW9": mine["dW1"]}, reference),
        lambda: harness.assert_gradients_match(mine),
        lambda: allowance == 1.0,
    )


@pinned
def reference_wrong_input(folder: Path) -> str:
    wrong: list[dict[str, Any]] = [
        {"weights": {"W1": [[1.0], [1.0]]}},
        {"weights": {"W1": [[1.0, 1.0]], "b1": [0.0]}},
        {"x": [[1.0, 2.0]]},
        {"x": [[1.0, 2.0, 3.0]], "y": [[0.0]]},
        {"x": [[np.nan, 2.0]], "y": [[0.0]]},
        {"x": [[0.1, 2.0]], "y": [[0.0]], "dtype": "float32"},
        {"dtype": "tf32"},
        {"seed": -1},
    ]
    return said_by(*(lambda options=options: harness.reference("2-1", **options) for options in wrong))


@pinned
def load_network_and_load_data_wrong_input(folder: Path) -> str:
    first = 'loss = "huber"\n[[layers]]\nkind = "dense"\ninputs = 4\noutputs = 3\n'
    return said_by(
        lambda: harness.load_network("4-3-", loss="huber"),
        lambda: harness.load_network("4-3-1", activation="elu(beta=1)"),
        lambda: harness.load_network("4-3-1", activation="leaky-relu(slope='a')"),
        lambda: harness.load_network("4-3-1", output_activation="tahn"),
        lambda: harness.load_network("4-3-1", loss="huber(delta=-1)"),
        lambda: harness.load_network("nowhere.toml"),
        lambda: harness.from_toml(""),
        lambda: harness.from_toml("loss = 3"),
        lambda: harness.from_toml(first + '[[layers]]\nkind = "dense"\ninputs = 2\noutputs = 1\n'),
        lambda: harness.from_toml(first + '[[layers]]\nkind = "dens"\n'),
        lambda: harness.from_toml(first + '[[layers]]\nkind = "elu"\nalpha = "1"\n'),
        lambda: harness.from_toml("loss = \n"),
        lambda: harness.load_data("random"),
        lambda: harness.load_data("mine.xlsx"),
        lambda: harness.run(data=[1, 2]),
        lambda: harness.run(steps=1.5),
        lambda: harness.run(network=3),
        lambda: harness.check(3),
    )


@pinned
def networks_as_toml(folder: Path) -> str:
    network = harness.load_network("4-3-3", activation="elu(alpha=0.5)", loss="cross-entropy")
    return said_by(lambda: harness.to_toml(network), lambda: harness.from_toml(harness.to_toml(network)))


@pinned
def results_as_text_and_for_notebooks(folder: Path) -> str:
    run = harness.run("3-2-1", "random", ["hand"], steps=2)
    check = harness.check("candidates/mistakes.py:derivative_of_z", batch=5)
    told = harness.explain("W1[2,1]", against=["hand"], sample=0)
    return said_by(lambda: run, run._repr_html_, check._repr_html_, told._repr_html_, lambda: check)


@pinned
def record_of_a_run(folder: Path) -> str:
    with registered("flips"):
        harness.run("3-2-1", "random", ["torch", "flips"], steps=2, output=folder / "run.jsonl")
    again = harness.read_run(folder / "run.jsonl")
    return (folder / "run.jsonl").read_text() + f"{again.verdict} {again.exit} {again.how}\n"


@pinned
def records_that_cannot_be_read(folder: Path) -> str:
    write_record(folder / "run.jsonl")
    head, step, _, end = (folder / "run.jsonl").read_text().splitlines(keepends=True)
    contents = {
        "empty": "", "nonsense": "nonsense\n", "newer": '{"kind":"run","schema":99}\n', "no head": step + end,
        "another dtype": head.replace('"float32"', '"float8"') + step, "cut": head + step[:50],
        "a verdict that there is not": head + step.replace('"verdict":"ok"', '"verdict":"fine"', 1),
        "steps twice": head + step + step,
    }  # fmt: skip
    for name, content in contents.items():
        (folder / f"{name}.jsonl").write_text(content)
    return said_by(
        *(lambda name=name: harness.read_run(folder / f"{name}.jsonl").verdict for name in (*contents, "missing"))
    )
