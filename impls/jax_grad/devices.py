"""Where JAX computes, on the CPU or on a CUDA device, and how it does so there, with the settings as found.

On CUDA, XLA makes matrix products of float32 in TF32 unless `jax_default_matmul_precision` asks for more, or for
narrower operands, keeps what is narrower than float32 unrounded between operations where it likes to (excess precision
is on by default), and divides by an instruction that is 2 ulp off. Of other platforms nothing is known, and so they
are not listed.

Sources: JAX's documentation of jax_default_matmul_precision and jax.lax.DotAlgorithmPreset; jax issue 22244 on excess
precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import jax

from impls.contract import CPU, Arithmetic, CannotCompareError
from impls.jax_grad.narrow import of_compiled, of_equation, on_cpu

CUDA = "cuda"
PRECISE = ("float32", "highest", "bfloat16_9x", "F32_F32_F32", "F64_F64_F64", "BF16_BF16_F32_X9")
"""Settings with which a product of float32 is one of float32."""
COARSER = {"BF16_BF16_F32": "bfloat16", "F16_F16_F32": "float16"}
"""Settings with which tensor cores read operands narrower than TF32, and which; every other one reads TF32, or more."""
UNKNOWN = ("ANY_F8_ANY_F8_ANY", "ANY_F8_ANY_F8_F32", "ANY_F8_ANY_F8_F32_FAST_ACCUM", "BF16_BF16_BF16", "F16_F16_F16")
"""Settings of which it is not known how they add up."""


def devices() -> list[str]:
    """What is there: every device by its platform and number, and a platform alone for its first."""
    numbered = [f"{platform}:{device.id}" for platform, device in _there()]
    return list(dict.fromkeys([name.partition(":")[0] for name in numbered] + numbered))


def _there() -> list[tuple[str, Any]]:
    """Every device by its platform, of those platforms that something is known of."""
    found = list(jax.devices())
    if all(device.platform != CPU for device in found):
        with suppress(RuntimeError):  # JAX_PLATFORMS leaves it out
            found += jax.devices(CPU)
    return [(platform, device) for device in found if (platform := _platform(device)) in (CPU, CUDA)]


def _platform(device: Any) -> str:
    return CUDA if device.platform == "gpu" and "nvidia" in device.device_kind.lower() else str(device.platform)


def unknown_platform(device: Any) -> str | None:
    """What a device is, where nothing is known of how it computes."""
    return None if (platform := _platform(device)) in (CPU, CUDA) else platform


class Place:
    """One device, the CPU at first; CannotCompareError where JAX has no such one."""

    def __init__(self, device: str = CPU) -> None:
        platform, _, number = device.partition(":")
        named = (each for found, each in _there() if found == platform and number in ("", str(each.id)))
        first = next(named, None)
        if first is None:
            raise CannotCompareError(
                f"Cannot compute with jax on {device!r:.60}, because it has "
                f"{', '.join(devices()) or 'neither cpu nor cuda'}; let JAX_PLATFORMS name it too, or leave that unset."
            )
        self.device, self._device = device, first

    @contextmanager
    def computing(self, float64: bool) -> Iterator[None]:
        """While entered, what JAX is given goes there; float64 mode is on only if it is needed."""
        with jax.enable_x64(float64), jax.default_device(self._device):
            yield

    def described(self) -> str:
        """The device, and its kind where that says more."""
        kind = self._device.device_kind
        return str(self._device) if kind == self._device.platform else f"{self._device}, {kind}"

    def arithmetic(self, layer: Any, local: str, dtype: str) -> Arithmetic:
        """See `on_device`; of a layer, and no equation."""
        on_the_cpu = _platform(self._device) == CPU
        return on_cpu(layer, local) if on_the_cpu else on_device(layer, local, dtype, self._device)


def on_device(layer: Any, local: str, dtype: str, device: Any, at_once: bool = False) -> Arithmetic:
    """How one tensor of an equation is computed in a dtype on a device; see `impls.contract.StatesArithmetic`.

    Args:
        at_once: whether it was compiled with others as one program.

    Raises:
        ValueError: as JAX is set, that is not known.
    """
    if _platform(device) == CPU:
        return of_compiled(layer, local) if at_once else of_equation(layer, local)
    major, _, minor = str(getattr(device, "compute_capability", "0.0")).partition(".")
    capability = int(major), int(minor or 0)
    setting = jax.config.jax_default_matmul_precision
    if setting in UNKNOWN:
        raise ValueError(
            f"Cannot bound products with jax_default_matmul_precision={setting!r}, because it is not known how "
            f"they are added up; choose highest, or BF16_BF16_F32."
        )
    if dtype == "float64":
        return Arithmetic(products=dtype, device=CUDA)
    if dtype not in ("float16", "bfloat16"):
        operands = COARSER.get(str(setting), "tf32")
        return Arithmetic(products="float32", device=CUDA, cores=None if setting in PRECISE else (capability, operands))
    return Arithmetic(products="float32", device=CUDA, cores=(capability, dtype), unrounded=True)
