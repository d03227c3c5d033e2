"""Judges: the steps of a run are the same, and in the same order, whoever judges them."""

import contextlib
import os
import pickle
import signal
import sys
import time
from io import BytesIO

import pytest

import harness
from harness import processes
from harness.candidates.implementation import admit
from harness.inputs.arguments import as_data, as_optimizer
from harness.inputs.batches import batches_of
from harness.inputs.schedule import Schedule
from harness.lockstep import judges as module
from harness.lockstep.judges import Judges
from harness.lockstep.judging import judged
from harness.lockstep.session import Session
from harness.lockstep.shared_memory import Unpickler
from harness.lockstep.worker import POSSIBLE, LostError, Worker
from harness.processes import LONGEST
from impls.graph import GraphBuilder
from impls.hand import BatchNorm, Dense, LayerNorm, SumSquaredError, Tanh, from_text
from impls.hand.named import NETWORKS, named

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="no memory that two processes share by number")


def session(network, dtype="float32", *, free=False, full=True, exact=False, against=("hand", "torch", "jax")):
    data = as_data("random", network, 0, raw=False, target=None)
    return Session(
        network=network, batches=batches_of(network, data, dtype, 16, 0), optimizer=as_optimizer("adam"), dtype=dtype,
        seed=0, schedule=Schedule(full=full, every=0, last=0, seed=0), free=free, exact=exact,
        admission=admit(against, network, dtype, named=False),
    )  # fmt: skip


@contextlib.contextmanager
def worker_of(network):
    worker = Worker(network)
    try:
        yield begun(worker)
    finally:
        worker.end()


def begun(worker, ready=None):
    until = time.monotonic() + 120
    while not (ready or worker.has_room)():
        assert time.monotonic() < until, "a worker has to begin"
        time.sleep(0.01)
    return worker


def answers(worker, number):
    found, until = [], time.monotonic() + 120
    while len(found) < number:
        assert time.monotonic() < until, "a worker has to answer"
        found += worker.judged()
        time.sleep(0.001)
    return found


def normalized():
    net = GraphBuilder()
    return net.loss(SumSquaredError(), net("bn", BatchNorm(3), net("fc", Dense(4, 3), net.input("x", 4))))


GPT = "gpt:layers=1,heads=2,width=8,context=4,tokens=5"
CASES = {
    "lockstep": (lambda: from_text("7-5-3", activation="relu", loss="cross-entropy"), {}),
    "a sample": (lambda: from_text("30-40-10", activation="tanh"), {"full": False}),
    "free run": (lambda: from_text("5-4-3"), {"free": True}),
    "float64": (lambda: from_text("5-4-3"), {"dtype": "float64"}),
    "bfloat16": (lambda: from_text("5-4-3"), {"dtype": "bfloat16"}),
    "buffers": (normalized, {"against": ("hand", "torch")}),
    "a graph": (lambda: named(GPT), {"full": False, "against": ("hand", "torch")}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_worker_judges_as_this_process_does(case):
    made, options = CASES[case]
    network = made()
    here, there = session(network, **options), session(network, **options)
    expected = [judged(here.step(number)) for number in (1, 2, 3, 4, 5)]
    found = []
    with worker_of(network) as worker:
        for number in (1, 2, 3, 4, 5):
            worker.send(there.step(number))
            found += answers(worker, 1)
    assert found == expected
    assert all(len(step.rows) > 10 or step.checked == "sample" for step in found)


def test_a_worker_has_room_for_two_and_gives_them_back_the_last_one_first():
    network = from_text("4-3-2")
    made = session(network, against=("hand",))
    with worker_of(network) as worker:
        worker.send(made.step(1))
        worker.send(made.step(2))
        assert not worker.has_room()
        assert [worker.taken_back().number, worker.taken_back().number, worker.taken_back()] == [2, 1, None]
        begun(worker, lambda: list(worker.judged()) or worker.has_room())
        worker.send(made.step(3))
        assert [step.step for step in answers(worker, 1)] == [3]


def test_a_worker_ends_while_a_process_forked_since_has_its_pipe_open():
    worker = begun(Worker(from_text("4-3-2")))
    kept = os.dup(worker._program._process.stdin.fileno())
    try:
        begin = time.monotonic()
        worker.end()
        assert time.monotonic() - begin < LONGEST
        assert worker._program.wait(0) is not None
    finally:
        os.close(kept)


def test_a_worker_ends_where_somebody_has_stopped_who_watches_it(monkeypatch):
    monkeypatch.setattr(processes, "LONGEST", 0.5)
    worker = begun(Worker(from_text("4-3-2")))
    os.kill(worker._program._process.pid, signal.SIGSTOP)
    worker.end()
    assert worker._program.wait(0) is not None


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_is_known_by_name_travels(name):
    Unpickler(BytesIO(pickle.dumps(NETWORKS[name](), pickle.HIGHEST_PROTOCOL))).load()


class Slow(Judges):
    """Judges with a worker that begins before the second step."""

    def _share(self, seconds, steps):
        super()._share(seconds, steps)
        for worker in self.workers:
            if not worker.there:
                begun(worker)


@pytest.fixture
def cores(monkeypatch):
    monkeypatch.setattr(module, "threads", lambda: 2)
    monkeypatch.setattr(module, "WORTH", 0.0)


class Stays(Tanh):
    def __reduce__(self):
        raise ValueError("not for others")


def local():
    class Mine(Tanh):  # which no other process finds
        pass

    return Mine()


class Elsewhere(Tanh):
    """Of a module that another process would import anew, and find otherwise than it is here by now."""


@pytest.mark.parametrize("layer", [Stays(), local(), Elsewhere()], ids=["raises", "local", "of another package"])
@pytest.mark.usefixtures("cores")
def test_what_does_not_travel_is_judged_here(layer):
    net = GraphBuilder()
    network = net.loss(SumSquaredError(), net("act", layer, net("fc", Dense(4, 2), net.input("x", 4))))
    with pytest.raises(LostError):
        Worker(network)
    with Judges(network, 10**6) as judges:
        made = session(network, against=("hand",))
        for number in range(1, 4):
            judges.take(made.step(number))
        judges.finish()
        assert [step.step for step in judges.finished] == [1, 2, 3]


@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize("lost", [None, 3, 6], ids=["none lost", "lost at work", "lost with the last"])
def test_steps_come_in_their_order_whoever_judges_them_and_none_is_lost_with_a_worker(lost):
    network = from_text("30-40-10", activation="relu", loss="cross-entropy")
    alone, made, steps = session(network), session(network), range(1, 7)
    expected = [judged(alone.step(number)) for number in steps]
    sent = 0
    with Slow(network, 10**6) as judges:
        for number in steps:
            judges.take(made.step(number))
            sent = max(sent, len(judges.workers))
            if number == lost:
                os.kill(judges.workers[0]._program._process.pid, signal.SIGKILL)
        judges.finish()
    assert sent == 1
    assert list(judges.finished) == expected


def one_neuron():
    """A network whose gain torch differentiates wrongly."""
    net = GraphBuilder()
    h = net("ln", LayerNorm(1), net("fc", Dense(3, 1), net.input("x", 3)))
    return net.loss(SumSquaredError(), h)


@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize(
    ("network", "lr", "how", "verdict"),
    [
        (from_text("5-4-3"), 0.1, "finished", "PASS"),
        (one_neuron(), 0.1, "finished", "FAIL"),
        (from_text("5-4-3", activation="identity"), 1e3, "diverged", "NOT COMPARED"),
    ],
    ids=["right", "wrong", "diverging"],
)
def test_a_run_with_a_worker_is_the_run_without(monkeypatch, network, lr, how, verdict):
    monkeypatch.setattr("harness.lockstep.training.Judges", Slow)
    made = []
    for worth in (0.0, float("inf")):
        monkeypatch.setattr(module, "WORTH", worth)
        options = {"optimizer": f"gradient-descent(lr={lr})", "steps": 12}
        run = harness.run(network, "random", ["hand", "torch"], **options)
        made.append((run.how, run.verdict, list(run.steps), run.power))
    assert made[0] == made[1]
    assert made[0][:2] == (how, verdict)


def test_a_short_run_starts_no_process(monkeypatch):
    monkeypatch.setattr(module, "Worker", None)
    assert len(harness.run("4-3-2-1", steps=10).steps) == 10


@pytest.mark.usefixtures("cores")
def test_a_process_that_is_allowed_one_thread_starts_none(monkeypatch):
    monkeypatch.setattr(module, "threads", lambda: 1)
    monkeypatch.setattr(module, "Worker", None)
    assert len(harness.run("4-3-2-1", against=["hand"], steps=10).steps) == 10


@pytest.mark.usefixtures("cores")
def test_where_the_truth_is_found_nothing_is_sent(monkeypatch):
    network = from_text("3-2")
    made = session(network, against=("hand",), exact=True)
    monkeypatch.setattr(Worker, "send", None)
    with Judges(network, 10**6) as judges:
        for number in (1, 2, 4):
            judges.take(made.step(number))
        assert not judges.workers
    assert [bool(step.certificates) for step in judges.finished] == [True] * 3


@pytest.mark.usefixtures("cores")
def test_nobody_waits_for_a_worker_that_takes_long(monkeypatch):
    monkeypatch.setattr(module, "AHEAD", 3)
    network = from_text("4-3-2")
    made = session(network, against=("hand",))
    with Slow(network, 10**6) as judges:
        judges.take(made.step(1))
        monkeypatch.setattr(judges.workers[0], "judged", lambda: iter(()))  # as if it were compiling
        there = []
        for number in range(2, 8):
            judges.take(made.step(number))
            there.append(len(judges.finished))
    assert there == [1, 1, 1, 5, 6, 7]


@pytest.mark.usefixtures("cores")
def test_an_interrupted_run_keeps_what_is_judged_and_leaves_no_process(monkeypatch):
    started = []
    monkeypatch.setattr("harness.lockstep.training.Judges", Slow)
    monkeypatch.setattr(module, "Worker", lambda network: started.append(Worker(network)) or started[-1])

    taken, take = [], Judges.take
    monkeypatch.setattr(Judges, "take", lambda self, step: taken.append(step.number) or take(self, step))

    def interrupt(done, planned):
        if done == 8:
            os.kill(os.getpid(), signal.SIGINT)

    made = harness.run("5-4-3", "random", ["hand"], steps=100, progress=interrupt)
    assert made.how == "interrupted"
    assert [step.step for step in made.steps] == list(range(1, len(made.steps) + 1))
    assert len(made.steps) == taken[-1]  # those that a worker had, too
    assert [worker._program.wait(0) is not None for worker in started] == [True]


@pytest.mark.usefixtures("cores")
def test_where_no_process_can_be_started_the_run_goes_on_alone(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    run = harness.run("5-4-3", "random", ["hand"], steps=4)
    assert (run.verdict, len(run.steps)) == ("PASS", 4)


@pytest.mark.usefixtures("cores")
def test_where_nothing_is_worth_sending_no_process_is_started(monkeypatch):
    monkeypatch.setattr(module, "MOST_IN_THREADS", 0)
    monkeypatch.setattr(module, "Worker", None)
    assert len(harness.run("5-4-3", "random", ["hand"], steps=4).steps) == 4
