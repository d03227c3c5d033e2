"""JAX's primitives by the hand rules that they are: a line each; importing this package registers them.

Which derivatives these have: jax/_src/lax (lax.py, slicing.py, windowed_reductions.py, convolution.py).
"""

from impls.jax_grad.lax import entrywise, moves, reductions
from impls.jax_grad.lax.table import RULES, Arguments, rule_of

__all__ = ["RULES", "Arguments", "entrywise", "moves", "reductions", "rule_of"]
