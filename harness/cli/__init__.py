"""The command line: ``harness run``, ``implementations``, ``doctor``; other packages add commands."""

from harness.cli.main import main

__all__ = ["main"]
