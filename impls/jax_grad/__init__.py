"""JAX: forward from JAX's own operations, gradients from jax.grad under jit, updates from optax.

The only place of the project that imports jax and optax.
"""

from impls.jax_grad.gradients import JaxGrad

__all__ = ["JaxGrad"]
