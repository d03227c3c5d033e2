"""PyTorch: forward from torch's own operations, gradients from its autograd, updates from torch.optim.

The only place of the project that imports torch.
"""

from impls.torch_autograd.gradients import TorchAutograd

__all__ = ["TorchAutograd"]
