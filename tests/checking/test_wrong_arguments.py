"""Arguments of `check_vjp` that are none: each is refused in one sentence before anything is compared."""

import numpy as np
import pytest

from harness import Constant, Flags, Indices, OneOf, Probabilities, Reals, UsageError, check_vjp
from impls.hand import Dense, Identity, Tanh

NAN, INF = float("nan"), float("inf")
MASKED = np.ma.masked_array(np.ones((2, 3)), mask=np.eye(2, 3))


class Somebody:
    pass


ANYTHING = (5, "x", b"x", [], {}, Somebody, Somebody(), np.ones(2), 1.5, True, NAN)
Z = {"z": ("N", "M")}


def declared(*values, of="z"):
    return [{"inputs": {of: value}} for value in values]


def given(name, *values, **besides):
    return [{name: value, **besides} for value in values]


WRONG = {
    "forward": [{"forward": value} for value in (*ANYTHING[:5], Somebody, None, True, lambda: 1, lambda z: "x")],
    "backward": given("backward", 5, "x", b"x", [], Somebody(), True, np.ones(2)),
    "reference": given("reference", 5, None, "tanh", Somebody(), Somebody, Tanh, [], (), {}, True, inputs=Z),
    "surrogate": given("surrogate", 5, "x", Somebody(), [], {}, Tanh, Dense(4, 3), True, lambda a, b: a, lambda z: "x"),
    "inputs": given(
        "inputs", 5, "", "x", [], {}, Somebody(), b"z=N", {5: ("N",)}, {"": ("N",)}, {None: ("N",)}, {"z": {}},
        "z=N below", "z=N; z=M", "z=N from 3 to 1", "z=0", "z=N from nan to 1", {"x": ("N",)}, np.ones(3),
    ),
    "a shape": declared(
        None, True, "N", Somebody(), Somebody, ("N", 0), ("N", -1), ("N", True), ("N", ""), ("N", "a b"), ("N", 1.5),
        ("N", None), [], [[1, 2], [3]], (10**9, 10**9),
    ),
    "an array": declared(MASKED, np.ones(0), np.full(3, NAN), np.array([1, INF]), np.ones(2) * 1j, np.array(["a"])),
    "reals": declared(
        *[Reals(shape) for shape in (None, 5, "NM", ("N", 0), np.ones(2), Somebody)],
        *[Reals(("N",), low, high) for low, high in [
            (2, 1), (1, 1), (NAN, 1), (0, NAN), ("a", 1), (None, 1), (0, 1j), (INF, INF), (np.ones(2), 5), (True, 2),
            (0, 10**400),
        ]],
    ),
    "indices": declared(
        *[Indices(shape, 3) for shape in (None, 5, ("N", 0))],
        *[Indices(("N",), below=below) for below in (0, -1, None, 1.5, True, "", 2**70)],
        *[Indices(("N",), below=3, low=low) for low in (3, 5, None, "a", 1.5, True, 2**70)],
    ),
    "flags": declared(*[Flags(shape) for shape in (None, 5, ("N", 0))]),
    "probabilities": declared(*[Probabilities(shape) for shape in (None, 5, ("N", -1))]),
    "constants": declared(*[Constant(value) for value in (None, "x", Somebody(), OneOf(1), ("N", 0), np.full(2, NAN))]),
    "no tensor": declared(OneOf(1), OneOf(None)),
    "cases": given("cases", *(ANYTHING[:3] + ANYTHING[4:]), None) + [
        {"cases": [value]} for value in (
            5, None, {}, {"x": np.ones((2, 2))}, {"z": None}, {"z": "x"}, {"z": Somebody()}, {"z": MASKED}, {5: 1},
            {"z": np.full((2, 2), NAN)}, {"z": np.ones(0)}, {"z": [[1, 2], [3]]},
        )
    ],
    "upstream": given(
        "upstream", "x", Somebody(), MASKED, [[1, 2], [3]], NAN, np.ones(2), np.ones((5, 7)) * 1j, {"a": 1},
        lambda: 1, inputs={"z": (5, 7)},
    ),
    "range": given(
        "range", *ANYTHING, (1, 1), (2, 1), (NAN, 1), (0, NAN), ("a", "b"), (0, 1j), (INF, INF),
        (0, 10**400), (True, False), [1], [1, 2, 3],
    ),
    "leave_out": given("leave_out", 5, "kinks", b"x", Somebody, None, True, [5], [None], [["x"]], ["kink"], {"a": 1}),
    "strict": given("strict", 5, "yes", None, [], Somebody(), 1),
    "dtype": given("dtype", "tf32", None, 5, [], Somebody(), np.ones(2), "double"),
    "seed": given("seed", -1, 1.5, "x", None, True, [], NAN, 2**63),
    "timeout": given("timeout", -1, 0, "x", NAN, INF, True, [], Somebody()),
}  # fmt: skip


def never(*arrays):
    raise AssertionError("was run")


@pytest.mark.parametrize("what", WRONG)
def test_is_refused_in_one_sentence(what):
    for options in WRONG[what]:
        functions = {"forward": np.tanh, "backward": never, "reference": Tanh()}
        with pytest.raises(UsageError) as raised:
            check_vjp(**functions | options)
        said = str(raised.value)
        assert said.startswith("Cannot "), options
        assert ", because " in said, options
        assert "; " in said, options
        assert said.endswith("."), options
        assert said.isprintable(), options
        assert len(said) < 600, options


RIGHT = [
    {"strict": np.bool_(True)}, {"seed": np.int64(3)}, {"timeout": np.float64(60)}, {"dtype": np.dtype("float32")},
    {"range": [-1e308, 1e308]}, {"range": (-INF, INF)}, {"inputs": {"z": Reals(["N", 3], np.float64(-2), 5)}},
    {"leave_out": ("kinks",)}, {"leave_out": {"kinks"}}, {"cases": ()}, {"surrogate": Tanh()},
    {"inputs": {"z": np.ma.masked_array(np.ones((2, 3)), mask=False)}},
]  # fmt: skip


@pytest.mark.parametrize("options", RIGHT, ids=str)
def test_what_is_right_is_taken(options):
    def backward(u, z):
        return u * (1 - np.tanh(z) ** 2)

    assert check_vjp(np.tanh, backward, reference=Tanh(), **options).verdict == "PASS"


def test_what_does_not_fit_says_which_argument_it_is():
    for surrogate, said in (
        (5, "surrogate=5"), (Dense(4, 3), "it reads x, W, b"), (Identity, "surrogate=Identity"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            check_vjp(np.tanh, never, reference=Tanh(), surrogate=surrogate)
    with pytest.raises(UsageError, match="from 5 below 3, because no whole numbers lie there"):
        check_vjp(np.tanh, never, reference=Tanh(), inputs="z=N from 5 below 3")
