"""Operations beyond a function of arrays: layouts, threads, objects and kernels; references that are no framework's."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

from harness import Constant, OneOf, Reals, UsageError, check_vjp
from impls.hand import LeakyRelu, Tanh
from tests.candidates import numpy_layers as mine
from tests.helpers.deferred import Deferred
from tests.helpers.operations import right, wrong

torch = Deferred("torch")


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


def test_a_layer_class_without_brackets_is_told():
    with pytest.raises(UsageError, match=r"reference=Tanh, because it is a class .* reference=Tanh\(\.\.\.\)"):
        check_vjp(np.tanh, mine.tanh_backward, reference=Tanh)
