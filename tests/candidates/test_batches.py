"""Contracts of kernels: rows by groups, equal bits, tails of blocks; each finds what it alone can."""

import numpy as np
import pytest

from harness import check_vjp
from harness.usage import UsageError
from impls.hand import Dense, LayerNorm, Tanh

DENSE = {"reference": Dense(4, 3), "inputs": "x=6,4; W=4,3; b=3"}


def forward(x, W, b):
    return x @ W + b


def backward(u, x, W, b):
    return u @ W.T, x.T @ u, u.sum(axis=0)


def kinds(found):
    return {finding.kind for finding in found.failing}


def test_right_ones_are_silent():
    found = check_vjp(forward, backward, **DENSE)
    assert (found.verdict, found.findings) == ("PASS", [])
    norm = LayerNorm(5)
    found = check_vjp(
        norm.forward, lambda u, x, g, b: (norm.dx(u, x, g), norm.dg(u, x), norm.db(u)), reference=norm, inputs=None
    )
    assert (found.verdict, found.findings) == ("PASS", [])


def test_what_is_kept_by_the_weights_alone_is_seen_in_micro_batches():
    """A gradient of W that is kept as long as neither W nor the number of rows changes."""
    kept = {}

    def stale(u, x, W, b):
        whole = len(x) == 6
        key = (W.tobytes(), x.shape)
        dW = x.T @ u if whole else kept.setdefault(key, x.T @ u)
        return u @ W.T, dW, u.sum(axis=0)

    found = check_vjp(forward, stale, **DENSE)
    assert kinds(found) == {"micro-batches"}
    assert "is wrong for rows 4 to 6 of 6 by themselves: dW first, though right for all of them" in found.reason
    assert check_vjp(forward, stale, **DENSE, leave_out=["micro-batches"]).verdict == "PASS"


def test_rows_that_are_not_alike_are_not_asked_by_groups():
    def centred(x):
        return x - x.mean(axis=0)

    torch = pytest.importorskip("torch")
    found = check_vjp(
        centred, lambda u, x: u - u.mean(axis=0), reference=lambda x: x - torch.mean(x, 0), inputs="x=6,4",
        demand=["batch invariance"],
    )  # fmt: skip
    assert found.verdict == "PASS"
    assert found.untried["batch invariance"] == "the reference does not treat the rows of a batch alike"


def in_another_order(x, W, b):
    """Of a row alone the products are added from the last to the first."""
    return x @ W + b if len(x) > 1 else (x[:, ::-1] @ W[::-1]) + b


def test_bits_that_depend_on_the_rows_beside_are_told_where_that_is_demanded():
    options = {"reference": Dense(64, 3), "inputs": "x=6,64; W=64,3; b=3", "dtype": "float32"}
    assert check_vjp(in_another_order, backward, **options).verdict == "PASS"
    found = check_vjp(in_another_order, backward, **options, demand=["batch invariance"])
    assert kinds(found) == {"batch invariance"}
    assert "output has other bits in row 1 alone than among 6 rows" in found.reason

    def row_by_row(x, W, b):
        return np.stack([(row[:, None] * W).sum(axis=0) + b for row in x])

    def rows_back(u, x, W, b):
        return np.stack([(W * row).sum(axis=1) for row in u]), x.T @ u, u.sum(axis=0)

    assert check_vjp(row_by_row, rows_back, **options, demand=["batch invariance"]).verdict == "PASS"


def drawing(generator):
    """The derivative of tanh in one of two forms, a rounding apart, entry by entry as is drawn."""

    def tanh_backward(u, z):
        a = np.tanh(z)
        return np.where(generator(z.shape) < 0.5, u * (1 - a * a), u * ((1 - a) * (1 + a)))

    return tanh_backward


def test_other_bits_are_noted_with_their_reason_and_fail_where_equal_ones_are_demanded():
    own = np.random.default_rng(0)
    reasons = {
        np.random.random: "it draws random numbers from Python's or NumPy's generator",
        own.random: "the reason was not found",
    }
    for generator, reason in reasons.items():
        found = check_vjp(np.tanh, drawing(generator), reference=Tanh())
        assert found.verdict == "PASS"
        (note,) = [finding for finding in found.findings if finding.kind == "second call differs"]
        assert reason in note.message
        demanded = check_vjp(np.tanh, drawing(generator), reference=Tanh(), demand=["equal bits"])
        assert kinds(demanded) == {"second call differs"}
    assert check_vjp(np.tanh, drawing(np.zeros), reference=Tanh(), demand=["equal bits"]).verdict == "PASS"


TAILS = {
    "whole blocks of 64": lambda size: size % 64 == 0,
    "one less than a block of 32": lambda size: size % 32 == 31,
    "31 beyond a block of 64": lambda size: size > 64 and size % 64 == 31,
}


@pytest.mark.parametrize("name", TAILS)
def test_a_tail_that_no_other_size_has_is_tried_along_every_axis(name):
    for axis in (0, 1):

        def wrong(u, z, axis=axis):
            dz = u * (1 - np.tanh(z) ** 2)
            if TAILS[name](z.shape[axis]):
                dz[(slice(None),) * axis + (-1,)] = 0
            return dz

        found = check_vjp(np.tanh, wrong, reference=Tanh())
        cases = {found.case(row) for row in found.rows if row.verdict == "FAULT"}
        assert found.verdict == "FAIL"
        assert all(case.startswith(("tails", "blocks")) for case in cases)


@pytest.mark.parametrize(
    ("demand", "told"),
    [
        (["equal bit"], "Cannot demand 'equal bit', because there is nothing of that name (did you mean equal bits?)"),
        ("equal bits", "Cannot use demand='equal bits', because names come in a list"),
        (3, "Cannot use demand=3"),
    ],
)
def test_what_cannot_be_demanded_is_told(demand, told):
    with pytest.raises(UsageError) as raised:
        check_vjp(np.tanh, drawing(np.zeros), reference=Tanh(), demand=demand)
    assert str(raised.value).startswith(told)
