"""ATen operations by the hand rules that they are: a line each; importing this package registers them.

Which kernels these are on a CPU, and which formulas their derivatives have: torch's derivatives.yaml and ATen/native.
"""

from impls.torch_autograd.aten import entrywise, moves, products, reductions, rows
from impls.torch_autograd.aten.table import RULES, rule_of

__all__ = ["RULES", "entrywise", "moves", "products", "reductions", "rows", "rule_of"]
