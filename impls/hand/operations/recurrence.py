"""A long short-term memory over all steps of a sequence in one operation, as torch has it.

    z = x W^T + h' U^T + b + d               h' and c' are those of the step before; z = (zi, zf, zg, zo)
    i, f, o = sigmoid(zi, zf, zo)            g = tanh(zg)
    c = f c' + i g                           h = o tanh(c)

    dh = dy + dz+ U                          dz+ and dc+ are those of the step after
    dc = f+ dc+ + dh o (1 - tanh(c)^2)
    dzi = dc g i (1 - i)                     dzf = dc c' f (1 - f)
    dzg = dc i (1 - g^2)                     dzo = dh tanh(c) o (1 - o)

    dx = dz W                                dW = sum over steps of dz^T x             db = dd = sum over steps of dz
    dh' = dz U                               dU = sum over steps of dz^T h'            dc' = dc f

Every step reads the h that ran before it, `ran`, where that is known: a step is right or wrong by itself, and what
rounding did to one is not counted again in the next.

Shapes: x (T, N, I), y and ran (T, N, H), h and c (N, H), W (4H, I), U (4H, H), b and d (4H,).

Source: Hochreiter and Schmidhuber, "Long short-term memory" (1997), with the forget gate of Gers, Schmidhuber and
Cummins (2000).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from impls.graph import Array
from impls.hand.activations.sigmoidal import sigmoid, sigmoid_vjp, tanh_vjp
from impls.hand.layers.matrix_product import swapped
from impls.hand.parts import Parametrised


class _Step(NamedTuple):
    """What a step computes, in front what it reads and its number in time."""

    number: int
    x: Array
    past_h: Array
    past_c: Array
    i: Array
    f: Array
    g: Array
    o: Array
    tanh_c: Array
    c: Array
    h: Array


class _Sent(NamedTuple):
    """What the backward pass gives: dz of each step in the order of x, and what is sent to the first h and c."""

    steps: list[_Step]
    dz: list[Array]
    dh: Array
    dc: Array


def _output(of: Callable[[list[_Step]], Array]) -> Callable[..., Array]:
    """The rule that takes an output from the steps in the order of time."""

    def rule(
        self: LongShortTermMemory, x: Array, W: Array, U: Array, b: Array, d: Array, h: Array, c: Array, ran: Array
    ) -> Array:
        return of(self.steps(x, W, U, b, d, h, c, ran))

    return rule


def _gradient(of: Callable[[_Sent, Array], Array]) -> Callable[..., Array]:
    """The rule that takes a gradient from what was sent back, and from W."""

    def rule(
        self: LongShortTermMemory, dy: Array, dH: Array, dC: Array,
        x: Array, W: Array, U: Array, b: Array, d: Array, h: Array, c: Array, ran: Array,
    ) -> Array:  # fmt: skip
        return of(self.sent_back(dy, dH, dC, U, self.steps(x, W, U, b, d, h, c, ran)), W)

    return rule


class LongShortTermMemory(Parametrised):
    """Forward in time, or `reverse`: from the last step to the first. y has every h, H and C are the last ones."""

    reads, gives = ("x", "W", "U", "b", "d", "h", "c", "ran"), ("y", "H", "C")

    def __init__(self, reverse: bool = False) -> None:
        self.reverse = reverse
        self._last: dict[Any, tuple[Sequence[Any], Any]] = {}

    y = _output(lambda steps: _joined([step.h for step in steps]))
    H = _output(lambda steps: max(steps, key=lambda step: step.number).h)
    C = _output(lambda steps: max(steps, key=lambda step: step.number).c)

    dx = _gradient(lambda sent, W: _joined([dz @ W for dz in sent.dz]))
    dW = _gradient(lambda sent, _: _summed(sent, [step.x for step in sent.steps]))
    dU = _gradient(lambda sent, _: _summed(sent, [step.past_h for step in sent.steps]))
    db = dd = _gradient(lambda sent, _: np.concatenate(sent.dz).sum(axis=0))
    dh = _gradient(lambda sent, _: sent.dh)
    dc = _gradient(lambda sent, _: sent.dc)

    def steps(self, *read: Any) -> list[_Step]:
        """Every step, in the order of x; of what is read b and d may be None, and `ran`."""
        made: list[_Step] = self._once(self._steps, *read)
        return made

    def _steps(self, x: Any, W: Any, U: Any, b: Any, d: Any, h: Any, c: Any, ran: Any) -> list[_Step]:
        made: list[_Step] = []
        for number, t in enumerate(self._in_time([*range(len(x))])):
            z = x[t] @ swapped(W) + h @ swapped(U)
            z = z if b is None else z + b + d
            width = z.shape[-1] // 4
            i, f, g, o = (z[:, width * k : width * (k + 1)] for k in range(4))
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            past_h, past_c = h, c
            c = f * c + i * g
            tanh_c = np.tanh(c)
            h = o * tanh_c
            made.append(_Step(number, x[t], past_h, past_c, i, f, g, o, tanh_c, c, h))
            h = h if ran is None else ran[t]
        return self._in_time(made)

    def sent_back(self, dy: Any, dH: Any, dC: Any, U: Any, steps: list[_Step]) -> _Sent:
        """The gradients of every z, of the first h and of the first c."""
        sent: _Sent = self._once(self._sent_back, dy, dH, dC, U, steps)
        return sent

    def _sent_back(self, dy: Any, dH: Any, dC: Any, U: Any, steps: list[_Step]) -> _Sent:
        dz: dict[int, Array] = {}
        dh, dc = dH, dC
        for t in self._in_time([*range(len(steps))])[::-1]:
            step = steps[t]
            dh = dh + dy[t]
            dc = dc + tanh_vjp(dh * step.o, step.tanh_c)
            gates = [
                sigmoid_vjp(dc * step.g, step.i), sigmoid_vjp(dc * step.past_c, step.f),
                tanh_vjp(dc * step.i, step.g), sigmoid_vjp(dh * step.tanh_c, step.o),
            ]  # fmt: skip
            dz[t] = np.concatenate(gates, axis=-1)
            dh, dc = dz[t] @ U, dc * step.f
        return _Sent(steps, [dz[t] for t in range(len(steps))], dh, dc)

    def _in_time(self, each: list[Any]) -> list[Any]:
        """From the order of x to that of time; and back."""
        return each[::-1] if self.reverse else each

    def _once(self, function: Callable[..., Any], *read: Any) -> Any:
        """What it gives, kept for the next rule that reads the same arrays: each gradient needs every step."""
        known, found = self._last.get(function.__name__, ((), None))
        if len(known) != len(read) or any(one is not other for one, other in zip(known, read, strict=True)):
            found = function(*read)
            self._last[function.__name__] = read, found
        return found


def _joined(each: list[Array]) -> Array:
    """(T, N, K) of so many steps."""
    return np.concatenate(each).reshape(len(each), *each[0].shape)


def _summed(sent: _Sent, read: list[Array]) -> Array:
    """The sum over steps and rows of dz^T times what was read there."""
    return swapped(np.concatenate(sent.dz)) @ np.concatenate(read)
