"""Gradients in tests: allowances, the fixture ``lockstep``, the pytest plugin."""
