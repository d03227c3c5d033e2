"""Right backward passes in every form and framework raise no alarm; wrong ones in every form do."""

import time

import numpy as np
import pytest

from harness import Indices, UsageError, check_vjp
from impls.hand import Dense, Gelu, MeanAbsoluteError, Relu, Softmax, SoftmaxCrossEntropy, Tanh
from tests.candidates import numpy_layers as mine
from tests.checking.passing import BOTH, passes

NORM = {"x": ("N", "D"), "w": ("D",), "b": ("D",)}


@BOTH
@pytest.mark.parametrize("seed", range(2))
def test_right_passes_in_numpy_against_hand_layers(dtype, seed):
    options = {"dtype": dtype, "seed": seed}
    assert not passes(mine.dense, mine.dense_backward, reference=Dense(4, 3), **options).measured
    passes(np.tanh, mine.tanh_backward, reference=Tanh(), **options)
    passes(mine.softmax, mine.softmax_backward, reference=Softmax(), **options)
    passes(lambda a, y: np.abs(a - y).mean(), lambda u, a, y: (u * np.sign(a - y) / a.size, None),
           reference=MeanAbsoluteError(), **options)  # fmt: skip

    def log_softmax(a):
        c = a - a.max(1, keepdims=True)
        return c - np.log(np.exp(c).sum(1, keepdims=True))

    def cross_entropy_backward(u, a, y):
        return u * (mine.softmax(a) - (y[:, None] == np.arange(a.shape[1])).astype(a.dtype)) / len(y)

    passes(lambda a, y: -log_softmax(a)[np.arange(len(y)), y].mean(), cross_entropy_backward,
           reference=SoftmaxCrossEntropy(), **options)  # fmt: skip


@pytest.mark.parametrize("at_zero", [0, 0.5, 1])
def test_either_convention_at_a_kink_is_right_and_named(framework, at_zero):
    def backward(u, z):
        return u * np.where(z == 0, at_zero, z > 0).astype(u.dtype)

    foreign = __import__("torch").relu if framework == "torch" else __import__("jax").nn.relu
    for reference, inputs in ((Relu(), None), (foreign, {"z": ("N", "M")})):
        found = passes(mine.relu, backward, reference=reference, inputs=inputs)
        verdicts = {found.case(row): row.verdict for row in found.rows if row.gradient == "dz"}
        assert verdicts.pop("kinks") == ("convention" if at_zero else "ok")
        assert set(verdicts.values()) == {"ok"}
    wrong = check_vjp(mine.relu, lambda u, z: u * np.where(z == 0, 2, z > 0), reference=foreign, inputs=inputs)
    assert [wrong.case(row) for row in wrong.rows if row.verdict == "FAULT"] == ["kinks"]


@pytest.mark.parametrize(("dtype", "seed"), [("float64", 0), ("float32", 1), ("float64", 2)])
def test_right_passes_in_numpy_against_torch_functions(dtype, seed):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    options = {"dtype": dtype, "seed": seed}
    found = passes(mine.layer_norm, mine.layer_norm_backward, inputs=NORM, **options,
                   reference=lambda x, w, b: functional.layer_norm(x, (x.shape[-1],), w, b))  # fmt: skip
    assert found.measured
    assert "measured" in str(found)
    passes(mine.rms_norm, mine.rms_norm_backward, inputs={"x": ("N", "D"), "w": ("D",)}, **options,
           reference=lambda x, w: x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * w)  # fmt: skip
    passes(mine.embedding, mine.embedding_backward, inputs={"W": ("V", "D"), "ids": Indices(("N",), below="V")},
           reference=lambda W, ids: functional.embedding(ids, W), **options)  # fmt: skip
    passes(mine.softmax, mine.softmax_backward, inputs={"x": ("B", "N", "M")},
           reference=lambda x: torch.softmax(x, -1), **options)  # fmt: skip
    passes(np.matmul, mine.matmul_backward, inputs={"a": ("B", "N", "M"), "b": ("B", "M", "K")},
           reference=torch.matmul, **options)  # fmt: skip


@BOTH
def test_an_autograd_function_and_a_function_around_one(dtype):
    torch = pytest.importorskip("torch")

    class LayerNorm(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w, b, eps=1e-5):
            c = x - x.mean(-1, keepdim=True)
            r = (c.pow(2).mean(-1, keepdim=True) + eps).rsqrt()
            ctx.save_for_backward(c * r, r, w)
            return c * r * w + b

        @staticmethod
        def backward(ctx, upstream):
            hat, r, w = ctx.saved_tensors
            g = upstream * w
            dx = r * (g - g.mean(-1, keepdim=True) - hat * (g * hat).mean(-1, keepdim=True))
            return dx, (upstream * hat).sum(0), upstream.sum(0), None

    class Wrong(LayerNorm):
        @staticmethod
        def backward(ctx, upstream):
            dx, dw, db, _ = LayerNorm.backward(ctx, upstream)
            return dx, dw, db / len(upstream), None

    def reference(x, w, b):
        return torch.nn.functional.layer_norm(x, (x.shape[-1],), w, b)

    options = {"reference": reference, "inputs": NORM, "dtype": dtype}
    assert passes(lambda x, w, b: LayerNorm.apply(x, w, b, 1e-5), **options).name == "<lambda> (torch)"
    found = check_vjp(Wrong, **options)
    assert found.exit == 1
    assert {row.gradient for row in found.rows if row.verdict == "FAULT"} == {"db"}
    assert found.causes[0].cause == "mean for sum"


@BOTH
def test_a_custom_vjp_function(dtype):
    jax = pytest.importorskip("jax")
    jnp = jax.numpy

    def made(factor):
        gelu = jax.custom_vjp(lambda z: jax.nn.gelu(z, approximate=False))

        def backward(z, upstream):
            density = jnp.exp(-z * z / 2) / jnp.sqrt(2 * jnp.pi).astype(z.dtype)
            return (factor * upstream * (jax.scipy.stats.norm.cdf(z) + z * density),)

        gelu.defvjp(lambda z: (jax.nn.gelu(z, approximate=False), z), backward)
        return gelu

    assert passes(made(1), reference=Gelu(), dtype=dtype).name.endswith("(jax)")
    wrong = check_vjp(made(2), reference=Gelu(), dtype=dtype)
    assert wrong.exit == 1
    assert wrong.causes[0].says == "dz is the right one times 2"


@BOTH
def test_a_pair_in_a_frameworks_own_arrays(framework, dtype):
    if framework == "torch":
        import torch

        def forward(x, W, b):
            return torch.addmm(b, x, W)

        def backward(upstream, x, W, b):
            return {"x": upstream @ W.T, "W": x.T @ upstream, "b": upstream.sum(0)}
    else:
        import jax.numpy as jnp

        def forward(x, W, b):
            return jnp.dot(x, W) + b

        def backward(upstream, x, W, b):
            return [upstream @ W.T, jnp.dot(x.T, upstream), upstream.sum(0)]

    found = passes(forward, backward, reference=Dense(4, 3), dtype=dtype)
    assert found.name == f"forward ({framework})"
    wrong = check_vjp(forward, lambda u, x, W, b: (u @ W.T, x.T @ u, b), reference=Dense(4, 3), dtype=dtype)
    assert {row.gradient for row in wrong.rows if row.verdict == "FAULT"} == {"db"}


def test_what_is_wrong_in_most_cases_is_said_first_and_cases_are_called_by_their_names():
    def forward(z):
        return np.where(z > 25, 1.1, np.tanh(z))

    cases = [{"z": np.array([[7.0, 1.0]])}]
    found = check_vjp(forward, lambda u, z: 1.5 * mine.tanh_backward(u, z), reference=Tanh(), cases=cases)
    assert found.reason.startswith("dz is wrong in 22 of 23 cases; output is wrong in ")
    assert "reproduces your numbers to" in str(found)
    assert "in all cases tried (16)" in str(found)
    found = check_vjp(forward, mine.tanh_backward, reference=Tanh(), inputs={"z": (2, 2)}, cases=[{"z": [[30.0]]}])
    assert "case your" not in str(found)


@pytest.mark.parametrize(("dtype", "large"), [("float64", 2.0**44), ("float32", 2.0**30)])
def test_zeros_that_would_pass_everywhere_are_no_power(dtype, large):
    torch = pytest.importorskip("torch")

    def beside(x):  # so large a number that rounding hides most of x
        return x + large - large

    x = torch.linspace(0.05, 0.1, 15, dtype=torch.float64).reshape(5, 3)
    found = check_vjp(
        lambda x: x + large - large, lambda u, x: u.copy(), reference=beside, inputs={"x": x}, dtype=dtype
    )
    assert {row.verdict for row in found.rows if row.gradient == "output"} == {"no power"}
    assert {row.verdict for row in found.rows if row.gradient == "dx"} == {"ok"}
    assert (found.verdict, found.exit, found.powerless) == ("NO POWER", 0, ["output"])


@pytest.mark.parametrize(("dtype", "seed"), [("float64", 0), ("float32", 1), ("float64", 2)])
def test_tied_maxima_share_the_upstream_in_any_way_but_share_it(dtype, seed):
    torch = pytest.importorskip("torch")

    def whole(u, x):
        return u[:, None] * (x == x.max(1, keepdims=True))

    def shared(u, x):
        tied = x == x.max(1, keepdims=True)
        return (u[:, None] * tied / tied.sum(1, keepdims=True)).astype(u.dtype)

    options = {"inputs": {"x": ("N", "M")}, "dtype": dtype, "seed": seed}
    for reference in (lambda x: torch.max(x, 1).values, lambda x: torch.amax(x, 1)):
        passes(lambda x: x.max(1), shared, reference=reference, **options)
        found = check_vjp(lambda x: x.max(1), whole, reference=reference, **options)
        assert "ties" in {found.case(row) for row in found.rows if row.verdict == "FAULT"}


def test_the_result_is_one_object_for_text_and_json():
    import json

    found = check_vjp(np.tanh, lambda u, z: u / np.cosh(z), reference=Tanh())
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (told["verdict"], told["exit"], told["allowance"]) == ("FAIL", 1, "derived")
    assert told["reason"] == found.reason
    row = next(row for row in told["rows"] if row["gradient"] == "dz")
    assert row["verdict"] == "FAULT"
    assert row["used"] > 1
    lines = str(found).splitlines()
    assert lines[0].startswith("tanh (numpy) against hand Tanh()")
    assert lines[3].startswith("FAIL  dz is wrong in 21 of 22 cases")
    assert lines[-1].startswith("next  ")


def test_a_call_that_does_not_answer_is_the_last():
    calls = []

    def backward(u, z):
        calls.append(z)
        time.sleep(30)

    found = check_vjp(np.tanh, backward, reference=Tanh(), timeout=0.2)
    assert (found.exit, len(calls), found.cases) == (1, 1, ["ordinary"])
    assert found.reason == "timeout: backward did not answer within 0.2 s (case ordinary)"
    with pytest.raises(UsageError, match="because it is a time"):
        check_vjp(np.tanh, backward, reference=Tanh(), timeout=0)


def test_an_operation_that_gives_one_number_is_checked():
    import torch

    class SumOfSquares(torch.autograd.Function):
        factor = 2

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return (x * x).sum()

        @staticmethod
        def backward(ctx, dy):
            return SumOfSquares.factor * dy * ctx.saved_tensors[0]

    options = {"reference": lambda x: (x * x).sum(), "inputs": {"x": ("N", "M")}}
    passes(SumOfSquares.apply, **options)
    SumOfSquares.factor = 1
    assert check_vjp(SumOfSquares.apply, **options).exit == 1
