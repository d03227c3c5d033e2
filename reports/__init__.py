"""Documents made from runs of the harness."""
