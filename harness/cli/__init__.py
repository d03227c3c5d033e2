"""The command line; other packages add commands."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import NoReturn

import click

from harness.environment import WAITING
from harness.interrupts import heard, heed
from harness.memory import keep_freed
from harness.usage import reason, visible

__all__ = ["main"]


def _last_word(told: str, status: int) -> NoReturn:
    """Say why the command ends; where stderr takes nothing either, the status alone says so."""
    try:
        click.echo(told, err=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # for what waits to be written at the very end
    sys.exit(status)


def main() -> None:
    """Run the command line; wrong usage, an interrupt and a closed pipe end without a traceback."""
    os.environ |= WAITING | os.environ
    from harness.cli.commands import harness  # NumPy among what it imports, which reads this when it is loaded
    from harness.cli.group import ClosedPipeError

    keep_freed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # where it cannot encode a character, ? stands in its place
            stream.reconfigure(errors="replace")
    ends = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    try:
        with heard(*ends):
            status = harness(standalone_mode=False)
            if status != 130:
                heed()
        sys.exit(status)
    except click.ClickException as error:
        told = io.StringIO()
        error.show(told)
        _last_word("\n".join(map(visible, told.getvalue().rstrip().split("\n"))), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _last_word("interrupted", 130)
    except MemoryError as error:
        why = visible(f" ({error})") if str(error) else ""
        _last_word(f"Cannot go on, because memory is short{why}; choose a smaller model or batch.", 2)
    except (ClosedPipeError, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + 13)  # as if ended by SIGPIPE, and no verdict
    except OSError as error:
        _last_word(f"Cannot go on, because {reason(error)}; what was written before stays.", 2)
