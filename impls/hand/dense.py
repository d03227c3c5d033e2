"""Dense layer: every output is the weighted sum of every input, plus a bias.

    z  = x W + b               z_nj  = sum_i x_ni w_ij + b_j

    dx = dz W^T                dx_ni = sum_j dz_nj w_ij     every path from x_i leads through some z_j
    dW = x^T dz                dw_ij = sum_n x_ni dz_nj     w_ij feeds z_j only, once per row n
    db = sum_n dz_n            db_j  = sum_n dz_nj          the bias is a weight whose input is always 1

Shapes: x (N, M), W (M, K), b (K,), z (N, K); a gradient has the shape of what it belongs to.
The sums over n are sums, not means: a mean, where there is one, belongs to the loss.

Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors",
Nature 323 (1986), equations (1), (4) to (7).
"""

from __future__ import annotations

from impls.hand.primitive import Array


class Dense:
    """z = x W + b, with W of shape (inputs, outputs) and b of shape (outputs,), or without b."""

    reads, gives = "x", "z"

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        for name, size in (("inputs", inputs), ("outputs", outputs)):
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(
                    f"Cannot make a Dense layer with {name}={size!r}, because a layer needs at "
                    f"least one of them; give a whole number from 1 on."
                )
        self.inputs, self.outputs, self.bias = inputs, outputs, bias

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shape of each weight."""
        shapes: dict[str, tuple[int, ...]] = {"W": (self.inputs, self.outputs)}
        return shapes | {"b": (self.outputs,)} if self.bias else shapes

    def forward(self, x: Array, W: Array, b: Array = None) -> Array:
        z = x @ W
        if self.bias:
            z += b
        return z

    def dx(self, dz: Array, W: Array) -> Array:
        return dz @ W.T

    def dW(self, dz: Array, x: Array) -> Array:
        return x.T @ dz

    def db(self, dz: Array) -> Array:
        return dz.sum(axis=0)

    def __repr__(self) -> str:
        bias = "" if self.bias else ", bias=False"
        return f"Dense({self.inputs}, {self.outputs}{bias})"
