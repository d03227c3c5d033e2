"""Inputs of an operation: what is drawn, what decides, and what is refused with which words."""

import sys

import numpy as np
import pytest

from harness import Indices, UsageError, check_vjp
from harness.inputs.cases import drawn, random_upstream
from harness.inputs.signature import signature_of
from harness.inputs.sizes import sizes_of
from impls.hand import Dense, LeakyRelu, Relu, SoftmaxCrossEntropy, Tanh
from tests.candidates import numpy_layers as mine

SPEC = {"x": ("N", "M"), "W": ("M", "K"), "ids": Indices(("N",), below="V")}


@pytest.mark.parametrize("seed", range(3))
def test_sizes_are_odd_unequal_and_at_least_two_and_values_are_of_no_special_kind(seed):
    cases = {case.name: case.inputs for case in drawn(signature_of(SPEC, "float64").tensors, "float64", seed)}
    assert list(cases) == [
        "ordinary", "positive", "negative", "saturated", "kinks", "small", "large range", "ties", "far out",
        "other sizes", "even sizes", "equal sizes", "many N", "many M", "many K", "many V",
        "tails N", "tails M", "tails K", "tails V",
        "one N", "one M", "one K", "one V", "repeated indices",
        "zeros in the upstream", "upstream of ones",
    ]  # fmt: skip
    for name in ("ordinary", "other sizes"):
        (n, m), (_, k) = cases[name]["x"].shape, cases[name]["W"].shape
        assert len({n, m, k}) == 3
        assert all(size % 2 and size > 2 for size in (n, m, k))
        assert not np.isin(cases[name]["x"], [0, 1, -1]).any()
        assert cases[name]["ids"][0] == cases[name]["ids"][1]
    assert cases["ordinary"]["x"].shape != cases["other sizes"]["x"].shape
    assert len(set(cases["repeated indices"]["ids"])) <= 2
    assert (cases["negative"]["x"] < 0).all()
    assert np.abs(cases["saturated"]["x"]).min() >= 4
    upstream = random_upstream((7, 5), "float32", np.random.default_rng(seed))
    assert upstream.all()
    assert np.unique(upstream).size > 30
    assert (upstream > 0).any()
    assert (upstream < 0).any()


def test_kinks_have_values_on_both_sides_and_on_them():
    inputs = drawn({"x": (40, 41)}, "float32", 0)[4].inputs["x"]
    for kink in (-3, 0, 3):
        near = set(np.sign(inputs[np.abs(inputs - kink) < 0.1] - kink))
        assert near == {-1, 0, 1}


def test_sizes_differ_from_those_given():
    assert sizes_of({"x": ("N", 5), "w": ("M", 7)}) == {"N": 3, "M": 9}
    many = {"x": tuple("ABCDEFGHIJKL")}
    assert len(set(sizes_of(many).values())) == 12


def test_arrays_stay_and_are_varied_so_that_defaults_do_not_decide():
    def no_weight(u, x, w):
        return u, (u * x).sum(0)

    x, ones = np.random.default_rng(0).normal(size=(5, 3)), np.ones(3)
    options = {"inputs": {"x": x, "w": ones}, "upstream": np.ones((5, 3))}
    found = check_vjp(lambda x, w: x * w, no_weight, reference=product(), **options)
    others = ["varied", "zeros in the upstream", "upstream of ones"]
    assert found.cases == ["given", "your upstream", *others]
    assert [found.case(row) for row in found.rows if row.verdict == "FAULT"] == others
    assert "not tried  other numbers and sizes: x, w are arrays; with shapes they are drawn" in str(found)
    assert found.exit == 1


def test_an_upstream_of_ones_does_not_decide():
    found = check_vjp(
        mine.relu, lambda u, z: 1.0 * (z > 0), reference=Relu(), inputs={"z": (5, 3)}, upstream=np.ones((5, 3))
    )
    wrong = {found.case(row) for row in found.rows if row.verdict == "FAULT"}
    assert "your upstream" not in wrong
    assert "ordinary" in wrong


def test_the_users_cases_are_added_in_any_frameworks_arrays(framework):
    asarray = __import__("torch").tensor if framework == "torch" else __import__("jax").numpy.array
    cases = [{"z": asarray([[0.0, -1.0]])}, {"z": np.array([[5.0]])}]
    wrong_at_zero = check_vjp(
        LeakyRelu(0.1).forward, lambda u, z: u * np.where(z > 0, 1, np.where(z == 0, -3, 0.1)),
        reference=LeakyRelu(0.1), cases=cases,
    )  # fmt: skip
    assert wrong_at_zero.cases[-2:] == ["your case 1", "your case 2"]
    verdicts = {wrong_at_zero.case(row): row.verdict for row in wrong_at_zero.rows if row.gradient == "dz"}
    assert verdicts["your case 1"] == "FAULT"
    assert verdicts["your case 2"] == "ok"


def test_where_the_reference_is_not_finite_nothing_is_compared():
    found = check_vjp(np.log, lambda u, x: u / x, reference=framework_log(), inputs={"x": ("N", "M")})
    verdicts = {found.case(row): row.verdict for row in found.rows if row.gradient == "dx"}
    assert found.exit == 0
    assert verdicts["positive"] == "ok"


def product():
    pytest.importorskip("torch")
    return lambda x, w: x * w


def framework_log():
    return pytest.importorskip("torch").log


def refused(match, *functions, **options):
    with pytest.raises(UsageError, match=match) as raised:
        check_vjp(*functions, **options)
    assert str(raised.value).startswith("Cannot ")
    assert "; " in str(raised.value)
    assert "\n" not in str(raised.value)


def test_wrong_use_is_told(framework):
    tanh = __import__("torch").tanh if framework == "torch" else __import__("jax").numpy.tanh
    pair, drawn_from = (np.tanh, mine.tanh_backward), {"inputs": {"z": ("N", "M")}}
    refused("nothing says what it reads", *pair, reference=tanh)
    refused("neither a hand layer nor a function", *pair, reference=3, **drawn_from)
    refused("names are for the command line", *pair, reference=(tanh, "tanh"), **drawn_from)
    refused("a vote is between", *pair, reference=(tanh, tanh), **drawn_from)
    refused("backward=4", np.tanh, 4, reference=Tanh())
    refused("forward=None", None, reference=Tanh())
    refused("dtype='tf32'", *pair, reference=Tanh(), dtype="tf32")
    refused("seed=-1", *pair, reference=Tanh(), seed=-1)
    refused("each input needs a name", *pair, reference=tanh, inputs=[("N", "M")])
    refused("a shape is a tuple", *pair, reference=tanh, inputs={"z": "NM"})
    refused("the size 0 of the input 'z'", *pair, reference=tanh, inputs={"z": ("N", 0)})
    refused("the size True", *pair, reference=tanh, inputs={"z": ("N", True)})
    refused("dtype complex128", *pair, reference=tanh, inputs={"z": np.ones(3) * 1j})
    refused("it reads x, W, b", *pair, reference=Dense(4, 3), **drawn_from)
    refused(r"cases\[0\]", *pair, reference=Tanh(), cases=[{"x": np.ones((2, 2))}])
    refused(r"cases\[0\]", *pair, reference=Tanh(), cases=[3])
    refused("give a list of dictionaries", *pair, reference=Tanh(), cases={"z": np.ones((2, 2))})
    refused("it is empty", *pair, reference=Tanh(), inputs={"z": np.ones((0, 3))})
    refused("z, because it holds whole numbers", *pair, reference=Tanh(), inputs={"z": np.arange(6).reshape(2, 3)})
    refused("they hold whole numbers", *pair, reference=tanh, inputs={"z": np.arange(6)})
    refused(r"the shapes x \(5, 7\)", mine.dense, mine.dense_backward, reference=Dense(4, 3),
            cases=[{"x": np.ones((5, 7)), "W": np.ones((4, 3)), "b": np.ones(3)}])  # fmt: skip
    labels = [{"a": np.ones((2, 3)), "y": np.array([0, 9])}]
    refused("class labels from 0 to 9", lambda a, y: a.sum(), pair[1], reference=SoftmaxCrossEntropy(), cases=labels)
    refused("an upstream of shape", *pair, reference=Tanh(), upstream=np.ones((2, 2)))


def test_numbers_and_sizes_that_nothing_can_hold_are_refused_before_anything_runs():
    def never(*arrays):
        raise AssertionError("was run")

    for inputs, dtype, why in (
        ({"z": np.array([1.0, np.nan])}, "float64", r"nan at \[1\] is no finite number of float64"),
        ({"z": np.array([1e308, 1.0])}, "float32", r"1e\+308 at \[0\] is no finite number of float32"),
        ({"z": (10**9, 10**9)}, "float64", "no memory"),
    ):
        refused(why, never, never, reference=Tanh(), inputs=inputs, dtype=dtype)
    refused("nan at", never, never, reference=Tanh(), upstream=np.full((5, 7), np.nan))
    refused("inf at", never, never, reference=Tanh(), cases=[{"z": np.full((5, 7), np.inf)}])


def test_where_labels_are_drawn_as_reals_the_way_to_draw_whole_numbers_is_told():
    torch = pytest.importorskip("torch")
    inputs = {"a": ("N", "K"), "y": ("N",)}
    refused(r"harness\.Indices", np.tanh, np.tanh, reference=torch.nn.functional.cross_entropy, inputs=inputs)


def test_functions_that_cannot_be_run_are_told(framework):
    library = __import__("torch") if framework == "torch" else __import__("jax").numpy
    inputs = {"z": ("N", "M")}
    refused("NumPy, torch or JAX arrays", lambda a, b: a, lambda u, z: u, reference=Tanh())
    refused("it returns a tuple of 2", lambda z: ("z", z.shape), lambda u, z: u, reference=Tanh())
    refused("it returns nothing", lambda z: None, lambda u, z: u, reference=Tanh())

    def narrowed(z):
        return library.tanh(z).to(library.float32) if framework == "torch" else library.tanh(z).astype("float32")

    pair = (np.tanh, mine.tanh_backward)
    refused("for inputs of float64 it gives float32", *pair, reference=narrowed, inputs={"z": ("N", 3)})
    refused("raises ValueError: not here", *pair, inputs=inputs,
            reference=lambda z: (_ for _ in ()).throw(ValueError("not here\n")))  # fmt: skip


def test_no_framework_is_imported_for_numpy_and_a_hand_layer():
    import subprocess

    code = (
        "import sys, numpy as np, harness; from impls.hand import Tanh; "
        "found = harness.check_vjp(np.tanh, lambda u, z: u * (1 - np.tanh(z) ** 2), reference=Tanh()); "
        "print(found.verdict, 'torch' in sys.modules, 'jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "PASS False False", done.stderr


def test_a_layer_of_ones_own_written_like_the_hand_layers_is_a_reference():
    class Cube:
        """a = z^3, dz = 3 z^2 da."""

        reads, gives, weights = "z", "a", {}

        def forward(self, z):
            return z * z * z

        def dz(self, da, z):
            return 3 * (z * z) * da

    inputs = {"z": ("B", "N", "M")}
    found = check_vjp(lambda z: z**3, lambda u, z: 3 * z**2 * u, reference=Cube(), inputs=inputs)
    assert (found.verdict, found.measured) == ("PASS", False)
    assert check_vjp(lambda z: z**3, lambda u, z: 3 * z * u, reference=Cube(), inputs=inputs).exit == 1
    refused("nothing says what it reads", lambda z: z**3, lambda u, z: 3 * z**2 * u, reference=Cube())
