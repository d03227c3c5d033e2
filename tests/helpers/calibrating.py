"""Calibrations: an implementation with other functions, a row of what was measured, what the command prints."""

from harness.cli.surveys import calibrate_and_print
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
    defaults = {"as_json": False, "exhaustive": False, "seed": 0, "against": None, "function": None, "dtype": None}
    status = calibrate_and_print(**{**defaults, **options})
    return status, capsys.readouterr()
