"""Lockstep: implementations trained step by step from the same weights, each step compared."""
