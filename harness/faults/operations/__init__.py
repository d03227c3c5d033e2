"""Mistakes of a single operation: which of them reproduces what its backward returned."""
