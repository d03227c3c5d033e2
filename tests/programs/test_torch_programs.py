"""Programs in torch: right ones pass operation by operation, a wrong one is told with its place."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from harness import GradientMismatch, UsageError, assert_program_right, check_program
from harness.programs.judging import judged_operation
from tests.helpers.command import typed
from tests.helpers.deferred import Deferred

torch, nn, F = Deferred("torch"), Deferred("torch.nn"), Deferred("torch.nn.functional")
models, capturing = Deferred("tests.programs.models"), Deferred("impls.torch_autograd.capture")

RIGHT = {
    "block": ("Block", lambda: (torch.randint(0, 11, (2, 5)), torch.randint(0, 11, (2, 5)))),
    "convolutions": ("Convolutions", lambda: (torch.randn(3, 2, 6, 6), torch.rand(3, 2))),
    "recurrent": ("Recurrent", lambda: (torch.randn(3, 4, 3),)),
}


def built(name, dtype="float32", seed=0):
    make, arguments = RIGHT[name]
    torch.manual_seed(seed)
    dtype = getattr(torch, dtype)
    return getattr(models, make)().to(dtype), *(a.to(dtype) if a.is_floating_point() else a for a in arguments())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_program_passes_operation_by_operation(name, dtype):
    found = check_program(*built(name, dtype))
    assert found.verdict == "PASS", str(found)
    assert found.coverage["derived"] >= 0.85 * sum(found.coverage.values()), found.coverage
    assert found.coverage["none"] == 0
    assert found.exit == 0


def gradients(model):
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def test_taps_change_no_bit_and_everything_is_put_back():
    model, *arguments = built("convolutions")
    model.fc.weight.grad = torch.ones_like(model.fc.weight)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(3)
    numbers = torch.random.get_rng_state()
    found = check_program(model, *arguments)
    assert found.notes == []  # the gradients of the run with taps are those of the run without, bit by bit
    assert torch.equal(model.fc.weight.grad, torch.ones_like(model.fc.weight))
    assert model.conv.weight.grad is None
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(numbers, torch.random.get_rng_state())


def test_the_cause_is_named_where_the_catalogue_has_it():
    torch.manual_seed(1)
    found = check_program(models.Around(models.GeluFast.apply), torch.randn(4, 5))
    assert "1.702" in found.reason
    assert found.reason.startswith("first wrong operation: operation (GeluFast") or "GeluFast" in found.reason


def test_an_assertion_tells_the_first_wrong_operation():
    with pytest.raises(GradientMismatch, match="first wrong operation: LostLane") as caught:
        assert_program_right(models.Around(models.LostLane.apply), torch.randn(4, 5))
    assert len(str(caught.value).splitlines()[0]) <= 80
    assert_program_right(models.Around(models.EveryLane.apply), torch.randn(4, 5))


def test_what_is_written_in_place_is_judged_by_what_was_read():
    found = check_program(models.InPlace(), torch.randn(3, 4))
    assert found.verdict == "PASS", str(found)
    assert found.coverage["none"] == 0
    assert any(o.meets == "a.weight" and o.verdict == "ok" for o in found.operations)  # a parameter under two names


def test_an_assignment_to_an_index_is_judged_by_its_formula():
    def program(x):
        h = x * 2
        h[:, 1:3] = torch.tanh(x[:, :1])
        return (h * h).sum()

    capture = capturing.capture(program, (torch.randn(3, 4, requires_grad=True),), None, 0)
    (written,) = [o for o in capture.operations if o.name == "copy_, on a view"]
    assert (judged_operation(written).kind, judged_operation(written).verdict) == ("derived", "ok")
    kept, sent = written.gradients
    for wrong in ([written.upstream[0], sent], [kept, 2 * sent]):
        assert judged_operation(replace(written, gradients=wrong)).verdict == "FAULT"


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_checkpoint_is_judged(reentrant):
    found = check_program(models.Checkpointed(reentrant), torch.randn(3, 4))
    assert found.verdict == "PASS", str(found)


def test_hooks_of_the_programs_own_are_said_and_called_no_fault():
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1))
    model[0].weight.register_hook(lambda gradient: 2 * gradient)
    found = check_program(model, torch.randn(4, 3), loss=lambda y: y.sum())
    assert found.verdict == "PASS", str(found)
    (told,) = [o for o in found.operations if "hook" in o.why_not]
    assert told.meets == "0.weight"


def test_what_is_not_finite_is_told_where_it_begins():
    def program(x):
        h = (x - x).sqrt()
        return (h * x).sum()

    found = check_program(program, torch.ones(3, requires_grad=True))
    assert found.verdict == "NO POWER"
    assert "sqrt" in found.reason
    assert "its gradient is inf" in found.reason
    found = check_program(lambda x: torch.log(-x).exp().sum(), torch.ones(3, requires_grad=True))
    assert "its output is nan" in found.reason
    assert "1 to 1" not in found.reason


def test_a_program_that_answers_differently_the_second_time_is_judged_and_told():
    calls = []

    def program(x):
        calls.append(1)
        return (x * len(calls)).sum()

    found = check_program(program, torch.ones(3, requires_grad=True))
    assert found.verdict == "PASS"
    assert "answers differently the second time" in found.notes[0]


def test_only_some_modules():
    model, *arguments = built("block")
    found = check_program(model, *arguments, modules=["norm*"])
    assert {o.module for o in found.operations if not o.meets} == {"norm", "norm2"}
    assert found.left_out > 20
    with pytest.raises(UsageError, match="no operation ran in one of them; choose from embedding"):
        check_program(model, *arguments, modules=["h.7"])


REFUSED = {
    "own gradient": (lambda x: torch.autograd.grad(x.sum(), x), "takes its gradients by torch.autograd.grad and ret"),
    "two losses": (lambda x: torch.autograd.backward([x.sum(), x.prod()]), "sends 2 losses back at once; let it send"),
    "no single loss": (lambda x: (x * 2).backward(torch.ones(3)), "at something of shape \\(3,\\), and at no single"),
    "no number": (lambda x: x * 2, "has the shape \\(3,\\) and dtype float32.*give loss="),
    "no tensor": (lambda x: [x], "is a list, and no tensor; give loss="),
    "no gradient": (lambda x: x.detach().sum(), "requires no gradient of anything"),
    "raises": (lambda x: x.reshape(7), "it raises RuntimeError: shape '\\[7\\]' is invalid"),
    "complex": (lambda x: (x * 1j).sum(), "no single real number"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_checked_is_refused_in_one_sentence(name):
    program, message = REFUSED[name]
    with pytest.raises(UsageError, match=message):
        check_program(program, torch.ones(3, requires_grad=True))


def test_a_gradient_that_is_forgotten_is_zero_and_weights_without_one_are_noted():
    torch.manual_seed(0)
    found = check_program(models.Forgetful(), torch.randn(4, 3))
    assert found.verdict == "FAIL"
    assert "Product2" in found.first_wrong
    assert "path is missing" in found.reason
    assert any("no gradient reaches w, unused.weight, unused.bias" in note for note in found.notes)


@pytest.mark.parametrize("name", ["numpy", "detached", "constant index", "hook", "masked", "repeated index", "scaled"])
def test_right_programs_that_look_wrong_are_no_fault(name):
    torch.manual_seed(0)
    found = check_program(*models.LOOKING_WRONG[name]())
    assert found.verdict == "PASS", str(found)


def test_a_loss_that_is_not_finite_is_no_pass():
    weights = [nn.Parameter(torch.ones(3)) for _ in range(4)]
    found = check_program(lambda x: x.log().mean() + 0 * sum(w.sum() for w in weights), torch.linspace(-1, 1, 6))
    assert found.verdict == "NO POWER"
    assert found.reason.startswith("the loss is nan: ")


def test_what_modules_hold_is_put_back():
    model = models.Counting()
    before = model.seen
    assert check_program(model, torch.ones(2, 3)).verdict == "PASS"
    assert model.seen is before
    assert model.training


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_what_is_compiled_or_brings_a_graph_is_refused():
    with pytest.raises(UsageError, match=r"torch.jit has compiled it.*give what was compiled"):
        check_program(torch.jit.trace(nn.Linear(3, 1), torch.ones(2, 3)), torch.ones(2, 3), loss=lambda y: y.sum())
    with pytest.raises(UsageError, match="argument 1 was computed from other tensors"):
        check_program(lambda x: x.sum(), torch.ones(3, requires_grad=True) * 2)
    with pytest.raises(UsageError, match="from 0 to 2\\*\\*32 - 1"):
        check_program(nn.Linear(2, 1), torch.ones(1, 2), loss=lambda y: y.sum(), seed=2**40)


def test_what_is_no_program_is_refused():
    with pytest.raises(UsageError, match="it is a int and cannot be called"):
        check_program(3)
    with pytest.raises(UsageError, match="neither it nor its arguments are torch's or JAX's"):
        check_program(lambda: 1.0)
    with pytest.raises(UsageError, match="give a function of that which returns one number"):
        check_program(nn.Linear(2, 2), torch.ones(1, 2), loss=3)


def test_complex_and_sparse_numbers_inside_are_named_as_not_judged():
    found = check_program(lambda x: torch.fft.rfft(x).abs().sum() + x.exp().sum(), torch.rand(4, requires_grad=True))
    assert found.verdict == "PASS"
    assert "could not be checked" in found.reason
    assert any(o.why_not == "complex numbers" for o in found.operations)


def test_low_precision_under_autocast_is_judged():
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())

    def program(x):
        with torch.autocast("cpu", torch.bfloat16):
            h = model(x)
        return h.float().sum() + F.softplus(x).sum()

    found = check_program(program, torch.rand(4, 3, requires_grad=True))
    assert found.verdict == "PASS", str(found)
    assert found.coverage["none"] == 0


def test_json_and_text_tell_the_same():
    found = check_program(*built("recurrent"))
    told = found.to_dict()
    assert told["verdict"] == "PASS"
    assert sum(told["coverage"].values()) == sum(1 for o in told["operations"] if not o["meets"])
    assert "coverage" in str(found)
    assert found.heading if hasattr(found, "heading") else "operations" in str(found).splitlines()[0]


def test_a_step_that_runs_its_own_backward_passes():
    torch.manual_seed(0)
    model, x = models.Gan(models.EveryLane.apply), torch.randn(4, 3)
    weight = model.critic.weight.detach().clone()
    found = check_program(model, x)
    assert found.verdict == "PASS", str(found)
    assert found.notes == []
    assert sum(o.meets == "critic.weight" for o in found.operations) == 2  # once a pass
    assert torch.equal(model.critic.weight, weight)
    found = check_program(models.Gan(models.LostLane.apply), x)
    assert found.first_wrong.startswith("LostLane") or "LostLane" in found.first_wrong


@pytest.mark.parametrize("begins", [lambda loss: loss.backward(), lambda loss: torch.autograd.backward(loss)])
def test_a_backward_pass_that_the_program_begins_is_tapped(begins):
    model = nn.Linear(3, 1)
    found = check_program(lambda x: begins(model(x).square().mean()), torch.randn(4, 3))
    assert found.verdict == "PASS", str(found)
    assert {o.meets for o in found.operations if o.meets} == {"model.weight", "model.bias"}


def test_interrupted_it_has_what_was_judged_so_far():
    def presses(done, total):
        assert total > 4
        if done == 3:
            raise KeyboardInterrupt

    found = check_program(*built("block"), progress=presses)
    assert (found.exit, len(found.operations), found.left_out) == (130, 3, 0)
    assert "(interrupted after 3 operations)" in str(found)


def test_a_program_that_does_not_come_back_has_a_time():
    def program(x):
        while True:
            time.sleep(0.01)

    with pytest.raises(UsageError, match=r"it takes longer than 0.2 s to run twice; give it smaller arguments"):
        check_program(program, torch.ones(3, requires_grad=True), timeout=0.2)


def test_an_operation_that_no_line_of_the_program_calls_has_none(tmp_path):
    path = tmp_path / "plain.py"
    path.write_text(
        "import torch\n\n\ndef build():\n"
        "    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh())\n"
        "    return {'program': model, 'arguments': (torch.ones(4, 3),), 'loss': lambda y: y.sum()}\n"
    )
    told = typed("program", f"{path}:build", "--json", apart=True).stdout
    files = {o["name"]: o["file"] for o in json.loads(told)["operations"]}
    assert files["sum"] == str(path)
    assert files["addmm"] is None
