"""A process apart: how it ended, memory that is short, and what was replaced in NumPy."""

import os
import signal
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from harness.candidates import isolated
from harness.candidates.guarded import guarded
from harness.candidates.isolated import Answer, apart
from harness.candidates.printing import Printed
from harness.checking.backward_pass import check
from harness.checking.operation import check_vjp
from harness.checking.optimizer import check_optimizer
from harness.processes import End, Program
from harness.usage import short_of_memory
from impls.hand import GradientDescent, Tanh

pytestmark = pytest.mark.skipif(not Program.supervised, reason="there are no sessions to start")


def program(text):
    return Program([sys.executable, "-I", "-S", "-c", text], stdout=2)


@pytest.mark.parametrize(
    ("text", "end", "words"),
    [
        ("", ("status", 0), "with status 0"),
        ("raise SystemExit(3)", ("status", 3), "with status 3"),
        ("import os; os.kill(os.getpid(), 9)", ("signal", 9), "by SIGKILL"),
        (f"import os; os.kill(os.getpid(), {signal.SIGSTOP:d})", ("stopped", int(signal.SIGSTOP)), "by SIGSTOP"),
    ],
)
def test_how_a_program_ends(text, end, words):
    with program(text) as started:
        ended = started.wait()
    assert (ended, str(ended)) == (End(*end), words)
    assert started.wait() == ended


CONTINUED = f"""
import os, time
if os.fork():
    os.kill(os.getpid(), {signal.SIGSTOP:d})
else:
    time.sleep(0.2)
    os.kill(os.getppid(), {signal.SIGCONT:d})
"""
LEAVES = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    os.fork()
    time.sleep(1000)
os.write(int(sys.argv[1]), b"!")
"""


def test_a_program_that_is_continued_in_time_goes_on():
    with program(CONTINUED) as started:
        assert started.wait() == End("status", 0)


def test_a_program_ends_with_the_block():
    begin = time.monotonic()
    with program("import time; time.sleep(1000)") as started:
        assert started.wait(0.01) is None
    assert started.wait() == End("signal", signal.SIGKILL)
    assert time.monotonic() - begin < 100


def test_what_a_program_left_has_ended_when_it_has():
    read, write = os.pipe()
    with os.fdopen(read, "rb") as pipe:
        with Program([sys.executable, "-I", "-S", "-c", LEAVES, str(write)], stdout=2, files=[write]) as started:
            os.close(write)
            assert started.wait() == End("status", 0)
        assert pipe.read() == b"!"  # to the end, which comes when nobody holds the other one


def until_interrupted(options):
    Path(options["begun"]).touch()
    try:
        time.sleep(options["seconds"])
    except KeyboardInterrupt:
        return Answer(130, "so far")
    raise AssertionError("nobody pressed Ctrl-C")


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("partly", [True, False])
def test_what_is_interrupted_may_answer_with_what_it_has_so_far(partly, tmp_path):
    begun = tmp_path / "begun"

    def presses():
        while not begun.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=presses).start()
    options = {"begun": str(begun), "seconds": 60}
    with nullcontext() if partly else pytest.raises(KeyboardInterrupt):
        answer = apart("tests.candidates.test_isolated:until_interrupted", options, partly=partly)
        assert answer == Answer(130, "so far")


def answers(options):
    if options["closes"]:
        raise MemoryError("Unable to allocate 9 GiB")
    return Answer(3, "\n".join(["a long answer"] * 100_000))


def ends(options):
    os.kill(os.getpid(), options["number"])


def test_an_answer_comes_back_whole(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(__file__).partition("/tests/")[0]])
    assert apart("tests.candidates.test_isolated:answers", {"closes": False}) == answers({"closes": False})
    with pytest.raises(MemoryError, match=r"^Unable to allocate 9 GiB$"):
        apart("tests.candidates.test_isolated:answers", {"closes": True})


def test_a_process_that_the_system_ends_to_make_room_lacked_memory(monkeypatch):
    counts = iter([4, 5, 5, 5])
    monkeypatch.setattr(isolated, "_killed_for_memory", lambda: next(counts))
    with pytest.raises(MemoryError, match="ended by SIGKILL, by which the system makes room"):
        apart("tests.candidates.test_isolated:ends", {"number": 9})
    assert apart("tests.candidates.test_isolated:ends", {"number": 9}).end == End("signal", 9)


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes."), True),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), True),
        (ImportError("libgomp.so: cannot allocate memory in static TLS block"), False),
        (OSError(2, "No such file or directory"), False),
        (ValueError("out of memory"), False),
        (RuntimeError("size mismatch"), False),
    ],
    ids=str,
)
def test_what_says_that_memory_is_short(error, short):
    def raises():
        raise error

    assert short_of_memory(error) is short
    if short:
        with pytest.raises(MemoryError):
            guarded(raises, None, Printed())
    else:
        assert guarded(raises, None, Printed())[1].error is error


class Endless(dict):
    """A mapping that can be read, but never to its end."""

    def __iter__(self):
        while True:
            time.sleep(0.01)

    items = keys = __iter__


def test_what_a_call_returns_is_read_within_its_deadline():
    def backward(upstream, z):
        return Endless(z=upstream * (1 - np.tanh(z) ** 2))

    found = check_vjp(np.tanh, backward, reference=Tanh(), timeout=0.2)
    assert found.reason == "timeout: backward did not answer within 0.2 s (case ordinary)"

    def step(weights, gradients):
        return Endless(weights)

    assert "did not answer within 0.2 s" in check_optimizer(step, GradientDescent(), timeout=0.2).reason
    found = check(lambda weights, x, y: Endless(weights), "2-1", "random", timeout=0.2)
    assert "returned what cannot be read: it did not answer within 0.2 s" in found.reason


def test_what_is_replaced_is_in_force_in_calls_only():
    ours, theirs = np.sum, lambda *_: 7

    def replaces():
        np.sum = theirs
        del np.abs

    assert guarded(replaces, None, Printed()) == (None, None)
    assert np.sum is ours
    assert np.abs(-2.0) == 2.0
    assert guarded(lambda: np.sum, None, Printed())[0] is theirs
    assert guarded(lambda: np.sum, None, Printed(), reading=True)[0] is ours

    def puts_back():
        np.sum = ours

    guarded(puts_back, None, Printed())
    assert guarded(lambda: np.sum, None, Printed())[0] is ours
