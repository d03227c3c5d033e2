"""Ctrl-C that compiled code swallows in a callback, or makes another error of, interrupts all the same."""

import signal

import pytest

import harness
from harness.fault_injection import command
from harness.interrupts import heard, heed
from impls.hand_numpy import Hand

pytestmark = pytest.mark.usefixtures("ctrl_c")


class Collected:
    """Where this is collected, Ctrl-C is pressed: Python drops what is raised there, as compiled code may."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def swallowed():
    Collected()


def turned_into_another_error():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt as interrupt:
        raise RuntimeError("INTERNAL: CpuCallback error") from interrupt


LOST = pytest.mark.parametrize("lost", [swallowed, turned_into_another_error], ids=lambda lost: lost.__name__)


def at_the_third_call(call, lost):
    calls = []

    def called(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            lost()
        return call(*arguments, **options)

    return called


@LOST
def test_what_is_lost_ends_a_block_all_the_same(lost, capsys):
    def block():
        with heard():
            lost()
            heed()
            raise AssertionError("not heeded")

    with pytest.raises(KeyboardInterrupt):
        block()
    heed()  # it is over
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert capsys.readouterr().err == ""


@LOST
def test_a_run_keeps_its_finished_steps(lost, register):
    class Interrupted(Hand):
        differentiate = at_the_third_call(Hand.differentiate, lost)

    register("interrupted", Interrupted)
    run = harness.run("2-1", "random", ["interrupted"], steps=5)
    assert (run.how, run.exit, len(run.steps) < 5, run.findings) == ("interrupted", 130, True, [])


@LOST
def test_conventions_keep_what_was_finished(lost, register):
    class Interrupted(Hand):
        def conventions(self):
            return {"elu at 0": lost}

    register("interrupted", Interrupted)
    result = harness.conventions(["interrupted"])
    assert (result.how, result.exit, result.notes) == ("interrupted", 130, [])


@LOST
def test_power_ends(lost, monkeypatch):
    monkeypatch.setattr(command, "plant", at_the_third_call(command.plant, lost))
    with pytest.raises(KeyboardInterrupt):
        harness.power("2-1", "random", ["hand"])


def test_who_ignores_ctrl_c_goes_on_ignoring_it():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with heard():
        signal.raise_signal(signal.SIGINT)
        heed()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
