"""The command line; other packages add commands."""

from harness.cli.main import main

__all__ = ["main"]
