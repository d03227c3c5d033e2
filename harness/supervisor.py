"""The supervisor of one program, run as a script: whatever the program started ends when it does.

    python -I -S supervisor.py STDOUT WORD...

STDOUT is the number of a file that the program prints to. The supervisor's stdin is a pipe: a byte in it is a signal
for the program; when its other end is closed, because somebody had enough or was ended in whatever way, the program is
asked to end, by SIGTERM, and then made to. On its stdout it says in two words how the program ended, once nothing of it
is left: ``status 3``, ``signal 9``, ``stopped 19``.

The program leads a session of its own, so that a signal from the terminal, or one to its group, stays on its side. What
it starts in other sessions is found among the descendants of the supervisor, which adopts orphans where the system is
Linux; elsewhere the program's group is what is ended.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

GRACE = 2.0
"""Seconds for which a program may be stopped, as nobody at a terminal can continue it, or take to end when asked to."""
SET_PDEATHSIG, SET_CHILD_SUBREAPER = 1, 36
PARENT, CALLER, PROCESSES = 0, 1, "/proc"


def main() -> None:
    """Start the program, watch it, end what it left, and say how it ended."""
    _process_control(SET_CHILD_SUBREAPER, 1)
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    program = _started(int(sys.argv[1]), sys.argv[2:])
    told = _watched(program, woken)
    _end(program)
    with contextlib.suppress(OSError):  # the parent has gone
        os.write(CALLER, told.encode())


def _started(stdout: int, words: list[str]) -> int:
    supervisor = os.getpid()
    program = os.fork()
    if program:
        return program
    try:
        os.setsid()
        _process_control(SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == supervisor:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(stdout, 1)
            os.execv(words[0], words)
    finally:
        os._exit(127)


def _watched(program: int, woken: int) -> str:
    """How the program ended, by itself or because it was asked to; or that it did not in time, or is stopped."""
    waits, last, late = [PARENT, woken], float("inf"), ""
    while True:
        left = None if last == float("inf") else max(last - time.monotonic(), 0)
        ready, _, _ = select.select(waits, [], [], left)
        signals = os.read(woken, 4096) if woken in ready else b""
        while change := _change():
            child, status = change
            if child != program:
                continue
            if os.WIFSIGNALED(status):
                return f"signal {os.WTERMSIG(status)}"
            if os.WIFEXITED(status):
                return f"status {os.WEXITSTATUS(status)}"
            if PARENT in waits:
                stopped = os.WIFSTOPPED(status)
                last = time.monotonic() + GRACE if stopped else float("inf")
                late = f"stopped {os.WSTOPSIG(status)}" if stopped else ""
        passed_on = os.read(PARENT, 64) if PARENT in ready else b""
        for number in passed_on:
            os.kill(program, number)
        had_enough = PARENT in ready and not passed_on
        if PARENT in waits and (had_enough or any(number != signal.SIGCHLD for number in signals)):
            waits, last, late = [woken], time.monotonic() + GRACE, f"signal {int(signal.SIGKILL)}"
            for number in (signal.SIGTERM, signal.SIGCONT):
                os.kill(program, number)
        if time.monotonic() >= last:
            return late


def _change() -> tuple[int, int] | None:
    """A child whose state has changed, and its state."""
    child, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
    return (child, status) if child else None


def _end(program: int) -> None:
    """End everything there is below this process; what cannot be ended is somebody else's after a while."""
    until = time.monotonic() + 2 * GRACE
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            os.killpg(program, signal.SIGKILL)
        for descendant in _descendants():
            with contextlib.suppress(OSError):
                os.kill(descendant, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def _descendants() -> list[int]:
    parents = dict[int, int]()
    for name in os.listdir(PROCESSES) if os.path.isdir(PROCESSES) else []:  # noqa: PTH112, PTH208  (a quick start)
        with contextlib.suppress(OSError, ValueError):
            pid = int(name)
            with open(f"{PROCESSES}/{pid}/stat", "rb") as file:  # noqa: PTH123
                parents[pid] = int(file.read().rpartition(b")")[2].split()[1])
    found = [os.getpid()]
    for one in found:
        found += [pid for pid, parent in parents.items() if parent == one]
    return found[1:]


def _process_control(option: int, value: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
