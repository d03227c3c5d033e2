"""Arrays whose matrix products are those of a tensor core, so that the hand code runs as if it were on one."""

from __future__ import annotations

import numpy as np

from harness.arithmetic.tensor_cores import TENSOR_CORES
from tests.tensor_cores.emulator import product


def on_cores(architecture: str, operands: str):
    """What makes such arrays, of float32, of arrays."""
    block = TENSOR_CORES[architecture][operands]

    class OnCores(np.ndarray):
        def __array_ufunc__(self, ufunc, method, *arrays, out=None, **options):
            plain = [np.asarray(each) if isinstance(each, OnCores) else each for each in arrays]
            if ufunc is np.matmul and method == "__call__":
                result = _each_matrix(*plain)
            else:
                result = getattr(ufunc, method)(*plain, **options)
            if out is not None:
                out[0][...] = result
                return out[0]
            return result.view(OnCores) if isinstance(result, np.ndarray) else result

    def _each_matrix(x, y):
        shape = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        x, y = (np.broadcast_to(each, (*shape, *each.shape[-2:])) for each in (x, y))
        result = np.empty((*shape, x.shape[-2], y.shape[-1]), np.float32)
        for index in np.ndindex(shape):
            result[index] = product(block, x[index], y[index], operands)
        return result

    return lambda array: np.array(array, np.float32).view(OnCores)
