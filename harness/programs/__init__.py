"""Programs: an unmodified torch module or JAX function, every operation of its own run judged by itself.

capture (impls) -> judging: rows of every operation and of every sum where gradients meet -> results.program_check
"""
