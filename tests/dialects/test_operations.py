"""Operations as people write them: losses, several outputs, trees of parameters, options, surrogates; right and wrong.

Every manner comes right, which passes, and with a mistake, which does not.
"""

import ctypes
import shutil
import subprocess
from collections import namedtuple

import numpy as np
import pytest

from harness import Constant, Flags, Indices, OneOf, Reals, UsageError, check_vjp
from impls.hand import Identity, LeakyRelu, Sigmoid, Softmax, SumSquaredError, Tanh
from tests.candidates import numpy_layers as mine

torch = None


@pytest.fixture(autouse=True, scope="module")
def framework_of_references():
    """Collecting tests loads none."""
    global torch
    torch = pytest.importorskip("torch")


def verdict(forward, backward=None, **options):
    found = check_vjp(forward, backward, **options)
    assert found.reason in str(found)
    return found


def right(forward, backward=None, **options):
    found = verdict(forward, backward, **options)
    assert (found.verdict, [f.message for f in found.failing]) == ("PASS", []), str(found)
    return found


def wrong(forward, backward=None, **options):
    found = verdict(forward, backward, **options)
    assert (found.verdict, found.exit) == ("FAIL", 1), str(found)
    return found


XY = {"reference": lambda x, y: ((x - y) ** 2).sum(), "inputs": {"x": ("N", "M"), "y": ("N", "M")}}


@pytest.mark.parametrize(
    "loss",
    [
        lambda x, y: ((x - y) ** 2).sum(),
        lambda x, y: float(((x - y) ** 2).sum()),
        lambda x, y: {"loss": ((x - y) ** 2).sum()},
    ],
    ids=["number of NumPy's", "number of Python's", "dictionary"],
)
def test_a_loss_in_every_manner(loss):
    def backward(u, x, y):
        u = u["loss"] if isinstance(u, dict) else u
        return 2 * u * (x - y), 2 * u * (y - x)

    right(loss, backward, **XY)
    assert wrong(loss, lambda u, x, y: (2 * (x - y), 2 * (y - x)), **XY).causes[0].cause == "upstream missing"
    right(loss, lambda u, x, y: backward(u, x, y)[:1], **{**XY, "inputs": {"x": ("N", "M"), "y": Constant(("N", "M"))}})


def test_a_loss_of_the_hand_code_and_a_single_number_as_input():
    right(
        lambda a, y: float(((a - y) ** 2).sum()), lambda u, a, y: (2 * u * (a - y), None), reference=SumSquaredError()
    )
    scaled = {"reference": lambda x, c: x * c, "inputs": {"x": ("N",), "c": ()}}
    right(lambda x, c: x * c, lambda u, x, c: (u * c, float((u * x).sum())), **scaled)
    assert wrong(lambda x, c: x * c, lambda u, x, c: (u * c, float(u.sum())), **scaled).wrong == ["dc"]


Moments = namedtuple("Moments", "mean square")


@pytest.mark.parametrize(
    "kind", [tuple, list, Moments._make, lambda both: dict(zip(("mean", "square"), both, strict=True))]
)
def test_several_outputs_in_every_container(kind):
    def forward(x):
        return kind([x.mean(1), (x * x).mean(1)])

    def reference(x):
        return {"mean": x.mean(1), "square": (x * x).mean(1)}

    def backward(u, x):
        mean, square = u.values() if isinstance(u, dict) else u
        return (mean[:, None] + 2 * x * square[:, None]) / x.shape[1]

    options = {"reference": reference, "inputs": {"x": ("N", "M")}}
    found = right(forward, backward, **options)
    assert found.outputs == ["output.mean", "output.square"]
    swapped = wrong(forward, lambda u, x: backward(list(u.values() if isinstance(u, dict) else u)[::-1], x), **options)
    assert swapped.wrong == ["dx"]
    other = wrong(lambda x: kind([x.mean(1), (x * x).sum(1)]), backward, **options)
    assert other.wrong == ["output.square"]
    assert other.reason.startswith("the output.square of <lambda> (numpy) is not the reference's in")


def test_a_function_of_several_outputs_that_brings_its_backward():
    class SinCos(torch.autograd.Function):
        sign = -1

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sin(), x.cos()

        @staticmethod
        def backward(ctx, of_sin, of_cos):
            (x,) = ctx.saved_tensors
            return of_sin * x.cos() + SinCos.sign * of_cos * x.sin()

    options = {"reference": lambda x: (torch.sin(x), torch.cos(x)), "inputs": {"x": ("N", "M")}}
    right(SinCos, **options)
    SinCos.sign = 1
    wrong(SinCos, **options)
    values = {"reference": lambda x: x.max(1), "inputs": {"x": ("N", "M")}, "leave_out": ["ties", "kinks"]}
    right(lambda x: (x.max(1), x.argmax(1)), lambda u, x: u[0][:, None] * (x == x.max(1, keepdims=True)), **values)
    fewer = wrong(lambda x: x.sin(), lambda u, x: u * x.cos(), **options)
    assert "forward returns 1 arrays of reals instead of 2, output[0], output[1]" in str(fewer)


LAYER = {
    "reference": lambda params, x: torch.tanh(x @ params["W"] + params["b"]),
    "inputs": "params.W=M,K; params.b=K; x=N,M",
}


def layer(params, x):
    return np.tanh(x @ params["W"] + params["b"])


def layer_backward(u, params, x, *, summed=True):
    dz = u * (1 - layer(params, x) ** 2)
    return {"W": x.T @ dz, "b": dz.sum(0) if summed else dz.mean(0)}, dz @ params["W"].T


def test_parameters_in_a_dictionary():
    assert right(layer, layer_backward, **LAYER).gradients == ["params.dW", "params.db", "dx"]
    by_name = right(layer, lambda *a: dict(zip(("params", "x"), layer_backward(*a), strict=True)), **LAYER)
    assert by_name.shapes["params.W"] == (5, 7)
    found = wrong(layer, lambda *a: layer_backward(*a, summed=False), **LAYER)
    assert found.wrong == ["params.db"]
    assert found.causes[0].cause == "mean for sum"
    inputs = {"params": {"W": ("M", "K"), "b": Constant(("K",))}, "x": ("N", "M")}
    right(layer, lambda *a: ({"W": layer_backward(*a)[0]["W"]}, layer_backward(*a)[1]), **{**LAYER, "inputs": inputs})


def test_lists_of_tensors_and_a_dictionary_alone():
    inputs = {"xs": [("N", "M"), ("N", "M")]}
    reference = {"reference": lambda xs: xs[0] * xs[1], "inputs": inputs}
    right(lambda xs: xs[0] * xs[1], lambda u, xs: [u * xs[1], u * xs[0]], **reference)
    assert wrong(lambda xs: xs[0] * xs[1], lambda u, xs: [u * xs[1], u * xs[1]], **reference).wrong == ["dxs[1]"]
    alone = {"reference": lambda p: p["a"] * p["b"], "inputs": {"p": {"a": ("N",), "b": ("N",)}}}
    pair = (lambda p: p["a"] * p["b"], lambda u, p: {"a": u * p["b"], "b": u * p["a"]})
    right(*pair, **alone)
    assert right(*pair, **alone, cases=[{"p": {"a": [1.0, 2.0], "b": [3.0, -1.0]}}]).cases[-1] == "your case 1"


def reduced(x, how, squared):
    x = x * x if squared else x
    return x.mean() if how == "mean" else x.sum()


def reduced_backward(u, x, how, squared):
    return u * (2 * x if squared else np.ones_like(x)) / (x.size if how == "mean" else 1)


@pytest.mark.parametrize(
    "inputs",
    [{"x": ("N", "M"), "how": OneOf("sum", "mean"), "squared": OneOf(True, False)},
     "x=N,M; how in sum, mean; squared in True, False"],
    ids=["objects", "text"],
)  # fmt: skip
def test_an_option_is_tried_at_each_of_its_values(inputs):
    options = {"reference": reduced, "inputs": inputs}
    found = right(reduced, reduced_backward, **options)
    assert {
        "ordinary",
        "ordinary, how='mean'",
        "ordinary, squared=False",
        "ordinary, how='mean', squared=False",
    } <= set(found.cases)

    def ignored(u, x, how, squared):
        return reduced_backward(u, x, "sum", squared)

    found = wrong(reduced, ignored, **options)
    failing = {found.case(row) for row in found.rows if row.verdict == "FAULT"}
    assert failing
    assert all("how='mean'" in name for name in failing)


def test_an_option_of_the_candidate_alone_beside_a_hand_layer():
    def leaky(z, slope):
        return np.where(z > 0, z, slope * z)

    inputs = {"z": ("N", "M"), "slope": OneOf(0.1)}
    right(leaky, lambda u, z, slope: np.where(z > 0, u, slope * u), reference=LeakyRelu(0.1), inputs=inputs)
    wrong(leaky, lambda u, z, slope: np.where(z > 0, u, u), reference=LeakyRelu(0.1), inputs=inputs)


def test_whole_numbers_from_one_on_flags_and_a_constant():
    def picked(x, count, keep, scale):
        return x[:, :1] * count[:, None] * keep * scale

    inputs = {
        "x": ("N", "M"), "count": Indices(("N",), below=5, low=1), "keep": Flags(("N", "M")), "scale": Constant(("M",)),
    }  # fmt: skip
    seen = []

    def backward(u, x, count, keep, scale):
        seen.append((count.min(), count.max(), keep.dtype))
        dx = np.zeros_like(x)
        dx[:, 0] = (u * keep * scale).sum(1) * count
        return dx

    found = right(picked, backward, reference=picked, inputs=inputs)
    assert found.gradients == ["dx"]
    assert min(low for low, _, _ in seen) >= 1
    assert max(high for _, high, _ in seen) == 4
    assert {kind for _, _, kind in seen} == {np.dtype(bool)}


def test_none_is_a_gradient_where_it_is_zero_and_only_there():
    options = {"reference": lambda x, y: x * 2 + 0 * y, "inputs": {"x": ("N",), "y": ("N",)}}
    right(lambda x, y: x * 2, lambda u, x, y: (2 * u, None), **options)
    assert "no gradient of x" in wrong(lambda x, y: x * 2, lambda u, x, y: (None, None), **options).reason


def straight_through():
    class Round(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.round()

        @staticmethod
        def backward(ctx, u):
            return u.clone()

    return Round


def test_a_surrogate_is_the_gradient_that_is_meant():
    inputs = {"z": ("N", "M")}
    right(straight_through(), reference=torch.round, surrogate=Identity(), inputs=inputs)
    assert wrong(straight_through(), reference=torch.round, inputs=inputs).wrong == ["dz"]

    def reversed_(u, z):
        return -0.5 * u

    right(lambda z: z.copy(), reversed_, reference=Identity(), surrogate=lambda z: -0.5 * z, inputs=inputs)
    wrong(lambda z: z.copy(), lambda u, z: u.copy(), reference=Identity(), surrogate=lambda z: -0.5 * z, inputs=inputs)

    def spikes(z):
        return (z > 0).astype(z.dtype)

    def of_sigmoid(u, z):
        s = 1 / (1 + np.exp(-np.clip(z, -700, 700)))
        return u * s * (1 - s)

    found = right(spikes, of_sigmoid, reference=lambda z: (z > 0).to(z.dtype), surrogate=Sigmoid(), inputs=inputs)
    assert found.reference == "torch <lambda> with the derivative of hand Sigmoid()"
    with pytest.raises(UsageError, match="where torch <lambda> gives"):
        check_vjp(spikes, of_sigmoid, reference=lambda z: z.sum(), surrogate=Sigmoid(), inputs=inputs)


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
    left = check_vjp(np.matmul, mistake, **options, leave_out=[case, "stride 0"])
    assert (left.verdict, left.left_out) == ("PASS", [case, "stride 0"])
    assert f"not tried  {case}, stride 0: you left it out" in str(left)


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
    assert "not tried  many N: in float64 it raises ValueError: too many rows for me" in str(found)
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


def base_read(u, z):
    """As a kernel that is handed a tensor's memory and not its beginning."""
    memory = u if u.base is None else u.base
    return memory.reshape(-1)[: u.size].reshape(u.shape) * (z > 0)


def test_layouts_that_a_framework_hands_over():
    def columns(u, z):  # by the distance between rows, as a kernel with a leading dimension
        return np.lib.stride_tricks.as_strided(u, u.shape, (u.itemsize * u.shape[1], u.itemsize)) * (z > 0)

    assert (
        "(an offset)"
        in wrong(
            mine.relu, base_read, reference=LeakyRelu(0.0), leave_out=["transposed", "strided", "wider rows"]
        ).reason
    )
    rows = {"reference": LeakyRelu(0.0), "leave_out": ["transposed", "strided"]}
    assert "(rows of a wider one)" in wrong(mine.relu, columns, **rows).reason

    class Viewing(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return torch.relu(z.view(-1)).view(z.shape)

        @staticmethod
        def backward(ctx, u):
            return u * (ctx.saved_tensors[0] > 0)

    found = wrong(Viewing, reference=LeakyRelu(0.0))
    assert len(found.failing) == 1
    assert "(transposed): forward raises RuntimeError: view size is not compatible" in found.reason
    right(Viewing, reference=LeakyRelu(0.0), leave_out=["transposed", "strided", "wider rows", "stride 0"])

    def expanded(u, z):
        return (u if all(u.stride()) else 2 * u) * (z > 0)

    assert "(stride 0)" in wrong(torch.relu, expanded, reference=LeakyRelu(0.0)).reason


def test_threads_that_race_are_seen_in_repeated_calls():
    calls = {}

    def racing(u, z):
        calls[z.shape] = calls.get(z.shape, 0) + 1
        dz = u * (z > 0)
        if len(z) > 64 and calls[z.shape] % 5 == 4:  # an update is lost now and then
            dz[3] = 0
        return dz

    found = wrong(mine.relu, racing, reference=LeakyRelu(0.0))
    assert "dz first, and is wrong then: do threads race? (case many N)" in found.reason
    calls.clear()
    right(mine.relu, racing, reference=LeakyRelu(0.0), leave_out=["repeated calls"])


def test_forms_of_a_reference_that_are_no_frameworks():
    """Of operators alone, of NumPy's functions alone, with constants of float64."""
    pytest.importorskip("jax")
    pair = (lambda a, b: a + b, lambda u, a, b: (u, u.sum(0)))
    right(*pair, reference=lambda a, b: a + b, inputs={"a": ("N", "M"), "b": ("M",)})

    def swish(z):
        out = np.zeros_like(z)
        out[...] = z / (np.float64(1) + np.exp(-z))
        return out

    def swish_backward(u, z, sign=1):
        s = 1 / (1 + np.exp(-z))
        return u * (s + sign * z * s * (1 - s))

    found = right(swish, swish_backward, reference=swish, inputs={"z": (3,)})
    assert found.reference == "jax swish"
    wrong(swish, lambda u, z: swish_backward(u, z, -1), reference=swish, inputs={"z": (3,)})
    tensor = torch.tensor([0.75], dtype=torch.float64)
    right(lambda x: 0.75 * x, lambda u, x: 0.75 * u, reference=lambda x: x * tensor, inputs={"x": ("N", "M")})
    with pytest.raises(UsageError, match="it returns a numpy"):
        check_vjp(np.sort, lambda u, x: u, reference=lambda x: np.sort(np.asarray(x.tolist())), inputs={"x": ("N",)})


def test_a_layer_class_without_brackets_is_told():
    with pytest.raises(UsageError, match=r"reference=Tanh, because it is a class .* reference=Tanh\(\.\.\.\)"):
        check_vjp(*TANH, reference=Tanh)


def test_a_layer_object_of_somebody_behind_three_lines():
    class Layer:
        def forward(self, x):
            self.x = x
            return np.maximum(x, 0)

        def backward(self, grad):
            return grad * (self.x > 0)

    def forward(x):
        return Layer().forward(x)

    def backward(u, x):
        made = Layer()
        made.forward(x)
        return made.backward(u)

    right(forward, backward, reference=torch.relu, inputs={"x": ("N", "M")})
    wrong(forward, lambda u, x: backward(u, -x), reference=torch.relu, inputs={"x": ("N", "M")})


KERNEL = """
void scale(const double *x, double *y, long n, double by) { for (long i = 0; i < n; i++) y[i] = by * x[i]; }
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_kernel_by_ctypes(tmp_path):
    (tmp_path / "kernel.c").write_text(KERNEL)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "kernel.so", tmp_path / "kernel.c"], check=True)
    library = ctypes.CDLL(str(tmp_path / "kernel.so"))

    def scaled(x, by):
        out = np.empty(x.shape)
        pointers = (ctypes.c_void_p(array.ctypes.data) for array in (x, out))
        library.scale(*pointers, ctypes.c_long(x.size), ctypes.c_double(by))
        return out

    options = {"reference": lambda x: 3 * x, "inputs": {"x": ("N", "M")}}
    right(lambda x: scaled(np.ascontiguousarray(x), 3), lambda u, x: scaled(np.ascontiguousarray(u), 3), **options)
    careless = wrong(lambda x: scaled(x, 3), lambda u, x: scaled(u, 3), **options)
    assert "when arrays are not contiguous" in careless.reason


def test_what_cannot_be_asked_is_told():
    pair = (np.tanh, mine.tanh_backward)
    for options, told in (
        ({"range": (2, 1)}, "the smaller first"),
        ({"range": 3}, "give two numbers"),
        ({"leave_out": ["kink"]}, r"did you mean kinks\?"),
        ({"leave_out": "kinks"}, r"give \['kinks'\]"),
        ({"cases": 5}, "give a list of dictionaries"),
        ({"inputs": {"z": ("N",), "flag": True}}, r"harness.OneOf\(True\)"),
        ({"inputs": {"z": Reals(("N",), 3, 2)}}, "give the smaller end first"),
        ({"inputs": {"flag": OneOf(True)}}, "none of them is a tensor"),
    ):
        with pytest.raises(UsageError, match=told) as raised:
            check_vjp(*pair, reference=Tanh(), **options)
        assert str(raised.value).startswith("Cannot ")
    with pytest.raises(UsageError, match="because they have no gradient"):
        check_vjp(*pair, reference=torch.tanh, inputs={"z": Constant(("N",))})
