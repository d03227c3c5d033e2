"""Loops: compiled, a formula gives the very bits that NumPy makes of it, of whatever arrays; and only where it pays."""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from harness.arithmetic import Context, blocks, loops, operands, profile_of
from harness.arithmetic.blocks import ENTRIES, in_blocks
from harness.arithmetic.bounded import rounded_bound, summand_bound
from harness.arithmetic.loops import COMPILER, Compiler, most, where
from harness.arithmetic.profile import on_tensor_cores
from harness.arithmetic.rules import (
    attention,
    cross_entropy,
    dot_products,
    elementary,
    elementwise,
    gelu,
    layer_norm,
    optimizers,
    rows,
    smooth,
    softmax,
    sums,
)
from harness.arithmetic.rules.dot_products import _coefficients, summed_bound
from harness.arithmetic.rules.smooth import propagated_by_slope
from harness.comparison.standard import share_and_conditions, share_used

ROOT = Path(__file__).parents[2]
FLOAT32 = profile_of("float32")
HOSTILE = (
    0.0, 2.0**-1074, 2.0**-1060, 2.0**-1022, 1e-300, 2.0**-149, 2.0**-126, 1e-16, 0.5, 1.0, 1 + 2.0**-52, 3.0, 1e30,
    FLOAT32.largest / 8, FLOAT32.largest / 2, FLOAT32.largest, 1e39, 1e200, 1.7e308, np.inf, np.nan,
)  # fmt: skip
SIZE = 2 * ENTRIES + 1234  # several blocks, the last of which is not full


def sizes(rng: np.random.Generator) -> np.ndarray:
    """What is not negative: half of it hostile, half of any magnitude, on all of which nothing is bounded at once."""
    usual = 10.0 ** rng.uniform(-12, 3, SIZE)
    return np.where(rng.random(SIZE) < 0.5, usual, rng.choice(HOSTILE, SIZE))


def usual(rng: np.random.Generator) -> np.ndarray:
    return rng.exponential(size=SIZE)


def signed(drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(SIZE) < 0.5, drawn, -drawn)


def single(drawn: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return drawn.astype(np.float32)


def reduced(formula, conditions, *arrays):
    """The largest, its place, and how often each condition holds."""
    largest, place, counts = blocks.reduced(formula, conditions, *arrays)
    return largest, place, *counts


LIMITS = (FLOAT32.u, 1.0, FLOAT32.eta, FLOAT32.largest, FLOAT32.largest / 4 * FLOAT32.u)
ONES, NO_ROOM = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
ROUNDING = Context(FLOAT32).rounding(1.0, 2.0)
OF_ROWS = 0.0, 1e-6, 1e-7, 2e-7, (1e-15, 1e-7, 2e-7)  # E, and what rounding does to a row of softmax
OF_CORES = on_tensor_cores(profile_of("bfloat16"), "H100", "bfloat16")
CALLS = {
    "rounded": lambda v, a, b, c: in_blocks(rounded_bound, v, a, 1.0, *LIMITS),
    "rounded, of nothing propagated": lambda v, a, b, c: in_blocks(rounded_bound, v, None, np.float64(3), *LIMITS),
    "rounded, by entries": lambda v, a, b, c: in_blocks(rounded_bound, v, a, b, c, c, *LIMITS[2:4], -1.0),
    "a sum": lambda v, a, b, c: in_blocks(sums._bound_of_sum, v, a, b, 12, FLOAT32.u, FLOAT32.largest, ROUNDING),
    "sums": lambda v, a, b, c: in_blocks(
        sums._bound_of_sum, v, a, b, np.round(np.minimum(c, 9)), FLOAT32.u, FLOAT32.largest, ROUNDING
    ),
    "summed": lambda v, a, b, c: in_blocks(summed_bound, v, a, b, None, ONES, NO_ROOM, _coefficients(FLOAT32, 512, 1)),
    "summed, of nothing propagated": lambda v, a, b, c: in_blocks(
        summed_bound, v, a, None, None, ONES, NO_ROOM, _coefficients(FLOAT32, 1, 2)
    ),
    "summed, rounded once more": lambda v, a, b, c: in_blocks(
        summed_bound, v, a, None, b, ONES, NO_ROOM, _coefficients(profile_of("bfloat16"), 7, 1)
    ),
    "summed, on tensor cores": lambda v, a, b, c: in_blocks(
        summed_bound, v, a, b, c, ONES, NO_ROOM, _coefficients(OF_CORES, 64, 1)
    ),
    "summed, of single precision": lambda v, a, b, c: in_blocks(
        summed_bound,
        v,
        single(a),
        single(b),
        single(c),
        (2.0**9, 1.0, 0.3),
        (1e-30, 0.0, 2.0**-140),
        _coefficients(FLOAT32, 512, 1),
    ),
    "a product": lambda v, a, b, c: in_blocks(elementwise._bound_of_product, -v * c, v, -c, a, b, ROUNDING),
    "a multiple": lambda v, a, b, c: in_blocks(elementwise._bound_of_multiple, v * c, v, b, ROUNDING),
    "a quotient": lambda v, a, b, c: in_blocks(elementwise._bound_of_quotient, v / c, v, -c, a, b, a, b, ROUNDING),
    "a quotient by what is known": lambda v, a, b, c: in_blocks(
        elementwise._bound_of_quotient, v / 1e39, v, 1e39, a, 0.0, b, 0.0, ROUNDING
    ),
    "an average": lambda v, a, b, c: in_blocks(optimizers._moving_average, v, -c, 0.9),
    "the bound of an average": lambda v, a, b, c: in_blocks(
        optimizers._bound_of_moving_average, v, v, -c, a, b, 0.9, FLOAT32.u, ROUNDING
    ),
    "a root": lambda v, a, b, c: in_blocks(elementary._propagated_by_root, np.sqrt(v), v, a),
    "a step": lambda v, a, b, c: in_blocks(optimizers._bound_of_step, a, v, b, FLOAT32.eta),
    "two ways to a root": lambda v, a, b, c: in_blocks(optimizers._bound_of_both, v, a, c, b),
    "a decoupled step": lambda v, a, b, c: in_blocks(optimizers._decoupled_step, v, c, 1e-3),
    "the bound of a decoupled step": lambda v, a, b, c: in_blocks(
        optimizers._bound_of_decoupled_step, v, v, a, -c, b, 1e-3, FLOAT32.u, ROUNDING
    ),
    "the bound of an average of more of the new": lambda v, a, b, c: in_blocks(
        optimizers._bound_of_moving_average, v, v, -c, a, b, 0.3, FLOAT32.u, ROUNDING
    ),
    "a summand": lambda v, a, b, c: in_blocks(summand_bound, v, a, b, FLOAT32.u),
    "a slope": lambda v, a, b, c: in_blocks(propagated_by_slope, v, a, -c, b, c, 2.0, FLOAT32.largest),
    "the slope of a sigmoid": lambda v, a, b, c: in_blocks(smooth._bound_of_sigmoid_vjp, v, -c, a, v, b, ROUNDING),
    "the slope of tanh": lambda v, a, b, c: in_blocks(
        smooth._bound_of_tanh_vjp, v, -c, a, v, b, (FLOAT32.u, FLOAT32.largest), ROUNDING
    ),
    "gelu tanh": lambda v, a, b, c: in_blocks(gelu._bound_of_gelu_tanh, v, -c, a, np.tanh(v), (1e-7, 2e-7), ROUNDING),
    "the slope of gelu tanh": lambda v, a, b, c: in_blocks(
        gelu._bound_of_gelu_tanh_vjp, v, a, b, -c, b, np.tanh(c), np.tanh(v), (1e-7, 2e-7, 3e-7), LIMITS[3], ROUNDING
    ),
    "scaled back": lambda v, a, b, c: in_blocks(dot_products.scaled_back, single(v), 2.0**90, 1e-30),
    "scaled": lambda v, a, b, c: in_blocks(operands._scaled, v, 2.0**-7, dtype=np.float32),
    "small": lambda v, a, b, c: reduced(operands._small, 1, v, 1e-16),
    "share": lambda v, a, b, c: reduced(share_used, 0, v, c, a, None, None),
    "share, with a tail": lambda v, a, b, c: reduced(share_used, 0, v, c, a, b, None),
    "share and conditions": lambda v, a, b, c: reduced(share_and_conditions, 4, single(c), v, a, None, None),
    "share of two bounds": lambda v, a, b, c: reduced(share_used, 0, single(v), single(c), a, None, b),
    "share and conditions, of two bounds": lambda v, a, b, c: reduced(
        share_and_conditions, 4, single(c), v, a, None, b
    ),
    "share and conditions, with a tail": lambda v, a, b, c: reduced(share_and_conditions, 4, v, single(c), a, b, None),
    "softmax": lambda v, a, b, c: in_blocks(softmax._rounded_bound_of_softmax, ROUNDING, a, None, 1e-30, -b, *OF_ROWS),
    "softmax, uncertain": lambda v, a, b, c: in_blocks(
        softmax._rounded_bound_of_softmax, ROUNDING, a, c, 1e-30, -b, a, c, b, a, (1e-15, 1e-7, 2e-7)
    ),
    "weights of softmax": lambda v, a, b, c: in_blocks(softmax._weight, a, None, -b, c, b, a, 1e-15, 1e-7),
    "weights of softmax, grown": lambda v, a, b, c: in_blocks(softmax._weight, a, c, -b, 0.0, b, a, 1e-15, 1e-7),
    "the exponent of a weight": lambda v, a, b, c: in_blocks(softmax._exponent_of_weight, -b, c, b, a, 1e-15, 1e-7),
    "log-softmax": lambda v, a, b, c: in_blocks(softmax._bound_of_log_softmax, v, -a, b, c, 1e-7, ROUNDING),
    "the slope of softmax": lambda v, a, b, c: in_blocks(
        softmax._bound_of_softmax_vjp, v, -c, a, b, c, a, v, b, (1e-30, 1e-7, 1.5, 6, LIMITS[3]), ROUNDING
    ),
    "what the slope of softmax adds up": lambda v, a, b, c: in_blocks(softmax._off_by, v, a, -b, c, 1e-30, 1e-7),
    "cross-entropy": lambda v, a, b, c: in_blocks(
        cross_entropy._bound_of_cross_entropy_vjp,
        v,
        -c,
        0.0,
        b,
        c,
        (7, 1e-7, 2e-7, 1e-15),
        ROUNDING,
        a,
        None,
        1e-30,
        -b,
        *OF_ROWS,
    ),
    "one-hot": lambda v, a, b, c: in_blocks(cross_entropy._one_hot, np.arange(50.0), np.floor(a[:3000, None])),
    "attention's scores": lambda v, a, b, c: in_blocks(
        attention._bound_of_scaled_product,
        v,
        a,
        b,
        None,
        ONES,
        NO_ROOM,
        _coefficients(FLOAT32, 32, 1),
        0.2,
        1e-7,
        c,
        ROUNDING,
    ),
    "attention's scores, of nothing propagated": lambda v, a, b, c: in_blocks(
        attention._bound_of_scaled_product,
        v,
        a,
        None,
        None,
        ONES,
        NO_ROOM,
        _coefficients(FLOAT32, 32, 1),
        0.2,
        1e-7,
        c,
        ROUNDING,
    ),
    "what bounds do to a variance": lambda v, a, b, c: in_blocks(rows._moved_square, v, a, -b, 0.5, c),
    "normalised": lambda v, a, b, c: in_blocks(rows._xh_error, v, a, -b, c, a, b, c),
    "a layer norm": lambda v, a, b, c: in_blocks(
        layer_norm._bound_of_affine, v, -c, a, b, 1e-30, c, b, 3e-7, ROUNDING, v, a, -b, c, a
    ),
    "its gain": lambda v, a, b, c: in_blocks(
        layer_norm._bound_of_times_xh, v, v, a, -c, b, a, b, c, LIMITS[3], Context(FLOAT32).rounding(0.0), ROUNDING
    ),
    "what its slope adds up": lambda v, a, b, c: in_blocks(
        layer_norm._error_of_t_xh, v, a, b, a, c, 3e-7, b, c, v, a, -b, c, a
    ),
    "the slope of a layer norm": lambda v, a, b, c: in_blocks(
        layer_norm._bound_of_vjp, v, v, a, -c, b, a, -b, c, b, a, b, a, c, b, b, a, ROUNDING, v, a, -b, c, a
    ),
}


@pytest.fixture
def both(monkeypatch):
    """From a call to what it gives by NumPy, and compiled."""
    monkeypatch.setattr(loops, "WORTH", 1)

    def ways(call):
        made = []
        for after in (math.inf, 0):
            monkeypatch.setattr(COMPILER, "after", after)
            with np.errstate(all="ignore"):
                made.append(call())
        assert COMPILER.after == 0, "it was compiled"
        return made

    return ways


def same_bits(one, other) -> None:
    one, other = np.asarray(one), np.asarray(other)
    assert (one.dtype, one.shape) == (other.dtype, other.shape)
    nan = np.isnan(one)
    np.testing.assert_array_equal(np.isnan(other), nan)
    assert np.where(nan, 0, one).tobytes() == np.where(nan, 0, other).tobytes()
    assert one.flags.c_contiguous == other.flags.c_contiguous, "in whose order it is added up later"


@pytest.mark.parametrize("drawn", [usual, sizes])
@pytest.mark.parametrize("name", CALLS)
def test_compiled_it_is_the_same_bit_for_bit(name, drawn, both):
    rng = np.random.default_rng(len(name))
    arrays = [signed(drawn(rng), rng), *(drawn(rng) for _ in range(3))]
    same_bits(*both(lambda: CALLS[name](*arrays)))


def product_and_sum(x, y, z):
    return x * y + z


def test_a_product_and_a_sum_are_not_contracted(both):
    x = 1 + np.arange(1, SIZE + 1) * 2.0**-40
    by_numpy, compiled = both(lambda: in_blocks(product_and_sum, x, x, -(x * x)))
    assert not by_numpy.any()
    assert not compiled.any(), "a rounding is left out"


def sum_of_three(x, y, z):
    return x + y + z


def test_nothing_is_reordered(both):
    x, y = np.full(SIZE, 1e16), np.full(SIZE, 1.0)
    same_bits(*both(lambda: in_blocks(sum_of_three, x, y, -x)))


def swapped(array):
    return array.astype(array.dtype.newbyteorder())


def misaligned(array):
    apart = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    apart[...] = array
    return apart


def read_only(array):
    array.flags.writeable = False
    return array


V, B = np.random.default_rng(0).normal(size=(2, 60, 70))
ARRAYS = {
    "read-only": (read_only(V.copy()), read_only(np.abs(B))),
    "broadcast from one": (V, np.broadcast_to(np.float64(3), V.shape)),
    "broadcast along an axis": (V, np.broadcast_to(np.abs(B[:1]), V.shape)),
    "one for each row": (V, np.abs(B[:, :1])),
    "one for each column": (V, np.abs(B[0])),
    "one for each row of a square": (V[:, :60], np.abs(B[:, :1])),
    "one for each column of a square": (V[:, :60], np.abs(B[0, :60])),
    "one for each column of rows of rows": (V.reshape(6, 10, 70), np.abs(B[:1, None])),
    "one for each row, and of a row one entry": (V[:, :1], np.abs(B[:, 1:2])),
    "one for each of the second axis": (V.reshape(6, 10, 70), np.abs(B[:10, :1])),
    "one row": (V[:1], np.abs(B[0])),
    "transposed": (V.T, np.abs(B).T),
    "the first transposed": (V.reshape(70, 60).T, np.abs(B)),
    "transposed, and one for each column": (V[:, :60].T, np.abs(B[0, :60])),
    "transposed, and one for each row": (V.T, np.abs(B[:1]).T),
    "the second transposed": (V, np.abs(B.reshape(70, 60)).T),
    "every other": (V[::2, ::3], np.abs(B)[::2, ::3]),
    "backwards": (V[::-1], np.abs(B)[:, ::-1]),
    "0-d": (V[0, 0], np.asarray(2.0)),
    "a 0-d array": (np.asarray(-2.5), np.asarray(2.0)),
    "none": (V[:0], B[:0]),
    "float32": (V.astype(np.float32), np.abs(B)),
    "both float32": (V.astype(np.float32), np.abs(B).astype(np.float32)),
    "bfloat16": (V.astype(ml_dtypes.bfloat16), np.abs(B)),
    "float16": (V.astype(np.float16), np.abs(B)),
    "whole numbers": ((9 * V).astype(np.int32), np.abs(B)),
    "another order of bytes": (swapped(V), swapped(np.abs(B))),
    "not aligned": (misaligned(V), misaligned(np.abs(B))),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_whatever_the_arrays(name, both):
    value, bound = ARRAYS[name]
    before, writeable = (np.array(value), np.array(bound)), [np.asarray(a).flags.writeable for a in (value, bound)]
    same_bits(*both(lambda: in_blocks(rounded_bound, value, bound, 1.0, *LIMITS)))
    if np.size(value):
        same_bits(*both(lambda: reduced(share_and_conditions, 4, 0.5, value, bound, None, None)))
    for array, could_be_written, was in zip((value, bound), writeable, before, strict=True):
        assert np.asarray(array).flags.writeable is could_be_written
        np.testing.assert_array_equal(array, was)


@pytest.mark.parametrize("place", [0, 1, 1023, 1024, 40_000, SIZE - 1])
@pytest.mark.parametrize("found", [2.0, np.inf, np.nan])
def test_of_the_largest_the_first_and_of_nan_the_first(place, found, both):
    entries, ones = np.full(SIZE, 0.5), np.ones(SIZE)
    entries[place:] = found
    entries[-1] = np.nan if place < SIZE - 1 and np.isnan(found) else found
    by_numpy, compiled = both(lambda: reduced(share_used, 0, entries, 0.0, ones, None, None))
    np.testing.assert_equal(compiled, by_numpy)
    assert compiled[1] == place


@pytest.mark.parametrize("place", [0, 40_000])
def test_after_a_nan_conditions_are_counted_to_the_end(place, both):
    entries, ones = np.full(SIZE, 0.5), np.ones(SIZE)
    entries[place], entries[-3:], ones[-2:] = np.nan, 0.0, np.inf
    by_numpy, compiled = both(lambda: reduced(share_and_conditions, 4, entries, entries, ones, None, None))
    np.testing.assert_equal(compiled, by_numpy)
    np.testing.assert_equal(compiled, (np.nan, place, 3, 3, SIZE - 4, 0))


def test_two_threads_at_once_give_the_same(monkeypatch):
    rng = np.random.default_rng(5)
    arrays = [sizes(rng) for _ in range(4)]
    monkeypatch.setattr(loops, "COMPILER", Compiler(0))
    monkeypatch.setattr("harness.arithmetic.blocks.COMPILER", Compiler(0))  # which has compiled nothing

    def all_of_them(_):
        with np.errstate(all="ignore"):
            return [call(*arrays) for call in CALLS.values()]

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(all_of_them, range(4)))
    for other in made[1:]:
        for one, again in zip(made[0], other, strict=True):
            same_bits(one, again)


def test_it_is_compiled_after_so_many_entries_and_for_no_small_array():
    compiler = Compiler(after=3 * loops.WORTH)
    assert [compiler.loops(product_and_sum, loops.WORTH) for _ in range(3)] == [None] * 3
    made = compiler.loops(product_and_sum, loops.WORTH)
    assert made is not None
    assert compiler.loops(product_and_sum, 10 * loops.WORTH) is made
    assert compiler.loops(product_and_sum, loops.WORTH - 1) is None


def bounded_by(limit):
    """A formula that names a constant, and calls another."""
    names = {"LIMIT": limit, "most": most, "where": where, "np": np}
    exec("def inner(x):\n    return where(x <= LIMIT, x, LIMIT)\ndef outer(x):\n    return inner(np.abs(x))\n", names)
    return names["outer"]


def test_what_is_kept_is_of_that_formula_and_its_constants():
    assert loops._version(bounded_by(1.0)) == loops._version(bounded_by(1.0))
    assert loops._version(bounded_by(1.0)) != loops._version(bounded_by(2.0))
    assert loops._version(product_and_sum) != loops._version(sum_of_three)


def test_an_attribute_may_have_the_name_of_a_rule():
    assert list(loops._called(elementary._propagated_by_root)) == [elementary._propagated_by_root]
    assert hasattr(elementary, "sqrt"), "which it does not call"


PROGRAM = """
import sys, numpy as np
from harness.arithmetic.loops import COMPILER
from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import rounded_bound
COMPILER.after = 0
{before}
x = np.linspace(-3, 3, 5000)
made = in_blocks(rounded_bound, x, np.abs(x), 1.0, 2.0**-24, 1.0, 2.0**-126, 3e38, 1e20)
print(made.sum().hex(), COMPILER.after)
"""


def program(tmp_path, before="", **variables) -> list[str]:
    """What a process prints that evaluates a formula."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before)], capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), **variables},
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


def test_what_was_compiled_is_kept_for_the_next_process(tmp_path):
    first = program(tmp_path)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb*")}
    assert len(kept) == 2, "one loop, and the list of what there is of it"
    assert program(tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb*")} == kept


NOTHING_WRITTEN = "import os; os.makedirs = lambda *a, **k: (_ for _ in ()).throw(PermissionError())"
FULL = (
    "from numba.core.caching import FunctionCache as Cache\n"
    "def save(*_): raise OSError(28, 'No space left on device')\n"
    "Cache.save_overload = save"
)


@pytest.mark.parametrize(
    ("before", "variables", "left"),
    [
        ("sys.modules['numba'] = None", {}, "inf"),
        ("", {"NUMBA_DISABLE_JIT": "1"}, "inf"),
        (NOTHING_WRITTEN, {}, "inf"),
        (FULL, {}, "0"),
    ],
    ids=["not installed", "switched off", "no folder to write in", "a full disk"],
)
def test_without_numba_and_where_it_can_keep_nothing_the_result_is_the_same(before, variables, left, tmp_path):
    assert program(tmp_path / "other", before, **variables) == [program(tmp_path)[0], left]


def test_a_few_entries_of_single_precision_are_computed_in_float64():
    few = np.linspace(1, 2, 7, dtype=np.float32)
    made = in_blocks(dot_products.scaled_back, few, 1 + 2.0**-40, 2.0**-60)
    same_bits(made, few.astype(np.float64) * (1 + 2.0**-40) + 2.0**-60)
