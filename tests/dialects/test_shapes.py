"""Shapes: as many numbers in another shape are read and said; what would broadcast, and what is no number, fails."""

from fractions import Fraction

import numpy as np
import pytest

import harness
from tests.dialects import programs

SHAPES = {
    "bias (1, n)": lambda g: {name: a[None] if name[:2] == "db" else a for name, a in g.items()},
    "bias (n, 1)": lambda g: {name: a[:, None] if name[:2] == "db" else a for name, a in g.items()},
    "loss (1,)": lambda g: g | {"loss": np.array([g["loss"]])},
    "loss (1, 1)": lambda g: g | {"loss": np.array([[g["loss"]]])},
    "an axis of size 1": lambda g: g | {"dz1": g["dz1"][:, None], "dW1": g["dW1"][..., None]},
    "a vector": lambda g: g | {"dW2": g["dW2"].ravel()},
    "matrices": lambda g: {name: np.matrix(a) if a.ndim else a for name, a in g.items()},
}
LISTS = {
    "lists": lambda g: {name: a.tolist() for name, a in g.items()},
    "numbers": lambda g: g | {"loss": float(g["loss"])},
}


def written(change, **options):
    def backward(weights, x, y):
        found = programs.in_rows(weights, x, y, **options)
        return change({name: np.asarray(a) for name, a in found.items() if name not in ("weights", "x", "y")})

    return backward


def check(function, model=programs.MODEL, **options):
    return harness.check(function, model, "random", batch=16, **options)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", SHAPES)
def test_the_same_numbers_in_another_shape_pass_and_it_is_said(name):
    found = check(written(SHAPES[name]))
    assert (found.verdict, found.exit) == ("PASS", 0), str(found)
    (note,) = found.findings
    assert (note.kind, note.fails) == ("shape", False)
    assert f"note  {found.setting.name} {note.message}" in str(found)
    strict = check(written(SHAPES[name]), strict=True)
    assert (strict.verdict, strict.exit) == ("FAIL", 1)
    assert note.message in strict.reason
    wrong = check(written(SHAPES[name], slope=programs.slope_of_z))
    assert (wrong.verdict, wrong.first_wrong) == ("FAIL", "dz1")


@pytest.mark.parametrize("name", LISTS)
def test_lists_and_numbers_are_as_good(name):
    assert (check(written(LISTS[name]), strict=True).verdict, check(written(LISTS[name])).findings) == ("PASS", [])
    assert check(written(LISTS[name], slope=programs.slope_of_z)).first_wrong == "dz1"


def test_one_note_says_it_of_all():
    found = check(written(lambda g: SHAPES["bias (1, n)"](SHAPES["loss (1,)"](g))))
    assert [f.message for f in found.findings] == [
        "returned db1, db2, loss of shape (1, 3), (1, 2), (1,): read as (3,), (2,), ()"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda g: g | {"db1": g["dz1"].copy()}, "(16, 3) instead of (3,); it is not summed over the 16 samples"),
        (lambda g: g | {"db1": g["db1"][:1]}, "returned db1 of shape (1,) instead of (3,)"),
        (lambda g: g | {"dW1": g["dW1"].T.copy()}, "returned dW1 of shape (3, 4) instead of (4, 3); that is the shape"),
        (lambda g: g | {"dz1": g["dz1"].T.copy()}, "returned dz1 of shape (3, 16) instead of (16, 3)"),
        (lambda g: g | {"dW1": g["dW1"][None].swapaxes(0, 2)}, "returned dW1 of shape (3, 4, 1) instead of (4, 3)"),
        (lambda g: g | {"loss": np.full(16, g["loss"])}, "returned loss of shape (16,) instead of ()"),
        (lambda g: g | {"db2": g["db2"].astype(object)}, "returned db2 as ndarray of object, which cannot be read"),
        (lambda g: g | {"db2": [Fraction(1), 2]}, "returned db2 as list, which cannot be read as an array of real"),
        (lambda g: g | {"db2": [10**400, 2]}, "returned db2 as list, which cannot be read as an array of real numbers"),
        (lambda g: g | {"db2": [[1.0], 2]}, "returned db2 as list, which cannot be read as an array of real numbers"),
        (lambda g: g | {"loss": 1 + 0j}, "returned loss as complex, which cannot be read as an array of real numbers"),
        (lambda g: g | {"dW2": {"all": g["dW2"]}}, "returned dW2 as dict, which cannot be read as an array of real"),
        (lambda g: g | {"dz2": "large"}, "returned dz2 as str, which cannot be read as an array of real numbers"),
        (lambda g: g | {"dz2": g["dz2"] + 0j}, "returned dz2 as ndarray of complex128, which cannot be read"),
    ],
)
def test_what_would_broadcast_or_is_no_number_fails_by_name(change, said):
    found = check(written(change))
    assert (found.verdict, found.exit) == ("FAIL", 1)
    assert any(said in finding.message and finding.fails for finding in found.findings), found.findings


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda g: g | {"dz1": np.zeros((16, 3), int).tolist()}, "dz1"),
        (lambda g: g | {"loss": 7}, "loss"),
        (lambda g: g | {"loss": True}, "loss"),
        (lambda g: g | {"db2": [0, 0]}, "db2"),
        (lambda g: g | {"db2": (0, False)}, "db2"),
        (lambda g: g | {"dW2": np.zeros((3, 2), int)}, "dW2"),
        (lambda g: g | {"dW2": np.zeros((3, 2), bool)}, "dW2"),
        (lambda g: g | {"dW2": np.zeros((3, 2), np.float16)}, "dW2"),
    ],
)
def test_whole_numbers_are_numbers_and_judged(change, wrong):
    found = check(written(change))
    assert found.verdict == "FAIL"
    assert wrong in {row.gradient for row in found.rows if row.verdict in ("FAULT", "inherited")}, str(found)
    reference = harness.reference(harness.load_network(programs.MODEL))
    mine = {**reference.gradients, **reference.activations, "loss": reference.loss}
    lacking = change(mine)
    if lacking[wrong] is not mine[wrong] and np.shape(lacking[wrong]) == np.shape(mine[wrong]):
        assert lacking != harness.allow(reference)


def test_whole_numbers_that_are_right_pass():
    def backward(weights, x, y):
        dz = 2 * (x @ weights["W1"] + weights["b1"] - y)
        return {"dW1": x.T @ dz, "db1": dz.sum(axis=0), "loss": (dz**2).sum() / 4}

    rows = np.arange(8.0).reshape(4, 2)
    network = harness.load_network("2-1", activation="identity")
    reference = harness.reference(network, {"W1": [[1.0], [2.0]], "b1": [3.0]}, rows, np.ones((4, 1)))
    given = backward({"W1": np.array([[1.0], [2.0]]), "b1": np.array([3.0])}, rows, np.ones((4, 1)))
    whole = {name: np.asarray(a).astype(int).tolist() for name, a in given.items()}
    assert whole == harness.allow(reference)
    whole["db1"][0] += 1
    assert whole != harness.allow(reference)


@pytest.mark.parametrize("kept", [("dW1", "db1", "dW2", "db2", "dW3", "db3"), None], ids=["gradients", "locals"])
def test_one_array_under_two_names_is_wrong_under_one_of_them(kept):
    network = harness.load_network("3-3-3-3")

    def right(weights, x, y):
        t = {**weights, "x": x, "y": y}
        for link in network.links:
            t[link.output] = link(t)
        return {name: a for name, a in t.items() if kept is None or name in kept}

    assert check(right, network).verdict == "PASS"
    for one, other in (("dW2", "dW1"), ("dW1", "dW2"), ("db3", "db1")):
        found = check(lambda *given, one=one, other=other: (g := right(*given)) | {one: g[other]}, network)
        assert (found.verdict, found.first_wrong, found.exit) == ("FAIL", one, 1), str(found)
        assert any("in the same memory" in finding.message for finding in found.findings)


def test_one_buffer_for_two_gradients_is_wrong_for_the_first_of_them():
    network, buffer = harness.load_network("3-3-3"), np.zeros((3, 3))

    def backward(weights, x, y):
        found = programs.in_rows(weights, x, y)
        found["dW2"] = buffer
        np.copyto(buffer, found["dW1"])
        return found | {"dW1": buffer}

    found = check(backward, network)
    assert (found.verdict, found.wrong) == ("FAIL", ["dW2"]), str(found)


def test_printing_of_the_first_call_is_cut_and_counted(capsys):
    def talks(weights, x, y):
        for number in range(100):
            print("epoch", number)
        return programs.in_rows(weights, x, y)

    check(talks)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("epoch") == 20
    *_, last = err.splitlines()
    assert last.endswith("talks printed 100 lines, of which the first 20 are shown")

    def says(weights, x, y):
        print("a word")
        return programs.in_rows(weights, x, y)

    check(says)
    assert capsys.readouterr().err == "a word\n"
