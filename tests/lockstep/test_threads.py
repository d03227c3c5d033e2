"""Independent work of a step side by side: the same results in the same order, and nothing left changed."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from harness import environment
from harness.arithmetic.threads import MOST_IN_THREADS, WORTH_THREADS
from harness.candidates.implementation import admit
from harness.inputs.arguments import as_data, as_optimizer
from harness.inputs.batches import batches_of
from harness.inputs.schedule import Schedule
from harness.lockstep import judging
from harness.lockstep.judging import judged
from harness.lockstep.session import Session
from harness.lockstep.threads import side_by_side
from impls.hand import from_text

MUCH = WORTH_THREADS


@pytest.fixture
def cores(monkeypatch):
    """Two cores, whatever the machine has."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(environment, "cores", lambda: 2)


def blas():
    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.usefixtures("cores")
def test_much_work_is_done_in_threads_and_told_in_order():
    """The first call ends last; each sees the caller's floating-point settings, and BLAS on one thread."""
    before, ends = blas(), []

    def call(number):
        time.sleep(0.2 if number == 0 else 0)
        ends.append(number)
        return number, threading.current_thread(), np.geterr()["over"], set(blas().values())

    with np.errstate(over="raise"):
        found = side_by_side([lambda n=n: call(n) for n in range(4)], MUCH)
    assert [number for number, *_ in found] == [0, 1, 2, 3]
    assert ends[-1] == 0
    assert all(thread is not threading.main_thread() and over == "raise" for _, thread, over, _ in found)
    assert all(counts == {1} for *_, counts in found)
    assert blas() == before


@pytest.mark.usefixtures("cores")
def test_what_a_call_raises_is_raised_and_what_has_not_begun_does_not_begin():
    before, begun = blas(), []

    def fails():
        raise MemoryError("no room")

    def later(number):
        begun.append(number)
        time.sleep(0.05)

    with pytest.raises(MemoryError, match="no room"):
        side_by_side([fails, *(lambda n=n: later(n) for n in range(50))], MUCH)
    assert len(begun) < 50
    assert blas() == before


@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize("work", [MUCH - 1, MOST_IN_THREADS + 1])
def test_little_work_and_very_much_is_done_where_it_is_asked_for(work):
    assert side_by_side([threading.current_thread] * 3, work) == [threading.main_thread()] * 3


@pytest.mark.usefixtures("cores")
def test_a_process_that_is_allowed_one_thread_takes_one(monkeypatch):
    """As each process of a sweep is that shares the cores with others."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert side_by_side([threading.current_thread] * 3, MUCH) == [threading.main_thread()] * 3


@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize("sizes", ["30-40-10", "7-5-3-10"])
def test_a_step_judged_in_threads_has_the_rows_of_one_that_is_not(monkeypatch, sizes):
    """Steps in full and sampled ones, of every implementation: row for row, to the last bit."""

    def rows():
        network = from_text(sizes, activation="relu", loss="cross-entropy")
        made = Session(
            network=network, batches=batches_of(network, as_data("random", network, 0, raw=False, target=None),
            "float32", None, 0), optimizer=as_optimizer("adam"), dtype="float32", seed=0,
            schedule=Schedule(full=False, every=0, last=0, seed=0), free=False,
            admission=admit(("hand", "torch", "jax"), network, "float32", named=False),
        )  # fmt: skip
        return [row for number in range(1, 9) for row in judged(made.step(number)).rows]

    one_by_one = rows()
    monkeypatch.setattr(judging, "side_by_side", lambda calls, *_: side_by_side(calls, MUCH))
    assert rows() == one_by_one
    assert len(one_by_one) > 500


LATER = """
from threadpoolctl import threadpool_info
from harness.arithmetic.threads import one_thread
def blas():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
with one_thread():
    first = blas()
import scipy.linalg
found = blas()
with one_thread():
    limited = blas()
print(first, found, limited, blas())
"""


def test_a_blas_that_is_loaded_later_is_limited_too():
    """SciPy brings one of its own, and nobody knows when a program first asks for it."""
    threads = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", LATER], env=threads, capture_output=True, text=True, check=True)
    first, found, limited, after = (part + "]" for part in done.stdout.strip().split("]")[:4])
    assert first == "[1]"
    assert found.strip() == after.strip() == "[2, 2]"
    assert limited.strip() == "[1, 1]"
