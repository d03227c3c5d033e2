"""``harness tolerance``: from options to what a tolerance lets pass and rejects, in a process apart."""

from __future__ import annotations

from typing import Any

from harness.cli.checking import print_answer
from harness.cli.terminal import spelled


def check_and_print(*, rule: str | None, on: str, **options: Any) -> int:
    """Check, print, and return the exit status."""
    asked = {"function": on, "what": "tolerance", "report": None, "require_power": False}
    return print_answer(options | asked | {"rule": rule, "command": spelled()})
