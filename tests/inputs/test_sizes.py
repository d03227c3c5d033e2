"""Sizes: mistakes that are right for most sizes are found, whichever letter they are of and whatever they forget."""

import numpy as np
import pytest

from harness import check_vjp
from harness.inputs.signature import signature_of
from harness.inputs.sizes import all_sizes, sizes_of
from impls.hand import Tanh

LETTERS = ("N", "M", "K")


def prime(n):
    return n > 1 and all(n % d for d in range(2, n))


WHERE = {
    "an even size": lambda n: n % 2 == 0,
    "an odd size": lambda n: n % 2 == 1,
    "a prime": prime,
    "no prime": lambda n: n > 1 and not prime(n),
    "a power of two": lambda n: n > 1 and not n & (n - 1),
    "even and no power of two": lambda n: n % 2 == 0 and n & (n - 1),
    "one": lambda n: n == 1,
    "more than 16": lambda n: n > 16,
    "more than 64": lambda n: n > 64,
    "more than 256": lambda n: n > 256,
    "not a multiple of 8": lambda n: n % 8 != 0,
    "a multiple of 4": lambda n: n % 4 == 0,
}


def cases(letters=LETTERS):
    inputs = signature_of({"x": tuple(letters)}, "float64").tensors
    return [sizes_of(inputs), *all_sizes(inputs).values()]


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("where", WHERE)
def test_some_case_has_a_size_that_is(where, letter):
    assert any(WHERE[where](sizes[letter]) for sizes in cases())
    assert any(not WHERE[where](sizes[letter]) for sizes in cases())
    assert any(WHERE[where](sizes["N"]) for sizes in cases("N"))


@pytest.mark.parametrize("block", [2, 4, 8, 16, 32, 64, 128, 256])
@pytest.mark.parametrize("letters", ["N", "NM", "NMK", "NCHW", "NCHWOKL"])
def test_something_is_left_over_of_whole_blocks_along_every_axis_and_of_all_in_a_row(block, letters):
    for letter in letters:
        assert any(sizes[letter] > block and sizes[letter] % block for sizes in cases(letters))
    assert any((n := int(np.prod(list(sizes.values())))) > block and n % block for sizes in cases(letters))


@pytest.mark.parametrize("letters", ["NM", "NMK", "NCHW", "NCHWOKL"])
def test_any_two_are_equal_in_some_case_and_no_two_in_another(letters):
    for one in letters:
        for other in letters.replace(one, ""):
            assert any(sizes[one] == sizes[other] > 1 for sizes in cases(letters))
            assert any(sizes[one] != sizes[other] and 1 not in sizes.values() for sizes in cases(letters))
    assert max(np.prod(list(sizes.values())) for sizes in cases("NCHW")) < 70_000


def product(p, q):
    return p @ q


def tail_of(array, axis, block):
    """Without what is left over of whole blocks along an axis, where there is a whole one."""
    kept, size = np.zeros(array.shape[axis]), array.shape[axis]
    kept[: size // block * block if size > block else size] = 1
    return array * kept.reshape([-1 if k == axis else 1 for k in range(array.ndim)])


MISTAKES = {
    **{
        f"dW without the tail of blocks of {block} along axis {axis}": (
            lambda u, x, W, block=block, axis=axis: (u @ W.T, tail_of(x.T @ u, axis, block))
        )
        for block in (8, 16, 32, 64, 128, 256) for axis in (0, 1)
    },
    **{
        f"rows of dx beyond whole blocks of {block}": lambda u, x, W, block=block: (tail_of(u @ W.T, 0, block), x.T @ u)
        for block in (32, 256)
    },
    "columns lost where M is K": lambda u, x, W: (u @ (W if W.shape[0] == W.shape[1] != len(x) else W.T), x.T @ u),
    "one output": lambda u, x, W: (u @ W.T, x.T @ u * (1 if u.shape[1] > 1 else 2)),
    "one input": lambda u, x, W: (u @ W.T * (1 if x.shape[1] > 1 else 2), x.T @ u),
    "an even number of outputs": lambda u, x, W: (u @ W.T, x.T @ u * (1 if u.shape[1] % 2 else 2)),
    "more than 200 outputs": lambda u, x, W: (u @ W.T, x.T @ u * (1 if u.shape[1] < 200 else 2)),
    "16 rows": lambda u, x, W: (u @ W.T, x.T @ u * (1 if len(x) != 16 else 2)),
}  # fmt: skip


@pytest.fixture(scope="module")
def matmul():
    return {"reference": pytest.importorskip("torch").matmul, "inputs": {"x": ("N", "M"), "W": ("M", "K")}}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_some_sizes_fails(mistake, matmul):
    found = check_vjp(np.matmul, MISTAKES[mistake], **matmul)
    assert (found.verdict, found.exit) == ("FAIL", 1)


def test_the_right_one_passes_in_every_case(matmul):
    found = check_vjp(np.matmul, lambda u, x, W: (u @ W.T, x.T @ u), **matmul)
    assert (found.verdict, found.findings) == ("PASS", [])
    assert {f"{which} {letter}" for which in ("many", "one") for letter in LETTERS} <= set(found.cases)


def test_a_single_letter_has_an_even_size_too_and_a_reference_may_refuse_some():
    inputs = {"z": ("N", 3)}
    found = check_vjp(np.tanh, lambda u, z: u * (1 - np.tanh(z) ** 2), reference=Tanh(), inputs=inputs)
    assert {"even sizes", "power of two", "many N", "one N"} <= set(found.cases)
    fifth = check_vjp(
        np.tanh, lambda u, z: u * (1 - np.tanh(z) ** 2) * (1 if len(z) != 16 else 2), reference=Tanh(), inputs=inputs
    )
    assert {fifth.case(row) for row in fifth.rows if row.verdict == "FAULT"} == {"power of two"}
