"""A measured allowance: wide enough for right programs by other formulas, narrow enough to see a wrong one."""

import numpy as np
import pytest

from harness import check_vjp
from harness.evaluation.references.jumps import Jumps
from harness.evaluation.references.measured import FACTOR, MeasuredReference
from harness.evaluation.references.reference import OperationPoint
from tests.candidates import numpy_layers as mine

BOTH = pytest.mark.parametrize("dtype", ["float64", "float32"])


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def worst(*functions, **options):
    found = check_vjp(*functions, **options)
    assert found.verdict == "PASS", str(found)
    return max(row.used for row in found.rows if row.used is not None)


def log_sum_exp(x):
    largest = x.max(-1)
    return largest + np.log(np.exp(x - largest[:, None]).sum(-1))


@BOTH
@pytest.mark.parametrize("seed", range(3))
def test_other_formulas_and_orders_use_a_part_of_it(torch, dtype, seed):
    options = {"dtype": dtype, "seed": seed}
    x = {"inputs": {"x": ("N", "M")}}
    share = [
        worst(np.tanh, lambda u, x: u / np.cosh(x) ** 2, reference=torch.tanh, **x, **options),
        worst(np.tanh, lambda u, x: u * (1 - np.tanh(x) ** 2), **x, **options,
              reference=lambda x: torch.sinh(x) / torch.cosh(x)),
        worst(log_sum_exp, lambda u, x: u[:, None] * np.exp(x - log_sum_exp(x)[:, None]), **x, **options,
              reference=lambda x: torch.logsumexp(x, -1)),
    ]  # fmt: skip

    def entry_by_entry(u, a, b):
        da, db = np.zeros_like(a), np.zeros_like(b)
        for i, j, k in np.ndindex(a.shape[0], b.shape[1], a.shape[1]):
            da[i, k] += u[i, j] * b[k, j]
            db[k, j] += a[i, k] * u[i, j]
        return da, db

    def in_float64(u, a, b):
        da, db = mine.matmul_backward(*[array.astype(np.float64) for array in (u, a, b)])
        return da.astype(u.dtype), db.astype(u.dtype)

    matrices = {"inputs": {"a": ("N", "M"), "b": ("M", "K")}, "reference": torch.matmul, **options}
    share += [worst(np.matmul, backward, **matrices) for backward in (entry_by_entry, in_float64)]
    # The factor has room to spare: a right program uses a small part, or the factor is not what its reason says.
    assert max(share) < 1 / 4


@BOTH
def test_long_sums_in_the_least_accurate_order(torch, dtype):
    x = np.random.default_rng(0).normal(size=(4001, 2))
    share = worst(
        lambda x, w: x * w, lambda u, x, w: (u * w, np.cumsum(u * x, 0)[-1]), reference=lambda x, w: x * w,
        inputs={"x": x, "w": np.array([0.3, 0.7])}, dtype=dtype,
    )  # fmt: skip
    assert share < 1


@BOTH
def test_one_entry_off_by_a_few_times_what_is_seen_is_caught(torch, dtype):
    def softmax_of(x):
        return torch.softmax(x, -1)

    options = {"reference": softmax_of, "inputs": {"x": ("N", "M")}, "dtype": dtype}
    right = check_vjp(mine.softmax, mine.softmax_backward, **options)
    row = next(row for row in right.rows if row.gradient == "dx")

    def backward(u, x):
        dx = mine.softmax_backward(u, x)
        place = np.unravel_index(np.abs(dx).argmax(), dx.shape)
        dx[place] *= 1 + 8 * row.sees
        return dx

    found = check_vjp(mine.softmax, backward, **options)
    assert found.exit == 1
    assert found.rows[1].outside == 1
    # In units of the dtype's own rounding, whatever is seen is of the size of the factor.
    assert row.sees < 64 * FACTOR[dtype] * np.finfo(dtype).eps


@BOTH
def test_terms_that_cancel_exactly_in_the_reference_may_round_in_another_formula(framework, dtype):
    if framework == "torch":
        import torch

        softmax = torch.softmax
    else:
        from jax.nn import softmax

    def backward(u, q, k, v):  # as FlashAttention-2 does it: sum(dp p) is sum(u o)
        p = mine.softmax(q @ k.T)
        ds = p * (u @ v.T - (u * (p @ v)).sum(-1, keepdims=True))
        return ds @ k, ds.T @ q, p.T @ u

    found = check_vjp(
        lambda q, k, v: mine.softmax(q @ k.T) @ v, backward, reference=lambda q, k, v: softmax(q @ k.T, -1) @ v,
        inputs={"q": ("N", "D"), "k": ("M", "D"), "v": ("M", "E")}, dtype=dtype, seed=int(dtype == "float32"),
    )  # fmt: skip
    assert found.verdict == "PASS", str(found)


IN_16_BITS = pytest.mark.parametrize("dtype", ["bfloat16", "float16"])


@IN_16_BITS
def test_in_16_bits_each_operation_may_round_and_ten_percent_are_seen(torch, dtype):
    """Measured on the numbers of the format itself, widened: not 128 times what float32 loses."""
    options = {"reference": torch.tanh, "inputs": {"x": ("N", "M")}, "dtype": dtype}
    right = check_vjp(np.tanh, lambda u, x: u * (1 - np.tanh(x) ** 2), **options)
    assert right.verdict == "PASS", str(right)
    rows = [row for row in right.rows if row.sees is not None]
    assert np.median([row.sees for row in rows]) < 0.1
    assert not any(row.verdict == "convention" for row in rows)
    wrong = check_vjp(np.tanh, lambda u, x: (0.85 * u) * (1 - np.tanh(x) ** 2), **options)
    assert wrong.exit == 1


@IN_16_BITS
def test_in_16_bits_what_is_smooth_has_no_sides_and_a_kink_has(torch, dtype):
    x = np.array([[0.5, -1.25, 2.0]]).astype(dtype)
    upstream = np.array([[1.0, 3.0, -2.0]]).astype(dtype)
    for function, jumps in ((lambda x: torch.tanh(3 * x), 0), (lambda x: torch.relu(x - 0.5), 1)):
        reference = MeasuredReference(function, {"x": x})
        at = OperationPoint(reference, {"x": x}, upstream, dtype)
        found = Jumps(at, reference.gradients({"x": x}, upstream, dtype)).sides["x"]
        assert found.jumps.sum() == jumps


def test_only_what_is_computed_is_perturbed(framework):
    if framework == "torch":
        import torch

        function = lambda x: torch.relu(x).max(1).values + torch.tanh(x[:, 0])  # noqa: E731
    else:
        import jax

        function = lambda x: jax.nn.relu(x).max(1) + jax.numpy.tanh(x[:, 0])  # noqa: E731
    x, upstream = np.array([[0.5, 2.0], [1.0, 0.0]]), np.array([1.0, 3.0])
    host = MeasuredReference(function, {"x": x}).host
    output, (dx,) = host.perturbed(function, [x], upstream, lambda numbers: 2 * numbers)
    assert np.array_equal(output, 2 * (x.max(1) + 2 * np.tanh(x[:, 0])))
    assert dx[0, 1] == 1  # an upstream that is only handed on
    same_output, (same,) = host.perturbed(function, [x], upstream, lambda numbers: numbers)
    expected, (right,) = host.vjp(function, [x], upstream)
    assert np.array_equal(same_output, expected)
    assert np.array_equal(same, right)


def test_an_allowance_is_marked_measured_wherever_it_is_shown(torch):
    found = check_vjp(np.tanh, mine.tanh_backward, reference=torch.tanh, inputs={"z": ("N", "M")})
    told = found.to_dict()
    assert found.measured
    assert told["allowance"] == "measured"
    assert all(row["measured"] for row in told["rows"])
    assert "within a measured allowance" in found.reason
    assert str(found).count("(measured)") == len(found.rows) - len(found.cases) + 1  # the output in one line


def test_a_reference_with_a_dtype_of_its_own_cannot_be_measured(torch):
    from harness import UsageError

    reference = MeasuredReference(lambda x: x.float() * 2, {"x": np.ones((2, 3))})
    with pytest.raises(UsageError, match="float32"):
        reference.output({"x": np.ones((2, 3))}, "float64")


def test_sides_are_found_at_kinks_and_nowhere_else(torch):
    x, upstream = np.array([[-1.0, 0.0, 2.0]]), np.array([[0.5, -2.0, 3.0]])
    reference = MeasuredReference(lambda x: torch.relu(x) + torch.sin(x), {"x": x})
    at = OperationPoint(reference, {"x": x}, upstream, "float64")
    low, high, totals = Jumps(at, reference.gradients({"x": x}, upstream, "float64")).sides["x"]
    assert totals == ()
    assert np.isnan([low[0, 0], low[0, 2]]).all()
    np.testing.assert_allclose([low[0, 1], high[0, 1]], [-4, -2])
