"""What gradients are returned in: parameters of torch, and mappings of somebody's own."""

import pytest

from tests.dialects import programs
from tests.dialects.named import check


def test_the_gradient_that_a_torch_parameter_keeps_is_read():
    torch = pytest.importorskip("torch")

    def backward(weights, x, y, factor=1.0):
        parameters = {name: torch.nn.Parameter(torch.as_tensor(w)) for name, w in weights.items()}
        for name, w in parameters.items():
            w.grad = torch.as_tensor(factor * programs.in_rows(weights, x, y)[f"d{name}"])
        return parameters

    found = check(backward)
    assert found.verdict == "PASS", str(found)
    assert "returned W1.grad, b1.grad, W2.grad and 1 more: read as dW1, db1, dW2 and 1 more" in str(found)
    assert check(lambda *given: backward(*given, factor=1.001)).verdict == "FAIL"


class Endless(dict):
    """A mapping that never ends."""

    def items(self):
        number = 0
        while True:
            yield f"name{number}", number
            number += 1


def test_mappings_of_somebodys_own_are_read_as_far_as_they_go():
    assert check(lambda weights, x, y: Endless()).verdict == "FAIL"
    holds_itself = {}
    holds_itself["again"] = [holds_itself]
    assert check(lambda weights, x, y: holds_itself).verdict == "FAIL"

    class Deep(Endless):
        def items(self):
            return ((name, Deep()) for name, _ in super().items())

    def behind(weights, x, y):
        return {"history": [x] * 20_000, "deep": Deep()} | programs.in_rows(weights, x, y) | {"more": Deep()}

    assert check(behind).verdict == "PASS"
