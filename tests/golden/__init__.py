"""Everything the command and the Python functions print, frozen: see `tests.golden.cases`."""
