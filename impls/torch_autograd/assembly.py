"""What taps saw of a torch program, as operations: each node of its autograd graph with the call that made it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.autograd.graph import Node
from torch.nn.modules._functions import BackwardHookFunction

from impls.captured import Meeting, Operation, Place, Rule
from impls.hand.operations.moving import Moved, Put
from impls.torch_autograd.arrays import shared_array_of
from impls.torch_autograd.aten import rule_of
from impls.torch_autograd.forms import form_of_call, form_of_function, form_on_a_view, written_as
from impls.torch_autograd.nodes import Edge, is_custom, is_leaf, leads
from impls.torch_autograd.pairing import IN_PLACE_OF_A_VIEW, Pairing
from impls.torch_autograd.tap import NOT_OF_THE_PROGRAM, Call
from impls.torch_autograd.tapped import Tapped

UNSEEN = "what it does forward was not seen, as in another thread or in compiled code"
HOOKED = "a hook of the program's own changes it"
OVERWRITTEN = "the gradient that it returned was overwritten later: it returns the same memory again"


def no_form() -> None:
    """Of what has no form."""


class Assembled(NamedTuple):
    """A program's operations and meetings.

    Attributes:
        passing: how many operations no gradient passes through.
        elsewhere: of operations outside of the window, each one's module.
    """

    operations: list[Operation]
    meetings: list[Meeting]
    passing: int
    elsewhere: list[str]


def assembled(rounds: Sequence[Tapped]) -> Assembled:
    """The operations of backward passes in order, counted on from one to the next."""
    operations: list[Operation] = []
    meetings: list[Meeting] = []
    elsewhere: list[str] = []
    passing = 0
    for tapped in rounds:
        assembly = _Assembly(tapped, len(operations) + len(elsewhere))
        inner = assembly.pairing.inner
        operations += [assembly.operation(node) for node in inner if node in tapped.kept]
        elsewhere += [assembly.pairing.module_of(node) for node in inner if node not in tapped.kept]
        meetings += assembly.meetings()
        passing = max(len(assembly.pairing.first) - len(operations) - len(elsewhere), 0)
    return Assembled(operations, meetings, passing, elsewhere)


class _Assembly:
    """From nodes and calls to operations."""

    def __init__(self, tapped: Tapped, before: int) -> None:
        self.tapped = tapped
        self.pairing = Pairing(tapped.nodes, tapped.calls)
        self.number = {node: place for place, node in enumerate(self.pairing.inner, 1 + before)}
        self.names: dict[Node, str] = {}
        self.seen: dict[Edge, torch.Tensor] = {}
        for call in tapped.calls:  # the latest that was read there: of what is changed in place another node's
            read = zip(call.edges, call.read if call.kept else call.args, strict=True)
            self.seen.update({edge: each for edge, each in read if isinstance(edge, tuple) and each is not None})
        if tapped.loss.grad_fn is not None:
            self.seen[tapped.loss.grad_fn, tapped.loss.output_nr] = tapped.loss

    def operation(self, node: Node) -> Operation:
        if is_custom(node):
            return self._custom(node, self.pairing.inside(node))
        call = self.pairing.call_of(node)
        if node.name() == IN_PLACE_OF_A_VIEW:
            return self._on_a_view(node, call) if call and call.base else self._unknown(node, call)
        if call is None or not call.kept:
            return self._unknown(node, call)
        return self._of_call(node, call)

    def _of_call(self, node: Node, call: Call) -> Operation:
        read, gave = call.read, [t for t in call.gave if isinstance(t, torch.Tensor)]
        mine = self._edges_of(node, call)
        arrived, sent = self.tapped.arrived.get(node, ()), self.tapped.sent.get(node, ())
        upstream: list[Any] = [None] * len(gave)
        # Outputs without a gradient may not be counted; what was changed in place does not know its node any more.
        counted = len(arrived) == len(gave) or all(tensor.grad_fn is not node for tensor in gave)
        for place, tensor in enumerate(gave):
            at = tensor.output_nr if tensor.grad_fn is node else place if counted else len(arrived)
            upstream[place] = arrived[at] if at < len(arrived) else None
        gradients: list[Any] = [None] * len(read)
        for edge, place in mine.items():
            gradients[place] = _or_zero(sent, edge, read[place])
        why = _why_not(read, gave)
        rule = None if why else rule_of(call.op, call.args, call.kwargs, gave)
        if rule is None and draws(call.op):
            why = why or "it draws random numbers"
        return self._made(
            node, str(call.op), call, read, gave, upstream, gradients,
            rule=rule, form=no_form if why else partial(form_of_call, call), why_not=why,
        )  # fmt: skip

    def _edges_of(self, node: Node, call: Call) -> dict[int, int]:
        """By a node's edge, the tensor that was read there; one read twice has two edges, in order."""
        left, found = list(enumerate(call.edges)), dict[int, int]()
        for number, edge in enumerate(node.next_functions):
            at = next((place for place, given in left if leads(given, edge)), None)
            if at is not None:
                found[number] = at
                left = [(place, given) for place, given in left if place != at]
        return found

    def _custom(self, node: Any, inside: list[Call]) -> Operation:
        """A function with a backward of its own: what it read is what its edges lead to."""
        read = [self.seen.get((n, at)) if n is not None else None for n, at in node.next_functions]
        given = [
            _leaf(n) if tensor is None else tensor for tensor, (n, _) in zip(read, node.next_functions, strict=True)
        ]
        asked = [place for place, tensor in enumerate(given) if tensor is not None]
        outputs = sorted((at, t) for (n, at), t in self.seen.items() if n is node)
        arrived, sent = self.tapped.arrived.get(node, ()), self.tapped.sent.get(node, ())
        operands = [given[place] for place in asked]
        gave = [tensor for _, tensor in outputs]
        why = _why_not(operands, gave) or ("" if gave else "what it gives was read by nobody")
        if type(node)._forward_cls is BackwardHookFunction and _changed(arrived, sent):
            why = HOOKED
        name, backward = written_as(type(node)._forward_cls, inside)
        code = getattr(backward, "__code__", None)
        place = None
        if code is not None and not code.co_filename.startswith(NOT_OF_THE_PROGRAM):
            place = code.co_filename, code.co_firstlineno
        call = inside[0] if inside else None
        return self._made(
            node, name, call, operands, gave,
            [arrived[at] if at < len(arrived) else None for at, _ in outputs],
            [_or_zero(sent, place, given[place]) for place in asked],
            rule=None, form=no_form if why else partial(form_of_function, inside, operands, gave), why_not=why,
            edges=[node.next_functions[place] for place in asked], place=place,
            broken=OVERWRITTEN if self.tapped.overwritten(node) else "",
        )  # fmt: skip

    def _on_a_view(self, node: Node, call: Call) -> Operation:
        """What is written to a view goes into what it is a view of, whose gradient is 0 there but for what it reads."""
        assert call.base is not None
        edges, sent = list(node.next_functions), self.tapped.sent.get(node, ())
        asked = [place for place, given in enumerate(call.edges[1:], 1) if given is not None]
        gradients: list[Any] = [None] * len(call.read)
        gradients[0] = sent[0] if sent else None
        for place in asked:
            at = next((n for n, edge in enumerate(edges) if n and leads(call.edges[place], edge)), None)
            gradients[place] = None if at is None or at >= len(sent) else sent[at]
        read = [call.base.before, *call.read[1:]]
        why = _why_not(read, [call.base.after])
        return self._made(
            node, f"{call.op}, on a view", call, read, [call.base.after], list(self.tapped.arrived.get(node, ())),
            gradients, rule=None if why else _put(call), form=no_form if why else partial(form_on_a_view, call),
            why_not=why,
            edges=[edges[0], *call.edges[1:]],
        )  # fmt: skip

    def _unknown(self, node: Node, call: Call | None) -> Operation:
        """A node whose operation was not seen: a view of what was changed in place, made anew."""
        if node.name() == "AsStridedBackward0" and (sent := self.tapped.sent.get(node)) and sent[0] is not None:
            return self._view(node, sent[0])
        if node.name() == "AliasBackward0" and (sent := self.tapped.sent.get(node)) and sent[0] is not None:
            return self._alias(node, sent[0])
        why = "a view was changed in place" if node.name() == IN_PLACE_OF_A_VIEW else ""
        arrived, sent = self.tapped.arrived.get(node, ()), self.tapped.sent.get(node, ())
        return self._made(
            node, node.name(), call, [], [], list(arrived), list(sent),
            rule=None, form=no_form, why_not=why or UNSEEN,
            edges=list(node.next_functions),
        )  # fmt: skip

    def _view(self, node: Any, sent: torch.Tensor) -> Operation:
        """A view of what lies in one piece; of which numbers it is, its gradient does not ask."""
        size, stride, offset = node._saved_size, node._saved_stride, node._saved_storage_offset or 0
        base = self.seen.get(node.next_functions[0], torch.zeros_like(sent))
        view = torch.zeros_like(sent, memory_format=torch.contiguous_format).as_strided(size, stride, offset)
        places = torch.arange(sent.numel()).as_strided(size, stride, offset).numpy()
        rule = Rule(layer=Moved(lambda x: x.reshape(-1)[places]), reads={"x": Place(0)})
        return self._made(
            node, "view of what was changed in place", None, [torch.zeros_like(sent)], [view],
            list(self.tapped.arrived.get(node, ())), [sent], rule=rule if base.is_contiguous() else None,
            form=no_form, why_not="" if base.is_contiguous() else "it depends on the memory layout",
            edges=list(node.next_functions),
        )  # fmt: skip

    def _alias(self, node: Node, sent: torch.Tensor) -> Operation:
        """The same numbers under another name, as a subclass of tensors gives them."""
        rule = Rule(layer=Moved(lambda x: x, lambda ds: ds), reads={"x": Place(0)})
        return self._made(
            node, "alias", None, [torch.zeros_like(sent)], [torch.zeros_like(sent)],
            list(self.tapped.arrived.get(node, ())), [sent], rule=rule, form=no_form, why_not="",
            edges=list(node.next_functions),
        )  # fmt: skip

    def _made(
        self, node: Node, name: str, call: Call | None, read: Sequence[Any], gave: Sequence[Any],
        upstream: Sequence[Any], gradients: Sequence[Any], *, rule: Rule | None, form: Any, why_not: str,
        edges: Sequence[Any] | None = None, place: tuple[str, int] | None = None, broken: str = "",
    ) -> Operation:  # fmt: skip
        edges = (call.edges if call else []) if edges is None else edges
        return Operation(
            number=self.number[node], name=self.names.setdefault(node, plainly(name)),
            module=call.module if call else "", place=place or (call.place if call else None),
            operands=list(map(array_of, read)), outputs=list(map(array_of, gave)),
            upstream=[array_of(u) for u in upstream], gradients=[array_of(g) for g in gradients],
            sources=[self._source(edge) for edge in edges], rule=rule, form=form, why_not=why_not,
            broken=broken,
        )  # fmt: skip

    def _source(self, edge: Any) -> int | str | None:
        leaf = edge if isinstance(edge, torch.Tensor) else _leaf(edge[0]) if edge else None
        if leaf is not None:
            return self.tapped.name_of(leaf)
        return self.number.get(edge[0]) if edge and edge[0] is not None else None

    def meetings(self) -> Iterator[Meeting]:
        """Wherever more than one vjp sends to the same place, and at every leaf."""
        parts: dict[Edge, list[Any]] = {}
        for node in reversed(self.pairing.inner):
            for (following, at), part in zip(node.next_functions, self.tapped.sent.get(node, ()), strict=False):
                if following in self.tapped.kept and part is not None:
                    parts.setdefault((following, at), []).append(part)
        for (node, at), sent in parts.items():
            if is_leaf(node):
                leaf, total = node.variable, self.tapped.after[node]
                if total is None:
                    continue
                before, came = self.tapped.before[node], self.tapped.leaves.get(node, [])
                # A backward pass inside of another sends to a leaf past this graph.
                every = [*(came if len(came) > 1 else sent), *([] if before is None else [before])]
                name = self.tapped.name_of(leaf)
                yield Meeting(
                    name=name, of=None, parts=list(map(array_of, every)), total=array_of(total),
                    why_not=HOOKED if _hooked(leaf) else "",
                )  # fmt: skip
            elif len(sent) > 1:
                arrived = self.tapped.arrived.get(node, ())
                if at < len(arrived) and arrived[at] is not None:
                    tensor = self.seen.get((node, at))
                    hooked = tensor is not None and _hooked(tensor)
                    yield Meeting(
                        name=f"what {self.names[node]} gives", of=self.number[node], parts=list(map(array_of, sent)),
                        total=array_of(arrived[at]), why_not=HOOKED if hooked else "",
                    )  # fmt: skip


def _put(call: Call) -> Rule | None:
    """The rule of numbers that are written to a view, as an assignment to an index does."""
    assert call.base is not None
    base = call.base.before
    if call.op is not torch.ops.aten.copy_.default or call.read[1].dtype != base.dtype or not base.is_contiguous():
        return None
    places = torch.arange(base.numel()).as_strided(*call.base.place).numpy()
    return Rule(layer=Put(lambda x: x.reshape(-1)[places]), reads={"x": Place(0), "v": Place(1)})


def plainly(name: str) -> str:
    """An operation's name, as people say it."""
    return name.removeprefix("aten.").replace(".default", "")


def draws(op: Any) -> bool:
    """Whether an operation draws random numbers."""
    return torch.Tag.nondeterministic_seeded in op.tags


def _changed(arrived: Sequence[Any], sent: Sequence[Any]) -> bool:
    """Whether an identity sends back something else than what arrived."""
    pairs = zip(arrived, sent, strict=False)
    return any(a is not None and b is not None and not torch.equal(a, b) for a, b in pairs)


def _hooked(tensor: torch.Tensor) -> bool:
    return bool(tensor._backward_hooks) or bool(getattr(tensor, "_post_accumulate_grad_hooks", None))


def _or_zero(sent: Sequence[Any], place: int, operand: torch.Tensor) -> Any:
    """What a backward gave for an operand whose gradient is asked for: None stands for 0, as autograd takes it."""
    if place >= len(sent) or not operand.is_floating_point():
        return None
    return torch.zeros_like(operand) if sent[place] is None else sent[place]


def _leaf(node: Any) -> Any:
    return node.variable if node is not None and is_leaf(node) else None


def _why_not(read: Sequence[torch.Tensor], gave: Sequence[torch.Tensor]) -> str:
    """What stands in the way of any judgement."""
    for tensor in (*read, *gave):
        if tensor.layout is not torch.strided:
            return "a sparse tensor"
        if tensor.is_complex():
            return "complex numbers"
        if tensor.is_quantized:
            return "quantised numbers"
        if tensor.device.type != "cpu":
            return f"a tensor on {tensor.device.type}"
    kinds = {str(t.dtype).removeprefix("torch.") for t in (*read, *gave) if t.is_floating_point()}
    if unknown := kinds - {"float16", "bfloat16", "float32", "float64"}:
        return f"numbers of {', '.join(sorted(unknown))}"
    return ""


def array_of(tensor: Any) -> Any:
    """A copy of a tensor's numbers, bfloat16 as float32; None of None."""
    if tensor is None:
        return None
    with torch.no_grad(), torch._C.DisableTorchFunction():  # a mode that converts dtypes has no say here
        plain = tensor.detach()
        return shared_array_of(plain.to_dense() if plain.layout is not torch.strided else plain)
