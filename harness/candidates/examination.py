"""Examination: somebody's function at a point, and the same with another loss, learning rate or layout.

What is offered to make a program pass is tried in this way first: the same function is called as that command would
call it, at every point that a check asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from harness.candidates.contracts import Obeyed, examined
from harness.candidates.function import BackwardPass
from harness.candidates.layout import layout_of
from harness.candidates.updates import FromUpdate, read_off_from
from harness.dialects import Recognised
from harness.evaluation.point import Point
from harness.usage import UsageError
from impls.contract import CPU
from impls.graph import Graph


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What a check of a function is made of.

    Attributes:
        name: what findings call the function.
        point: with all rows that there are, its network as it was said.
        flat: whether targets are given without an axis of size 1.
        arrays, timeout, layout, strict, device: as in `harness.checking.backward_pass.check`.
    """

    name: str
    function: Callable[..., Any]
    point: Point
    arrays: str | None = None
    timeout: float | None = None
    layout: str = "rows"
    strict: bool = False
    flat: bool = False
    device: str = CPU

    def begun(self) -> tuple[BackwardPass, Point]:
        """The function as it is called, and where it is called first.

        Raises:
            UsageError: the network's tensors cannot lie so, or there are no such arrays.
        """
        network = self.point.network
        lies = layout_of(self.layout, network, self.point)
        candidate = BackwardPass(
            self.name,
            self.function,
            self.arrays,
            self.timeout,
            layout=lies,
            strict=self.strict,
            flat=self.flat,
            device=self.device,
        )
        point = replace(self.point, arithmetic=candidate.stated(self.point.dtype).arithmetic)
        try:
            _ = point.profile
        except ValueError as error:  # products whose arithmetic is not known
            raise UsageError(str(error)) from None
        if isinstance(self.function, FromUpdate):
            point = replace(point, network=read_off_from(network, self.function.lr, lies))
        return candidate, point.elsewhere(point.weights, slice(0, lies.rows(point.rows)))

    def examined(self) -> Obeyed[Recognised]:
        """The first answer, as it is read, and what is to be said besides."""
        return examined(*self.begun())

    def passes(self) -> bool:
        """Whether everything that it returns is right, and no contract broken."""
        obeyed = self.examined()
        judged = any(row.verdict != "not comparable" for row in obeyed.read.located.rows)
        return judged and not obeyed.read.located.faulty and not any(finding.fails for finding in obeyed.findings)

    def with_network(self, network: Graph) -> Examination:
        """The same against another network of these weights."""
        return replace(self, point=replace(self.point, network=network))

    def with_loss(self, loss: Any) -> Examination:
        """The same against another loss."""
        return self.with_network(self.point.network.with_loss(loss))

    def with_rate(self, lr: float) -> Examination:
        """The same with another learning rate of the update that gradients are read off."""
        assert isinstance(self.function, FromUpdate)
        return replace(self, function=self.function.at(lr))
