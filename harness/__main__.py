"""``python -m harness`` is the command ``harness``, in a process that is its own from beginning to end."""

import atexit
import os
import sys
from typing import NoReturn

from harness.cli import main
from harness.memory import pass_over_imported


def command() -> None:
    """Run the command line."""
    pass_over_imported()
    try:
        main()
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else int(end.code is not None))


def _leave(status: int) -> NoReturn:
    """End the process without taking it apart.

    Threads of frameworks may be at work, after an interrupt above all, and crash where what they use is taken from
    them; and to free what goes with the process takes a tenth of a short run.
    """
    atexit._run_exitfuncs()  # of loaded modules: temporary files, processes
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # it takes no more, or is closed
            status = status or 2
    os._exit(status)


if __name__ == "__main__":
    command()
