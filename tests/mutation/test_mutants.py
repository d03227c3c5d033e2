"""Mutants: what is changed, that it reaches everybody who holds the function, and that it always goes away again."""

import ast
import functools
from functools import lru_cache

import numpy as np
import pytest

from harness.edits.operators import OPERATORS
from harness.edits.syntax import fingerprint
from harness.mutation.mutants import mutants_of, planted, watched


def changes(function, operator=None):
    return {mutant.after for mutant in mutants_of(function) if operator in (None, mutant.operator)}


def one(function, after):
    (mutant,) = [mutant for mutant in mutants_of(function) if mutant.after == after]
    return mutant


def product(x, dz, W):
    dW = x.T @ dz
    return dW - W


def sums(dz, n):
    db = dz.sum(axis=0)
    db[1:n] /= n
    return -db


def ties(z, da):
    if z > 0:
        return np.where(z, da, 2 * da)
    for i in range(z):
        da += i
    return da


SLIPS = [
    # What is the same function as a mutant before is made once: -(dW - W) is W - dW, and dW - -W is dW + W.
    (product, "sign", {"dW = -(x.T @ dz)", "dW = -x.T @ dz", "dW = x.T @ -dz", "return -(dW - W)", "return -dW - W"}),
    (product, "operator", {"dW = x.T * dz", "dW = dz @ x.T", "return dW + W", "return dW * W", "return dW / W"}),
    (product, "operand", {"dW = dz.T @ dz", "dW = W.T @ dz", "dW = x.T @ x", "dW = x.T @ W", "return x - W",
                          "return dz - W", "return W - W", "return dW - x", "return dW - dz", "return dW - dW"}),
    (product, "transposition", {"dW = x @ dz", "dW = x.T @ dz.T", "dW = (x.T @ dz).T"}),
    (product, "dropped term", {"dW = x.T", "dW = dz", "return dW", "return -W"}),
    (sums, "axis", {"db = dz.sum(axis=1)", "db = dz.sum(axis=-1)", "db = dz.sum(axis=None)"}),
    (sums, "off by one", {"db[2:n] /= n", "db[0:n] /= n", "db[1:n - 1] /= n", "db[1:n + 1] /= n"}),
    (sums, "dropped statement", {"pass"}),
    (ties, "comparison", {"if z >= 0:", "if z <= 0:", "if z < 0:"}),
    (ties, "argument order", {"return np.where(da, z, 2 * da)", "return np.where(z, 2 * da, da)"}),
]  # fmt: skip


@pytest.mark.parametrize(("function", "operator", "expected"), SLIPS, ids=lambda v: getattr(v, "__name__", None))
def test_every_slip_of_a_kind_is_made(function, operator, expected):
    assert changes(function, operator) == expected


def test_every_operator_makes_mutants_of_something():
    assert {mutant.operator for function in (product, sums, ties) for mutant in mutants_of(function)} == set(OPERATORS)


def test_no_two_mutants_of_a_statement_are_the_same_function():
    def scaled(a, b, c):
        return a * b * c

    after = sorted(changes(scaled, "sign"))
    assert len(after) == 1  # -(a b c), (-a) b c, ... are one function


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("a * 1", "a / 1", True),
        ("(a + b) * c", "a * c + b * c", True),
        ("a ** 2", "a * a", True),
        ("-(a - b)", "b - a", True),
        ("f(a + b)", "f(b + a)", True),
        ("f(a)", "f(b)", False),
        ("a @ b", "b @ a", False),
        ("a + b - b", "a", False),  # of other shapes, perhaps
        ("a / (b - b)", "a", False),
        ("0.1 * a", "a / 10", False),  # 0.1 is the double nearest to it
        ("a > b", "a >= b", False),
        ("a[0]", "a[1]", False),
    ],
)
def test_expressions_are_told_apart_by_exact_arithmetic(first, second, same):
    one, other = (fingerprint(ast.parse(text).body[0].value) for text in (first, second))
    assert (one == other) is same


def test_a_change_in_place_is_what_it_stands_for():
    texts = ("x *= a / b", "x *= a * (1 / b)", "x *= a", "x /= a")
    one, same, other, reverse = (fingerprint(ast.parse(text).body[0]) for text in texts)
    assert one == same
    assert other != reverse


def test_everybody_who_holds_the_function_calls_the_mutant_and_then_the_function():
    held = product
    eye = np.eye(2)
    mutant = one(product, "return dW + W")
    with planted(product, mutant):
        assert np.all(held(eye, eye, eye) == 2 * eye)
    assert mutant.ran
    assert np.all(held(eye, eye, eye) == 0)


def test_the_function_comes_back_after_an_error():
    own = product.__code__
    with pytest.raises(RuntimeError, match="out of cheese"), planted(product, one(product, "dW = dz")):
        raise RuntimeError("out of cheese")
    assert product.__code__ is own


def test_lines_and_names_are_those_of_the_file():
    mutant = one(product, "dW = dz")
    assert mutant.line == product.__code__.co_firstlineno + 1
    assert mutant.code.co_qualname == "product"
    assert mutant.code.co_filename == product.__code__.co_filename


def made(scale, offset):
    def backward(x, by=3):
        nonlocal offset
        offset += 1
        return scale * x + offset + by

    return backward


def test_closures_and_defaults_are_the_functions_own():
    function = made(2.0, 10.0)
    with planted(function, one(function, "return x + offset + by")):  # scale is closed over and read no more
        assert function(1.0) == 1.0 + 11.0 + 3
    assert function(1.0) == 2.0 + 12.0 + 3


class Base:
    def slope(self):
        return 1.0


class Layer(Base):
    def __init__(self):
        self.__hidden, self.gain, self.other = 5.0, 2.0, 3.0

    def slope(self):
        return super().slope() + self.__hidden * self.gain + self.other

    @staticmethod
    def backward(da, z):
        return da * z

    @classmethod
    def named(cls, z):
        return cls.backward(z, z) + z


def test_methods_keep_super_and_private_names():
    layer = Layer()
    with planted(Layer.slope, one(Layer.slope, "return super().slope() + self.__hidden * self.other + self.other")):
        assert layer.slope() == 1 + 5 * 3 + 3
    with planted(Layer.backward, one(Layer.backward, "return da + z")):
        assert layer.backward(2, 3) == 5
    with planted(Layer.named, one(Layer.named, "return cls.backward(z, z) - z")):
        assert Layer.named(3) == 6


def doubled(function):
    @functools.wraps(function)
    def wrapper(*args):
        return 2 * function(*args)

    return wrapper


@doubled
def decorated(x):
    return x + 1


@lru_cache
def cached(x):
    return x + 1


def test_decorators_are_seen_through_and_forget():
    with planted(decorated, one(decorated, "return x - 1")):
        assert decorated(3) == 4
    assert (decorated(3), cached(3)) == (8, 4)
    with planted(cached, one(cached, "return x - 1")):
        assert cached(3) == 2
    assert cached(3) == 4


def shows(x):
    z = 2 * x
    return locals()


def test_what_locals_gives_has_no_new_names():
    for mutant in mutants_of(shows):
        with planted(shows, mutant):
            try:
                result = shows(3.0)
            except TypeError:
                continue
        assert set(result) == {"x", "z"}
    code, ran = watched(shows)
    assert not ran
    assert code.co_varnames == shows.__code__.co_varnames


def nested(x):
    def inner(y):
        return y + x

    return sum(inner(v) for v in x)


def test_functions_within_are_changed_too():
    assert "return y - x" in changes(nested)
    with planted(nested, one(nested, "return y * x")):
        assert np.all(nested(np.array([1.0, 2.0])) == [3.0, 6.0])
