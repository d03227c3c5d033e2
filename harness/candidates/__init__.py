"""Candidates: whatever is checked, and the contracts that it has to keep."""
