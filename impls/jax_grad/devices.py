"""Where JAX computes, on its default device or another one, and how it does so there, with the settings as found.

On CUDA, XLA makes matrix products of float32 in TF32 unless `jax_default_matmul_precision` asks for more, keeps what is
narrower than float32 unrounded between operations where it likes to (excess precision is on by default), and divides
by an instruction that is 2 ulp off.

Sources: JAX's documentation of jax_default_matmul_precision; jax issue 22244 on excess precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax

from impls.contract import Arithmetic
from impls.jax_grad.narrow import on_cpu

PRECISE = ("float32", "highest", "bfloat16_9x", "F32_F32_F32")
"""Settings with which a product of float32 is one of float32."""


def devices() -> list[str]:
    """What is there: every device by its platform and number, and a platform alone for its first."""
    there = list(jax.devices())
    if all(device.platform != "cpu" for device in there):
        there += jax.devices("cpu")
    found = [f"{_platform(device)}:{device.id}" for device in there]
    return list(dict.fromkeys([name.partition(":")[0] for name in found] + found))


def _platform(device: Any) -> str:
    return "cuda" if device.platform == "gpu" and "nvidia" in device.device_kind.lower() else str(device.platform)


class Place:
    """One device, JAX's own choice if its name is empty."""

    def __init__(self, device: str) -> None:
        platform, _, number = device.partition(":")
        self._device = jax.devices(platform)[int(number or 0)] if device else jax.devices()[0]
        self.device = device or _platform(self._device)

    @contextmanager
    def computing(self, dtype: str) -> Iterator[None]:
        """While entered, what JAX is given goes there; float64 mode is on only if the dtype needs it."""
        with jax.enable_x64(dtype == "float64"), jax.default_device(self._device):
            yield

    def described(self) -> str:
        """The device, and its kind where that says more."""
        kind = self._device.device_kind
        return str(self._device) if kind == self._device.platform else f"{self._device}, {kind}"

    def arithmetic(self, layer: Any, local: str, dtype: str) -> Arithmetic:
        """How one tensor of a layer is computed there; see `impls.contract.StatesArithmetic`."""
        if _platform(self._device) == "cpu":
            return on_cpu(layer, local)
        major, _, minor = str(getattr(self._device, "compute_capability", "0.0")).partition(".")
        capability = int(major), int(minor or 0)
        if dtype == "float64":
            return Arithmetic(products=dtype, device="cuda")
        if dtype == "float32":
            single = jax.config.jax_default_matmul_precision not in PRECISE
            return Arithmetic(products=dtype, device="cuda", cores=(capability, "tf32") if single else None)
        return Arithmetic(products="float32", device="cuda", cores=(capability, dtype), unrounded=True)
