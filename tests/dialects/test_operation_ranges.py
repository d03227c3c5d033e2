"""Where an operation must be right: within its range, at numbers far out, in single cases, at other sizes."""

import numpy as np
import pytest

from harness import Reals, check_vjp
from impls.hand import Identity, Softmax, Tanh
from tests.candidates import numpy_layers as mine
from tests.helpers.deferred import Deferred
from tests.helpers.operations import right, wrong

torch = Deferred("torch")


def naive_tanh(z):
    return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))


def naive_softmax(z):
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


TANH = (naive_tanh, lambda u, z: u * (1 - naive_tanh(z) ** 2))
Z = {"inputs": {"z": ("N", "M")}}


def test_right_code_that_overflows_far_out_says_from_where_on():
    found = right(*TANH, reference=torch.tanh, **Z)
    assert found.reason.startswith("right; overflows from |z| > 710 on: dz of naive_tanh (numpy) and torch tanh agree")
    assert (found.overflow, found.to_dict()["overflow"]) == ("right; overflows from |z| > 710 on",) * 2
    assert {row.verdict for row in found.rows if found.case(row) == "far out"} == {"not comparable"}
    softmax = (naive_softmax, lambda u, z: naive_softmax(z) * (u - (u * naive_softmax(z)).sum(-1, keepdims=True)))
    narrow = right(*softmax, reference=Softmax(), dtype="float32")
    assert narrow.reason.startswith("right; loses every digit from |z| > 87.3 on")  # e^-87.4 is no normal number
    strict = wrong(*TANH, reference=torch.tanh, strict=True, **Z)
    assert strict.reason.startswith("right; overflows from |z| > 710 on; the output of naive_tanh")


def test_within_its_range_it_must_not_overflow_and_beyond_it_is_told():
    found = right(*TANH, reference=torch.tanh, range=(-50, 50), **Z)
    assert found.reason.startswith("right; overflows from |z| > 710 on")
    assert {row.verdict for row in found.rows} == {"ok"}
    wrong(*TANH, reference=torch.tanh, range=(-50, 50), strict=True, **Z)
    wrong(*TANH, reference=torch.tanh, range=(-1000, 1000), **Z)
    wrong(*TANH, reference=torch.tanh, inputs={"z": Reals(("N", "M"), -900, 900)})
    log = {"reference": torch.log, "inputs": "x=N from 0.125 to 8"}
    assert not right(np.log, lambda u, x: u / x, **log).overflow
    found = wrong(np.log, lambda u, x: np.where(x == 8, 0, u / x), **log)
    assert {found.case(row) for row in found.rows if row.verdict == "FAULT"} == {"ends"}


def test_what_is_wrong_far_out_and_does_not_overflow_is_a_mistake():
    for least in (9, 25):  # beyond that, exp(z^2) overflows
        wrong(np.tanh, lambda u, z, least=least: np.where(np.abs(z) > least, np.nan, mine.tanh_backward(u, z)),
              reference=Tanh())  # fmt: skip
    wrong(np.copy, lambda u, z: np.where(np.abs(z) > 40, 0.9, 1) * u, reference=Identity())
    wrong(np.copy, lambda u, z: np.where(np.abs(z) > 500, 0.9, 1) * u, reference=Identity())


@pytest.mark.parametrize(
    ("mistake", "case"),
    [
        (lambda u, x, W: (u @ W.T, x.T @ u if len(x) > 1 else x.T @ u * 2), "one N"),
        (lambda u, x, W: (u @ W.T, x[:128].T @ u[:128]), "many N"),
        (lambda u, x, W: (u @ (W if len({*W.shape, *x.shape}) == 1 else W.T), x.T @ u), "equal sizes"),
        (lambda u, x, W: (np.where((u == 0).any(), 1.5, 1) * (u @ W.T), x.T @ u), "zeros in the upstream"),
        (lambda u, x, W: ((u if np.ptp(u) else 1.5 * u) @ W.T, x.T @ u), "upstream of ones"),
    ],
)  # fmt: skip
def test_mistakes_that_one_case_alone_shows(mistake, case):
    options = {"reference": torch.matmul, "inputs": {"x": ("N", "M"), "W": ("M", "K")}}
    found = wrong(np.matmul, mistake, **options)
    assert {found.case(row) for row in found.rows if row.verdict == "FAULT"} == {case}
    left_out = [case, "stride 0", "micro-batches"]
    left = check_vjp(np.matmul, mistake, **options, leave_out=left_out)
    assert (left.verdict, left.left_out) == ("PASS", left_out)
    assert f"not tried  {case}, stride 0, micro-batches: you left it out" in str(left)


def test_an_array_among_shapes_does_not_silently_drop_the_other_sizes():
    table = np.random.default_rng(0).normal(size=(4, 3))
    options = {"reference": torch.matmul, "inputs": {"x": ("N", 4), "W": table}}
    found = right(np.matmul, lambda u, x, W: (u @ W.T, x.T @ u), **options)
    assert {"other sizes", "many N", "one N"} <= set(found.cases)
    assert found.untried == {}

    def few(x, W):
        if len(x) > 100:
            raise ValueError("too many rows for me")
        return x @ W

    found = right(np.matmul, lambda u, x, W: (u @ W.T, x.T @ u), **{**options, "reference": few})
    assert "many N" not in found.cases
    assert "not tried  many N, blocks N: in float64 it raises ValueError: too many rows for me" in str(found)
    none = right(np.tanh, mine.tanh_backward, reference=Tanh(), inputs={"z": (2, 3)})
    assert none.untried == {"other sizes": "every size is a number; letters are drawn"}


def test_numbers_that_a_reference_refuses_are_not_tried():
    def backward(u, A, b, sign=-1):
        db = np.linalg.solve(A.T, u)
        return sign * np.outer(db, np.linalg.solve(A, b)), db

    options = {"reference": torch.linalg.solve, "inputs": {"A": ("N", "N"), "b": ("N",)}}
    found = right(np.linalg.solve, backward, **options)
    assert "ties" in found.untried
    assert "not tried  ties: in float64 it raises _LinAlgError" in str(found)
    assert wrong(np.linalg.solve, lambda *given: backward(*given, sign=1), **options).wrong == ["dA"]
