"""Files of tensors of a framework's own kind, and files that are none: read, or refused in one sentence."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness.usage import UsageError
from impls.hand import Tanh

NUMBERS = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)


def saved(path, held):
    torch = pytest.importorskip("torch")
    torch.save(held(torch), path)
    return str(path)


def test_what_torch_has_saved_is_read(tmp_path):
    one = saved(tmp_path / "one.pt", lambda torch: torch.from_numpy(NUMBERS).bfloat16())
    found = harness.check_tolerance("allclose", on=one)
    assert (found.rows[0].tensor, found.rows[0].verdict) == ("one", "may reject right runs")
    pair = saved(
        tmp_path / "pair.pth",
        lambda torch: {"dx.expected": torch.from_numpy(NUMBERS), "dx.actual": 2 * torch.from_numpy(NUMBERS)},
    )
    assert harness.check_tolerance("assert-close", on=pair).rows[0].tensor == "dx"


def ran(_):
    raise AssertionError("a file has run a program")


class Program:
    def __reduce__(self):
        return ran, (1,)


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (lambda torch: Program(), "Cannot read .*x.pt, because"),
        (lambda torch: {"dx": "words"}, r"dx is a builtins.str; save a tensor"),
        (lambda torch: [torch.ones(3)], r"x is a list of 1; save a tensor"),
        (lambda torch: {"dx": torch.ones(0)}, "dx is empty"),
    ],
)
def test_what_is_no_tensor_is_refused_and_not_run(tmp_path, held, told):
    with pytest.raises(UsageError, match=told):
        harness.check_tolerance("allclose", on=saved(tmp_path / "x.pt", held))


def test_other_files_are_refused_by_their_ending(tmp_path):
    (tmp_path / "x.txt").write_text("1 2 3")
    (tmp_path / "y.pt").write_bytes(b"no archive")
    with pytest.raises(UsageError, match=r"because tensors are read from \.npz, \.npy, \.safetensors, \.pt, \.pth"):
        harness.check_tolerance("allclose", on=str(tmp_path / "x.txt"))
    with pytest.raises(UsageError, match=r"Cannot read .*y\.pt"):
        harness.check_tolerance("allclose", on=str(tmp_path / "y.pt"))


def test_what_is_masked_is_held_to_no_allowance():
    allowed = harness.allowance_of(Tanh(), {"z": NUMBERS})["output"]
    allowed.assert_holds(np.tanh(NUMBERS))
    with pytest.raises(AssertionError, match="instead of an array of numbers"):
        allowed.assert_holds(np.ma.masked_array(np.tanh(NUMBERS), mask=NUMBERS > 0))
    with pytest.raises(AssertionError, match="instead of an array of numbers"):
        allowed.assert_holds("words")
