"""Tolerances that people choose: what each would let pass, what it would reject, and what to use instead."""
