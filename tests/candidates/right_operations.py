"""Right operations against references of every kind, as pairs in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from harness import Indices
from impls.hand import Dense, Softmax, Tanh
from tests.candidates import numpy_layers as mine

NORM = {"x": ("N", "D"), "w": ("D",), "b": ("D",)}
RIGHT: dict[str, tuple[Any, Any, Any, dict[str, Any] | None]] = {
    "dense": (mine.dense, mine.dense_backward, Dense(4, 3), None),
    "tanh": (np.tanh, mine.tanh_backward, Tanh(), None),
    "softmax": (mine.softmax, mine.softmax_backward, Softmax(), None),
    "tanh against torch": (np.tanh, mine.tanh_backward, torch.tanh, {"z": ("N", "M")}),
    "softmax against torch": (
        mine.softmax, mine.softmax_backward, lambda x: torch.softmax(x, -1), {"x": ("B", "N", "M")},
    ),
    "layer norm": (
        mine.layer_norm, mine.layer_norm_backward, lambda x, w, b: functional.layer_norm(x, (x.shape[-1],), w, b), NORM,
    ),
    "rms norm": (
        mine.rms_norm, mine.rms_norm_backward,
        lambda x, w: x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * w, {"x": ("N", "D"), "w": ("D",)},
    ),
    "embedding": (
        mine.embedding, mine.embedding_backward, lambda W, ids: functional.embedding(ids, W),
        {"W": ("V", "D"), "ids": Indices(("N",), below="V")},
    ),
    "matmul": (np.matmul, mine.matmul_backward, torch.matmul, {"a": ("B", "N", "M"), "b": ("B", "M", "K")}),
}  # fmt: skip
"""By name: forward, backward, reference, inputs."""
