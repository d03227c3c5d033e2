"""Windows: of a large program a part is kept, judged as in the whole; and where memory would not suffice, which one."""

from __future__ import annotations

import re

import pytest

from harness import UsageError, check_program
from impls.captured import WHOLE, Window
from impls.needed import Needed
from tests.helpers.deferred import Deferred

torch, jax, jnp = map(Deferred, ("torch", "jax", "jax.numpy"))
windows, tapping = Deferred("tests.programs.window_models"), Deferred("impls.torch_autograd.tap")
capturing, of_jax = Deferred("impls.torch_autograd.capture"), Deferred("impls.jax_grad.capture")


def deep():
    torch.manual_seed(0)
    return windows.Deep(), torch.randn(64, 8)


def in_jax(p, x):
    for name in ("a", "b", "c", "d"):
        with jax.named_scope(name):
            x = x + jnp.tanh(x @ p[name])
    return (x * x).mean()


def given_in_jax():
    x = jax.random.normal(jax.random.key(0), (64, 8))
    return {name: jax.random.normal(jax.random.key(n), (8, 8)) for n, name in enumerate("abcd", 1)}, x


def held(capture):
    """Bytes of memory that the arrays of a capture lie in, each counted once."""
    arrays = [
        array
        for operation in capture.operations
        for array in (*operation.operands, *operation.outputs, *operation.upstream, *operation.gradients)
        if array is not None
    ]
    arrays += [array for meeting in capture.meetings for array in (*meeting.parts, meeting.total)]
    return sum({array.__array_interface__["data"][0]: array.nbytes for array in arrays}.values())


def told(found):
    """Everything that is said of operations."""
    return [
        (o.number, o.name, o.module, o.place, o.kind, o.verdict, o.meets, o.sources, tuple(o.rows))
        for o in found.operations
    ]


@pytest.fixture(scope="module")
def whole():
    return check_program(*deep())


@pytest.mark.parametrize("module", ["h.1", "h.2", "h.3", "h.4", "h.5", ""])
def test_what_is_judged_in_a_window_is_judged_as_in_the_whole(whole, module):
    inside = [each for each in told(whole) if each[2] == module]
    found = check_program(*deep(), modules=[module])
    assert inside
    assert told(found) == inside
    assert found.verdict == ("FAIL" if module == "h.4" else "PASS")  # where it is wrong, and nowhere else
    assert found.left_out == sum(not o.meets and o.module != module for o in whole.operations)


def test_a_window_holds_a_fraction():
    model, x = deep()
    whole = held(capturing.capture(model, (x,), None, 0))
    part = capturing.capture(model, (x,), None, 0, window=Window(modules=["h.2"]))
    assert held(part) < whole / 4
    assert {operation.module for operation in part.operations} == {"h.2"}
    assert len(part.elsewhere) > 4 * len(part.operations)


def test_what_a_tap_keeps_of_other_modules_is_none_of_their_numbers(monkeypatch):
    taps = []
    monkeypatch.setattr("impls.torch_autograd.capture.Tap", lambda *given: taps.append(tapping.Tap(*given)) or taps[-1])
    model, x = deep()
    memories = []
    for modules in ([], ["h.2"]):
        capturing.capture(model, (x,), None, 0, window=Window(modules=modules))
        tensors = [t for call in taps[-1].calls for t in (*call.args, *call.gave) if isinstance(t, torch.Tensor)]
        memories.append(sum({t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors}.values()))
    assert memories[1] < memories[0] / 3


def test_a_window_of_a_jax_program_holds_a_fraction_and_is_judged_as_in_the_whole():
    whole, part = (of_jax.capture(in_jax, given_in_jax(), None, 0, window=Window(modules=m)) for m in ([], ["b"]))
    assert held(part) < held(whole) / 3
    assert told(check_program(in_jax, *given_in_jax(), modules="b")) == [
        each for each in told(check_program(in_jax, *given_in_jax())) if each[2] == "b"
    ]


def refused_by(monkeypatch, room, program):
    monkeypatch.setattr("harness.programs.check.free_memory", lambda: room)
    with pytest.raises(UsageError) as refused:
        check_program(*program())
    return str(refused.value)


@pytest.mark.parametrize("program", [deep, lambda: (in_jax, *given_in_jax())], ids=["torch", "jax"])
def test_where_memory_would_not_suffice_a_window_is_named_that_works(program, monkeypatch):
    needed = []
    with monkeypatch.context() as patched:
        patched.setattr(Needed, "refuse", lambda self, _: needed.append(self.of(WHOLE)))
        check_program(*program())
    told = refused_by(monkeypatch, needed[0] - 1, program)
    assert re.search(r"because what its operations read, give and send back takes [\d.]+ MiB of memory, and ", told)
    (pattern,) = re.findall(r'free; check a part of it at a time: --modules "([^"]+)" takes', told)
    assert check_program(*program(), modules=pattern).left_out > 0
    assert "0.0 MiB are free; give it smaller arguments, since there is no" in refused_by(monkeypatch, 1, program)
    monkeypatch.setattr("harness.programs.check.free_memory", lambda: needed[0])
    assert check_program(*program()).left_out == 0
