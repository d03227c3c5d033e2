"""What a backward pass must keep to besides its numbers, each broken by a candidate whose first answer is right."""

import re

import numpy as np
import pytest

from harness import UsageError, check_vjp
from impls.hand import Dense, Identity, Relu, Tanh
from tests.candidates import numpy_layers as mine


def findings(forward, backward, *, reference, exit_status=1, **options):
    found = check_vjp(forward, backward, reference=reference, **options)
    assert found.exit == exit_status, str(found)
    assert all(finding.message in str(found) for finding in found.findings[:12])
    return {(found.contract(finding), finding.tensor) for finding in found.findings}, found


def test_gradients_of_a_broadcastable_shape():
    def backward(u, x, W, b):
        return u @ W.T, x.T @ u, u.sum(0, keepdims=True)

    contracts, found = findings(mine.dense, backward, reference=Dense(4, 3))
    assert contracts == {("shape", "db")}
    assert "db has shape (1, 3) instead of (3,)" in found.reason
    assert {row.verdict for row in found.rows if row.gradient == "db"} == {"not comparable"}


def test_an_output_of_another_shape_or_dtype():
    contracts, _ = findings(lambda z: np.tanh(z)[None], mine.tanh_backward, reference=Tanh())
    assert ("shape", "output") in contracts
    contracts, _ = findings(lambda z: mine.relu(z).astype(np.float32), lambda u, z: u * (z > 0), reference=Relu())
    assert ("dtype", "output") in contracts


def test_a_gradient_of_another_dtype():
    contracts, _ = findings(mine.relu, lambda u, z: (u * (z > 0)).astype(np.float32), reference=Relu())
    assert contracts == {("dtype", "dz")}  # every number is right, since float32 holds these upstreams
    contracts, _ = findings(mine.relu, lambda u, z: (u * (z > 0)).astype(np.float64), reference=Relu(), dtype="float32")
    assert contracts == {("dtype", "dz")}


def test_the_upstream_written_over():
    def backward(u, z):
        u *= z > 0
        return u

    contracts, found = findings(mine.relu, backward, reference=Relu())
    assert contracts == {("inputs not modified", "upstream")}
    assert found.reason == "inputs not modified: backward modifies upstream in place (case ordinary)"


def test_an_input_written_over_through_a_view():
    torch = pytest.importorskip("torch")

    def forward(z):
        return torch.relu_(z.view(-1)).view(z.shape)

    contracts, _ = findings(forward, lambda u, z: u * (z > 0), reference=Relu())
    assert ("inputs not modified", "z") in contracts

    class InPlace(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return torch.relu(z)

        @staticmethod
        def backward(ctx, upstream):
            (z,) = ctx.saved_tensors
            return upstream.mul_(z > 0)

    contracts, _ = findings(InPlace, None, reference=Relu())
    assert contracts == {("inputs not modified", "upstream")}


def test_state_that_accumulates_is_told_and_named():
    total = {}

    def backward(u, z):
        total[z.shape] = total.get(z.shape, 0) + u * (z > 0)
        return total[z.shape]

    contracts, found = findings(mine.relu, backward, reference=Relu())
    assert ("second call", "dz") in contracts
    assert "dz of the second call is twice that of the first" in str(found)
    assert [cause.cause for cause in found.causes] == ["accumulated"]


def test_a_stale_gradient_is_named():
    kept = {}

    def backward(u, z):
        kept.setdefault(z.shape, u * (z > 0))
        return kept[z.shape]

    _, found = findings(mine.relu, backward, reference=Relu())
    assert [cause.cause for cause in found.causes] == ["stale"]


def test_a_buffer_that_the_next_call_writes_over():
    buffers = {}

    def backward(u, z):
        buffer = buffers.setdefault(z.shape, np.empty(z.shape))
        return np.multiply(u, z > 0, out=buffer)

    contracts, _ = findings(mine.relu, backward, reference=Relu())
    assert contracts == {("earlier answer", "dz")}


def test_an_answer_that_is_random():
    rng = np.random.default_rng(0)
    contracts, _ = findings(mine.relu, lambda u, z: u * (z > 0) * rng.uniform(1, 2), reference=Relu())
    assert ("second call", "dz") in contracts


def test_what_is_not_linear_in_the_upstream():
    contracts, _ = findings(mine.relu, lambda u, z: np.clip(u, -5, 5) * (z > 0), reference=Relu())
    assert contracts == {("linear in the upstream", "dz")}  # right at every upstream drawn, which are below 4

    def near_by(u, z):  # right for the first upstream, whatever is scaled, and wrong for others
        first.setdefault(u.shape, u.copy())
        share = (u / first[u.shape]).flat[0] * first[u.shape]
        return np.where(share == u, u, 1.01 * u) * (z > 0)

    first = {}
    contracts, _ = findings(mine.relu, near_by, reference=Relu())
    assert ("linear in the upstream", "dz") in contracts


def test_a_zero_upstream_gives_zero():
    contracts, _ = findings(mine.relu, lambda u, z: np.where(u == 0, 1e-300, u) * (z > 0), reference=Relu())
    assert contracts == {("zero upstream", "dz")}


def test_a_kernel_that_reads_memory_in_order():
    def backward(u, z):
        flat = np.frombuffer(u.tobytes(order="A"), u.dtype).reshape(u.shape)
        return flat * (z > 0)

    contracts, found = findings(mine.relu, backward, reference=Relu())
    assert contracts == {("non-contiguous inputs", "dz")}
    assert "is wrong when arrays are not contiguous (transposed): dz first" in found.reason


def test_a_view_that_needs_contiguous_memory():
    torch = pytest.importorskip("torch")
    contracts, found = findings(
        torch.tanh, lambda u, z: (u.view(-1) * (1 - torch.tanh(z.view(-1)) ** 2)).view(z.shape), reference=Tanh()
    )
    assert contracts == {("non-contiguous inputs", "gradients")}
    assert "view size is not compatible" in found.reason


def test_an_output_that_is_a_view_of_an_input_is_said_and_is_no_failure():
    contracts, found = findings(lambda z: z, lambda u, z: u.copy(), reference=Identity(), exit_status=0)
    assert contracts == {("alias", "output")}
    assert found.verdict == "PASS"
    assert "note  alias: the output shares its memory with z" in str(found)


@pytest.mark.parametrize(
    ("returned", "contract", "told"),
    [
        (lambda dx, dW, db: (dx, dW), "number of gradients", "2 gradients for 3 inputs"),
        (lambda dx, dW, db: dx, "number of gradients", "instead of a tuple or a dictionary"),
        (lambda dx, dW, db: None, "number of gradients", "returns nothing"),
        (lambda dx, dW, db: (dx, dW, None), "missing", "no gradient of b"),
        (lambda dx, dW, db: {"dx": dx, "dW": dW}, "missing", "no gradient of b"),
        (lambda dx, dW, db: {"dx": dx, "dW": dW, "dbias": db}, "names", "dbias"),
        (lambda dx, dW, db: (dx, dW, list(db)), "type", "a list of 3 instead of an array of numpy"),
        (lambda dx, dW, db: 1 / 0, "raises", "ZeroDivisionError"),
    ],
)
def test_what_backward_may_not_return(returned, contract, told):
    def backward(u, x, W, b):
        return returned(*mine.dense_backward(u, x, W, b))

    contracts, found = findings(mine.dense, backward, reference=Dense(4, 3))
    assert contract in {name for name, _ in contracts}
    assert told in str(found)


class Untold(Exception):
    def __str__(self):
        return 3


@pytest.mark.parametrize("error", [SystemExit(0), Untold()], ids=["exit", "no text"])
def test_whatever_is_raised_is_a_finding_and_ends_nothing(error):
    def leaves(*arrays):
        raise error

    contracts, found = findings(np.tanh, leaves, reference=Tanh())
    assert contracts == {("raises", "gradients")}
    assert re.search(rf"backward raises {type(error).__name__}: .*\(line \d+\)", found.reason)
    with pytest.raises(UsageError, match=f"raises {type(error).__name__}"):
        check_vjp(leaves, mine.tanh_backward, reference=Tanh())


def test_a_gradient_that_is_not_finite():
    contracts, found = findings(np.tanh, lambda u, z: u * np.nan, reference=Tanh())
    assert "they are not finite" in found.causes[0].says
    assert ("zero upstream", "dz") in contracts


def test_what_an_operation_prints_is_passed_on_once(capsys):
    def forward(z):
        print("forward")
        return np.tanh(z)

    def backward(upstream, z):
        for number in range(30):
            print("line", number)
        return upstream * (1 - np.tanh(z) ** 2)

    assert check_vjp(forward, backward, reference=Tanh()).verdict == "PASS"
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("forward\n") == 1
    assert err.count("line ") == 20
    assert "forward, backward, printed 30 lines, of which the first 20 are shown" in err


def test_an_array_of_objects_holds_no_numbers():
    contracts, found = findings(mine.relu, lambda u, z: (u * (z > 0)).astype(object), reference=Relu())
    assert contracts == {("type", "dz")}
    assert "dz is an array of dtype object" in str(found)
