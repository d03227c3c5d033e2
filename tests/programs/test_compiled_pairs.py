"""Eager against torch.compile: silent where the compiler is right, and told where it is not."""

import shutil

import pytest

from harness import UsageError, check_program, compare_programs
from harness.programs.built import as_built
from harness.programs.pairs.tracing import traced
from tests.helpers.deferred import Deferred

torch, dynamo, inductor = map(Deferred, ("torch", "torch._dynamo", "torch._inductor.config"))
pytestmark = pytest.mark.filterwarnings("ignore")  # of what torch itself imports and deprecates
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler, g++")


def network(compiled=False):
    class Outer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            inner = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))
            self.first, self.last = torch.nn.Linear(3, 3), torch.nn.Linear(2, 1)
            self.inner = torch.compile(inner) if compiled else inner

        def forward(self, x):
            return self.last(self.inner(self.first(x)))

    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 24).reshape(8, 3)
    return {"program": Outer(), "arguments": (x,), "loss": lambda y: y.square().mean()}


@needs_compiler
@pytest.mark.parametrize("bug", [None, "accuracy"], ids=["right", "relu of inductor with its injected bug"])
def test_what_inductor_makes_of_a_program(bug):
    dynamo.reset()
    with inductor.patch({"force_disable_caches": True, "cpp.inject_relu_bug_TESTING_ONLY": bug}):
        found = compare_programs(network(), network(compiled=True), names=("eager", "compiled"))
    assert found.sides[1].compiled == "torch.compile"
    assert all(row.verdict == "ok" for row in found.rows)  # as it was written it is the same function
    if bug is None:
        assert (found.verdict, found.exit) == ("PASS", 0), str(found)
    else:
        told = (
            "compiled is wrong by itself: torch.compile computes something else than what was compiled: from what inner"
        )
        assert found.exit == 1
        assert found.reason.startswith(told)
        assert "loss" in found.reason
    assert all(parameter.grad is None for parameter in network()["program"].parameters())


def test_a_compiled_program_is_still_refused_where_its_operations_are_asked_for():
    program = network(compiled=True)
    with pytest.raises(UsageError, match=r"because torch.compile has compiled it, or a part of it"):
        check_program(program["program"], *program["arguments"], loss=program["loss"])


def test_a_backend_that_computes_something_else_is_told():
    """Without a C++ compiler: a backend of somebody's own, which runs the graph and adds to what it gives."""
    dynamo.reset()

    def program(wrong):
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh())

        def backend(graph, _):
            return lambda *inputs: tuple(each * (1 + 1e-3 * wrong) for each in graph(*inputs))

        x = torch.linspace(-1, 1, 24).reshape(8, 3)
        compiled = torch.compile(model, backend=backend)
        return as_built({"program": compiled, "arguments": (x,), "loss": lambda y: y.square().sum()}, "B")

    judged = {wrong: traced(program(wrong), "B", 0)[0].judged for wrong in (False, True)}
    assert judged[False].verdict == "PASS"
    assert judged[True].verdict == "FAIL"
    assert "loss" in judged[True].reason
