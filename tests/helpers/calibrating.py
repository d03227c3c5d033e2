"""Calibrations: an implementation with other functions, a row of what was measured, what the command prints."""

import pytest

from harness.cli.commands import harness as command
from impls.hand_numpy import Hand


def having(**functions):
    """The hand implementation with some elementary functions replaced."""

    class Replaced(Hand):
        def elementary(self):
            return {**super().elementary(), **functions}

    return Replaced


def row_of(result, function, against, dtype="float32"):
    return next(r for r in result.rows if (r.function, r.against, r.dtype) == (function, against, dtype))


def printed(capsys, **options):
    words = [f"--{name}" if value is True else f"--{name}={value}" for name, value in options.items()]
    with pytest.raises(SystemExit) as ended:
        command.main(["calibrate", *words])
    return ended.value.code, capsys.readouterr()
