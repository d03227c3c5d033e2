"""Many tensors judged together: the same rows, bit for bit, as each by itself, and as entry by entry by the rules."""

import math

import numpy as np
import pytest
from msgspec.structs import replace

from harness.arithmetic import loops
from harness.arithmetic.blocks import ENTRIES
from harness.comparison.judge import Compared, Row, judge, judge_each, not_comparable
from harness.comparison.segments import SMALL, together
from harness.comparison.standard import LEAST, SAMPLE, Standard

STRANGE = [np.nan, np.inf, -np.inf, 1e308, -1e308, -0.0, 5e-324]
DTYPES = ["float64", "float32", "bfloat16", "float16", "int64", "uint8"]
SHAPES = [(), (1,), (3,), (4, 5), (2, 3, 4), (1, 600), (70, 30)]
LARGE = [(1, SMALL), (SMALL + 1,), (ENTRIES,), (3, ENTRIES // 2 + 7), (2 * ENTRIES + 1,)]


def centre(rng, shape):
    value = rng.standard_normal(shape) * 10.0 ** rng.integers(-12, 12)
    kind = rng.integers(8)
    if kind == 0:
        value = value * 0
    elif kind == 1:
        value = np.where(rng.random(shape) < 0.8, 0.0, value)
    elif kind == 2:
        value = np.round(value)
    elif kind == 3:
        value = np.where(rng.random(shape) < 0.2, rng.choice(STRANGE, shape), value)
    return np.asarray(value)


def allowance(rng, value):
    bound = np.abs(value) * 10.0 ** rng.integers(-9, 2) * rng.random(value.shape)
    kind = rng.integers(7)
    if kind == 0:
        return np.broadcast_to(np.float64(0), value.shape)
    if kind == 1:
        bound = np.where(rng.random(value.shape) < 0.3, 0.0, bound)
    elif kind == 2:
        bound = np.where(rng.random(value.shape) < 0.2, np.abs(rng.choice(STRANGE, value.shape)), bound)
    return np.asarray(bound)


def hostile(rng, shapes):
    """A tensor, what is expected and allowed, and perhaps a tail, of all the kinds that there are."""
    shape = shapes[rng.integers(len(shapes))]
    value = centre(rng, shape)
    bound = allowance(rng, value)
    actual = value + bound * rng.uniform(-1, 1, shape) * rng.choice([0.0, 1.0, 1.0, 3.0])
    if rng.random() < 0.2:
        actual = np.where(rng.random(shape) < 0.1, rng.choice(STRANGE, shape), actual)
    actual = np.asarray(actual).astype(rng.choice(DTYPES) if rng.random() < 0.6 else "float64")
    value = value.astype(rng.choice(["float64", "float64", "float32", "bfloat16"]))
    if rng.random() < 0.1:
        value = np.nan_to_num(value.astype(np.float64)).astype("int64")
    tail = np.asarray(value, np.float64) * 2.0**-55 if rng.random() < 0.3 else None
    if rng.random() < 0.2:
        actual, value, bound = (np.asfortranarray(each) for each in (actual, value, bound))
    return actual, value, bound, tail


def entry_by_entry(actual, expected, allowed, tail):
    """The numbers of a row of a tensor no larger than a sample, by their definitions."""
    size = actual.size
    theirs, value, bound = (np.asarray(each, np.float64).reshape(-1) for each in (actual, expected, allowed))
    rest = np.zeros(size) if tail is None else tail.reshape(-1)
    bounded = [math.isfinite(value[i]) and math.isfinite(bound[i]) for i in range(size)]
    difference = [theirs[i] - value[i] - rest[i] for i in range(size)]
    shares = [abs(difference[i]) / max(LEAST, bound[i]) if bound[i] == bound[i] else np.nan for i in range(size)]
    if not all(map(math.isfinite, shares)):
        shares = [abs(difference[i]) / bound[i] if difference[i] != 0 and bounded[i] else 0.0 for i in range(size)]
        shares = [math.inf if math.isnan(share) else share for share in shares]
    place = shares.index(max(shares))
    comparable = [i for i in range(size) if bounded[i] and value[i] != 0]
    seen = sorted((bound[i] / abs(value[i]) for i in range(size) if value[i] != 0), key=lambda x: (math.isnan(x), x))
    return {
        "outside": sum(bounded[i] and not abs(difference[i]) <= bound[i] for i in range(size)),
        "used": shares[place],
        "index": tuple(map(int, np.unravel_index(place, actual.shape))),
        "difference": difference[place],
        "allowed": bound[place],
        "zeros": sum(not value[i] for i in range(size)),
        "unbounded": size - sum(bounded),
        "sees": 2 * seen[len(seen) // 2] if seen else np.nan,
        "sees_95": 2 * seen[math.ceil(0.95 * len(seen)) - 1] if seen else np.nan,
        "power": not len(seen) or sum(bool(abs(value[i]) > 2 * bound[i]) for i in comparable) > len(comparable) // 2,
    }


def bits(number):
    return np.float64(number).tobytes() if isinstance(number, float) else (type(number), number)


def same(one, other):
    return all(bits(getattr(one, field)) == bits(getattr(other, field)) for field in Row.__struct_fields__)


def alone(case):
    actual, expected, allowed, tail = case
    return judge("formula", "dW1", "mine", 1, actual=actual, expected=expected, allowed=allowed, tail=tail)


def all_at_once(cases):
    compared = [Compared("dW1", actual, Standard(*rest)) for actual, *rest in cases]
    return judge_each("formula", "mine", 1, compared)


@pytest.mark.parametrize("seed", range(40))
def test_a_row_holds_what_its_definitions_give_entry_by_entry(seed):
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        cases = [hostile(rng, SHAPES) for _ in range(25)]
        right = [entry_by_entry(*case) for case in cases]
    for row, numbers, (actual, *_) in zip(all_at_once(cases), right, cases, strict=True):
        power = numbers.pop("power")
        for name, number in numbers.items():
            number = (float(number) if math.isfinite(number) else None) if isinstance(number, float) else number
            assert bits(getattr(row, name)) == bits(number), (name, row, number)
        assert row.entries == actual.size
        assert row.verdict == ("FAULT" if row.outside else "ok" if power else "no power")


@pytest.mark.parametrize("seed", range(15))
def test_tensors_judged_together_have_the_rows_that_each_has_alone(seed):
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        cases = [hostile(rng, SHAPES * 5 + LARGE) for _ in range(rng.integers(1, 60))]
    for row, case in zip(all_at_once(cases), cases, strict=True):
        assert same(row, alone(case)), (row, alone(case))


@pytest.mark.parametrize("seed", range(15))
def test_a_row_is_the_same_bit_for_bit_where_formulas_are_compiled(seed, monkeypatch):
    rng = np.random.default_rng(100 + seed)
    monkeypatch.setattr(loops, "WORTH", 1)
    with np.errstate(all="ignore"):
        cases = [hostile(rng, SHAPES + LARGE) for _ in range(20)]
    rows = []
    for after in (math.inf, 0):
        monkeypatch.setattr(loops.COMPILER, "after", after)
        rows.append([alone(case) for case in cases])
    assert loops.COMPILER.after == 0, "they were"
    for by_numpy, compiled in zip(*rows, strict=True):
        assert same(by_numpy, compiled), (by_numpy, compiled)


@pytest.mark.parametrize("after", [math.inf, 0], ids=["by NumPy", "compiled"])
def test_two_bounds_allow_what_their_sum_does(after, monkeypatch):
    rng = np.random.default_rng(3)
    monkeypatch.setattr(loops.COMPILER, "after", after)
    with np.errstate(all="ignore"):
        cases = [hostile(rng, SHAPES + LARGE) for _ in range(100)]
        parts = [(allowed, allowance(rng, np.asarray(value, np.float64))) for _, value, allowed, _ in cases]
        sums = [Standard(case[1], one + other, case[3]) for case, (one, other) in zip(cases, parts, strict=True)]
    two = [Standard(case[1], one, case[3], other) for case, (one, other) in zip(cases, parts, strict=True)]

    def judged(standards):
        compared = [Compared("dW1", case[0], each) for case, each in zip(cases, standards, strict=True)]
        return [
            *judge_each("end-to-end", "mine", 1, compared),
            *(judge_each("end-to-end", "mine", 1, [c])[0] for c in compared),
        ]

    for one, other in zip(judged(sums), judged(two), strict=True):
        assert same(one, other), (one, other)
    assert loops.COMPILER.after == after


def test_a_large_tensor_is_the_sum_of_its_blocks_and_its_worst_entry_is_the_first_of_the_largest():
    size = 2 * ENTRIES + 5
    expected, allowed, actual = np.ones(size), np.full(size, 0.5), np.ones(size)
    actual[[ENTRIES - 1, ENTRIES + 3, size - 1]] += [1.0, 2.0, 2.0]
    expected[7], allowed[11] = 0.0, np.inf
    row = alone((actual, expected, allowed, None))
    assert (row.outside, row.used, row.index, row.zeros, row.unbounded) == (4, 4.0, (ENTRIES + 3,), 1, 1)
    assert row.entries == size > SAMPLE


def test_other_shapes_and_rows_keep_their_places():
    ones = np.ones(3)
    row = not_comparable("formula", "dW2", "mine", 1, "mine shows no dW2")
    given = [
        Compared("dW1", np.ones((3, 1)), Standard(ones, ones)),
        row,
        Compared("dW3", np.ones(SMALL + 1), Standard(np.ones(SMALL + 1), np.zeros(SMALL + 1))),
        Compared("dW4", ones, Standard(ones, ones * 0)),
    ]
    found = judge_each("formula", "mine", 1, given)
    assert [each.gradient for each in found] == ["dW1", "dW2", "dW3", "dW4"]
    assert [each.verdict for each in found] == ["not comparable", "not comparable", "ok", "ok"]
    assert found[0].reason == "shape (3, 1) instead of (3,)"
    assert found[1] is row


def test_what_standards_can_tell_is_counted_once_whoever_is_judged_by_them():
    standards = {"dW1": Standard(np.ones(3), np.zeros(3)), "dW2": Standard(np.ones(2), np.ones(2))}
    counted = {}

    def judged(who, *names):
        given = (Compared(name, standards[name].expected, standards[name]) for name in names)
        return judge_each("formula", who, 1, given, counted)

    (first,) = judged("a", "dW2")
    assert counted.keys() == {"dW2"}
    before = counted["dW2"]
    both = judged("b", "dW1", "dW2")
    assert counted["dW2"] is before
    assert [row.sees for row in both] == [0.0, 2.0]
    assert both[1] == replace(first, against="b")
    assert [row.sees for row in judged("c", "dW1", "dW2")] == [0.0, 2.0]


def test_small_tensors_fill_a_block_and_a_large_one_is_alone_at_once():
    sizes = [1, SMALL + 1, *[SMALL] * 8, 3, 0]
    groups = list(together((size, at) for at, size in enumerate(sizes)))
    assert groups == [[1], [0, *range(2, 9)], [11], [9, 10]]
    assert all(sum(sizes[at] for at in group) <= ENTRIES for group in groups)
