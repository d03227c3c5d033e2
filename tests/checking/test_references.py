"""References: hand layers and layers of one's own, and functions that load their framework when they are called."""

import subprocess
import sys

import numpy as np
import pytest

from harness import Indices, UsageError, check_vjp
from harness.evaluation.references.derived import HandReference
from impls.hand import Dense
from impls.hand.layers import Embedding, Multiply
from tests.checking.passing import BOTH, passes


def test_a_layer_with_two_inputs_and_one_with_whole_numbers_are_references_too():
    def product_backward(u, p, q):
        return u * q, u * p

    sizes = {"p": ("N", "K"), "q": ("N", "K")}
    found = passes(lambda p, q: p * q, product_backward, reference=Multiply(), inputs=sizes)
    assert found.gradients == ["dp", "dq"]

    def rows_backward(u, i, W):
        gradient = np.zeros_like(W)
        np.add.at(gradient, i, u)
        return {"dW": gradient}

    table = {"i": Indices(("N",), below=7), "W": (7, 3)}
    passes(lambda i, W: W[i], rows_backward, reference=Embedding(7, 3), inputs=table)


def test_a_layer_of_ones_own_may_say_what_it_usually_reads():
    class Product(Multiply):
        usual_inputs = "p=N,K; q=N,K"

    found = passes(lambda p, q: p * q, lambda u, p, q: (u * q, u * p), reference=Product())
    assert "other sizes" in found.cases
    assert HandReference(Multiply()).usual == {}
    with pytest.raises(UsageError, match="nothing says what it reads"):
        check_vjp(lambda p, q: p * q, lambda u, p, q: (u * q, u * p), reference=Multiply())


def test_the_nodes_links_have_the_layers_own_names():
    reference = HandReference(Dense(4, 3))
    inputs = {"x": np.ones((5, 4)), "W": np.ones((4, 3)), "b": np.ones(3)}
    links = reference.links(inputs)
    assert {name: (link.output, link.inputs) for name, link in links.items()} == {
        "x": ("dx", ("dz", "W")), "W": ("dW", ("dz", "x")), "b": ("db", ("dz",)),
    }  # fmt: skip
    assert reference.graph(inputs).tensors["dW"].of == "W"


def run_apart(code):
    """What a program prints in a process in which no framework is loaded yet."""
    done = subprocess.run([sys.executable, "-c", f"{HEAD}{code}"], capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.stdout


HEAD = "import numpy as np\nfrom harness import UsageError, check_vjp\n"
IMPORTING = """
def reference(z):
    {}
    return tanh(z)

options = {{"reference": reference, "inputs": {{"z": np.linspace(-2, 2, 12).reshape(3, 4)}}}}
print(check_vjp(np.tanh, lambda u, z: u * (1 - np.tanh(z) ** 2), **options).verdict)
print(check_vjp(np.tanh, lambda u, z: u * (1 - np.tanh(z)), **options).verdict)
"""


@pytest.mark.parametrize("order", [1, -1])
def test_a_reference_may_import_its_framework_when_it_is_called(order):
    """Where none is loaded, and then where the other one is."""
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    imports = ["from torch import tanh", "from jax.numpy import tanh"][::order]
    assert run_apart("".join(map(IMPORTING.format, imports))).split() == ["PASS", "FAIL"] * 2


REFUSED = {
    "return np.tanh(z.tolist())": "because no framework is imported",
    "from torch import tan as f; f(2)": "because with torch arrays it raises TypeError",
    "import nowhere": "because with numpy arrays it raises ModuleNotFoundError: No module named 'nowhere'",
}
REFUSING = """
def reference(z):
    {}

try:
    check_vjp(np.tanh, lambda u, z: u, reference=reference, inputs={{"z": ("N", "M")}})
except UsageError as error:
    print(error)
"""


@pytest.mark.parametrize("bodies", [[*REFUSED][:2], [*REFUSED][2:]])
def test_a_reference_that_imports_what_does_not_serve_is_refused(bodies):
    """Each where nothing is loaded yet that a body before it has brought."""
    pytest.importorskip("torch")
    told = run_apart("".join(map(REFUSING.format, bodies))).splitlines()
    assert all(REFUSED[body] in line for body, line in zip(bodies, told, strict=True)), told


class Centred:
    """c = x - mean of its row; its own derivative, since centring is symmetric."""

    reads, gives = "x", "c"

    def forward(self, x):
        return x - x.mean(axis=1, keepdims=True)

    def dx(self, dc):
        return dc - np.mean(dc, axis=1, keepdims=True)


@BOTH
def test_a_layer_of_ones_own_may_take_a_mean(dtype):
    options = {"reference": Centred(), "inputs": {"x": ("N", "M")}, "dtype": dtype}
    layer = Centred()
    assert not passes(layer.forward, lambda u, x: u - u.sum(1, keepdims=True) / x.shape[1], **options).measured
    for wrong in (lambda u, x: u, lambda u, x: u - u.sum(1, keepdims=True) / (x.shape[1] - 1)):
        assert check_vjp(layer.forward, wrong, **options).verdict == "FAIL"
