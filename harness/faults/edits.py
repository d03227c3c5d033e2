"""Edits of the rule: every single slip in writing a link down, for causes that the catalogue does not have.

The rule is taken as people spell it (`harness.faults.spellings`), or as the hand code has it where nobody said how, and
each operator of `harness.edits` is applied at each place of it. An edited rule runs on every number type, as a fault's
does. What it gives may have another shape, or be no number: whoever searches finds that out.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from operator import itemgetter
from types import FunctionType
from typing import Any

import numpy as np

from harness.arithmetic import Bounded
from harness.arithmetic.bounded import rounded
from harness.edits.changes import changes_of
from harness.edits.numbers import NUMBER, NUMBERS, NUMERIC, OTHER
from harness.edits.syntax import FunctionTree
from harness.faults.fault import Fault, Linear, with_number
from harness.faults.place import Place
from harness.faults.spellings import entry_spellings_of, parameters_of, spellings_of
from harness.formats import FORMATS
from impls.graph import TARGET, Link, Rule
from impls.hand import Dense, OneHotCrossEntropy, SoftmaxCrossEntropy
from impls.hand.activations.gelu import erf
from impls.hand.activations.softmax import softmax
from impls.hand.layers.dense import rows_of

CAUSE = "edit of the rule"


@dataclass(frozen=True)
class Edit:
    """One edit of one spelling.

    Attributes:
        operator: which kind: sign, operand, axis, ...
        right, wrong: the formula without and with it, with {names} to be filled in.
        function: what is computed with it, by keywords.
        reads: the names of its keywords; `harness.edits.numbers.OTHER` stands for any tensor.
    """

    operator: str
    right: str
    wrong: str
    function: Callable[..., Any] = field(repr=False)
    reads: tuple[str, ...]


@dataclass(frozen=True)
class EditFault(Fault):
    """An edit as a fault.

    Attributes:
        operator: the kind of edit.
        right: the formula as it is right.
        written: the formula by the layer's own names, the same at every link of the kind; empty with another tensor.
    """

    operator: str = ""
    right: str = ""
    written: str = ""


def edit_faults(place: Place, rows: int, shown: bool) -> Iterator[Fault]:
    """Every edit of a place's rule, with every tensor in place of another, and with a number of its own.

    Args:
        rows: samples in the batch.
        shown: whether what the link gives is shown, so that it may have been computed after what follows it.
    """
    seen: set[str] = set()
    others = _others(place, shown)
    for edit in edits_at(place, _products(place, rows)):
        for other in others if OTHER in edit.reads else [""]:
            names = _Names({**_names(place), OTHER: other, NUMBER: "{c}"})
            wrong, right = edit.wrong.format_map(names), edit.right.format_map(names)
            if wrong in seen or wrong == right:
                continue
            seen.add(wrong)
            says = f"{place.at} is computed by a formula that differs from the right one, {right}: {edit.operator}"
            run = partial(_run, place, edit, others.get(other))
            if NUMBER in edit.reads:
                yield _numbered(place, says, wrong, run)
            else:
                written = "" if other else edit.wrong
                yield EditFault(CAUSE, place.at, says, wrong, run, edit.operator, right, written)


def pair_faults(place: Place) -> Iterator[Fault]:
    """Every two edits of a place's rule, of the small slips alone."""
    names, seen = _Names(_names(place)), set[str]()
    for text in spellings_of(place)[:MOST_SPELLINGS]:
        for edit in _pairs_of(text):
            wrong, right = edit.wrong.format_map(names), edit.right.format_map(names)
            if wrong not in seen:
                seen.add(wrong)
                says = f"{place.at} is computed by a formula that differs from the right one, {right}: {edit.operator}"
                yield EditFault(CAUSE, place.at, says, wrong, partial(_run, place, edit, None), edit.operator, right)


def _numbered(place: Place, says: str, formula: str, run: Callable[..., Any]) -> Numbered:
    base, direction = partial(run, number=0.0), lambda t: run(t, number=1.0) - run(t, number=0.0)
    meets = any(tensor.through for tensor in place.network.tensors.values())
    usual = with_number(says, 1.0), with_number(formula, 1.0)
    return Numbered(
        CAUSE, place.at, *usual, partial(run, number=1.0), says, formula, base, direction, meets, run
    )  # fmt: skip


@dataclass(frozen=True)
class Numbered(Linear):
    """An edit with a number in it, on which what the link gives depends linearly.

    Attributes:
        run: what is computed, from tensors and ``number``.
    """

    run: Callable[..., Any] = field(kw_only=False, default=lambda t, number: None)  # noqa: ARG005

    def rule_with(self, c: Any) -> Rule:
        """As `Fitted.rule_with`."""
        return partial(self.run, number=c)

    def linear(self, t: Mapping[str, Any]) -> bool:
        """Whether what the link gives is linear in the number, given these tensors."""
        with np.errstate(all="ignore"):
            one, two = self.run(t, number=1.0), self.run(t, number=2.0)
            zero = self.run(t, number=0.0)
            return bool(np.all(np.abs((two - one) - (one - zero)) <= LINEAR * np.abs(two - zero).max()))


LINEAR = 1e-10
PAIRED = {name: NUMERIC[name] for name in ("sign", "operator", "dropped term", "doubled term", "axis", "off by one")}
MOST_SPELLINGS = 3
"""Spellings of a rule in which two edits are tried."""
MOST_PAIRS = 1500
"""Pairs of edits of one spelling, after which no more are made."""
MOST_ENTRIES = 30_000
"""Products that a matrix product may have to be written out one by one."""


def _products(place: Place, rows: int) -> float:
    return rows * place.layer.inputs * place.layer.outputs if isinstance(place.layer, Dense) else np.inf


def edits_at(place: Place, entries: float = 0) -> Iterator[Edit]:
    """The edits of every spelling of a place's rule."""
    spelled = spellings_of(place)
    for text in (*spelled, *(entry_spellings_of(place) if entries <= MOST_ENTRIES else ())):
        yield from _edits_of(text)
    if not spelled and not place.adds:
        yield from _own_edits(place.link)


def _run(
    place: Place, edit: Edit, other: Callable[[Mapping[str, Any]], Any] | None, t: Mapping[str, Any], number: Any = None
) -> Any:
    """What an edited rule gives."""
    by_row = isinstance(place.layer, Dense) and place.link.local in ("dW", "db")
    parameters, names, rows = parameters_of(place), place.names, len(t[TARGET])

    def value(name: str) -> Any:
        if name in (NUMBER, "N"):
            return number if name == NUMBER else float(rows)
        if name in parameters:
            return parameters[name]
        if name == "Y":
            return _one_hot(place, t)
        tensor = other(t) if name == OTHER and other else t[names.get(name, TARGET if name == "y" else name)]
        return rows_of(tensor) if by_row and getattr(tensor, "ndim", 0) > 2 else tensor

    result, shape = edit.function(**{name: value(name) for name in edit.reads}), place.tensor.sized(rows)
    result = result if hasattr(result, "shape") else np.asarray(result)
    context = next((tensor.context for tensor in t.values() if isinstance(tensor, Bounded)), None)
    if context and not isinstance(result, Bounded):
        result = context.constant(result)
    return result if getattr(result, "shape", ()) == shape else _as_large(result, shape)


def _as_large(result: Any, shape: tuple[int, ...]) -> Any:
    """A result that NumPy repeats where it is assigned to the entries of an array of that shape, sample by sample."""
    by_sample = len(shape) > 1 and result.shape == shape[:1] != shape[-1:]

    def repeated(array: Any) -> Any:
        return np.broadcast_to(array[:, None] if by_sample else array, shape)

    return result.moved(repeated) if isinstance(result, Bounded) else repeated(result)


def _names(place: Place) -> Mapping[str, str]:
    return {"y": TARGET, "Y": f"onehot({TARGET})", **place.names}


class _Names(dict[str, str]):
    """Names of tensors, and everything else by its own."""

    def __missing__(self, name: str) -> str:
        return name


def _one_hot(place: Place, t: Mapping[str, Any]) -> Any:
    return np.eye(place.network.outputs)[t[TARGET]]


def _shifted(a: Any) -> Any:
    return a - a.max(axis=-1, keepdims=True)


def _others(place: Place, shown: bool) -> Mapping[str, Callable[[Mapping[str, Any]], Any]]:
    """What may be read in place of a tensor: given, computed before the link, or not from it; by its text."""
    network, behind = place.network, {place.at}
    for link in network.links:
        if not behind.isdisjoint(link.inputs):
            behind.add(link.output)
    found: dict[str, Callable[[Mapping[str, Any]], Any]] = {}
    for tensor in network.tensors.values():
        there = tensor.name not in network.link or (tensor.name not in behind if shown else place.earlier(tensor.name))
        if there and tensor.role != "state" and not tensor.whole:
            found[tensor.name] = itemgetter(tensor.name)
    found["N"] = lambda t: float(len(t[TARGET]))
    found["n"] = lambda t: np.arange(len(t[TARGET]), dtype=float)[:, None]
    for width in sorted({tensor.width for tensor in network.tensors.values() if tensor.shape} - {1}):
        found[str(width)] = lambda _, width=width: float(width)
    if network.loss.labels:
        found[f"onehot({TARGET})"] = partial(_one_hot, place)
    if isinstance(network.loss, SoftmaxCrossEntropy | OneHotCrossEntropy) and network.output not in behind:
        found[f"softmax({network.output})"] = lambda t: softmax(t[network.output])
        found[f"np.exp({network.output} - max)"] = lambda t: np.exp(_shifted(t[network.output]))
    return found


@lru_cache(maxsize=256)
def _edits_of(text: str) -> tuple[Edit, ...]:
    """The edits of a spelling."""
    return tuple(_compiled(_spelled(text), NAMESPACE))


def _spelled(text: str) -> FunctionTree:
    """A spelling as a function of what it reads."""
    *lines, last = text.split("; ")
    tree = ast.parse("\n    ".join(["def rule():", *lines, f"return {last}"])).body[0]
    assert isinstance(tree, FunctionTree)
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    free = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - bound - set(NAMESPACE)
    tree.args.args = [ast.arg(name) for name in sorted(free)]
    ast.fix_missing_locations(tree)
    return tree


def _compiled(tree: FunctionTree, namespace: Mapping[str, Any]) -> Iterator[Edit]:
    """Every edit of a function."""
    own = [argument.arg for argument in tree.args.args]
    ast.fix_missing_locations(tree)
    right = _text(tree, own)
    for change in changes_of(tree, {**NUMERIC, **NUMBERS}):
        if not change.equal and (edit := _edit(tree, [change.node], change.operator, right, own, namespace)):
            yield edit


@lru_cache(maxsize=64)
def _pairs_of(text: str) -> tuple[Edit, ...]:
    """Two edits of a spelling at once, each of them a slip of a sign, an operation, a term or an axis."""
    tree = _spelled(text)
    own, right = [argument.arg for argument in tree.args.args], _text(tree, [a.arg for a in tree.args.args])
    found: dict[str, Edit] = {}
    for one in changes_of(tree, PAIRED):
        for other in changes_of(tree, PAIRED) if not one.equal else ():
            told = f"two edits, {one.operator} and {other.operator}"
            edit = None if other.equal else _edit(tree, [one.node, other.node], told, right, own, NAMESPACE)
            if edit and edit.wrong != right:
                found.setdefault(edit.wrong, edit)
        if len(found) > MOST_PAIRS:
            break
    return tuple(found.values())


def _edit(
    tree: FunctionTree, nodes: list[ast.AST], operator: str, right: str, own: list[str], namespace: Mapping[str, Any]
) -> Edit | None:
    """The edit that stands in a tree; None where it is no program."""
    used = {node.id for changed in nodes for node in ast.walk(changed) if isinstance(node, ast.Name)}
    reads, arguments = [*own, *(name for name in (OTHER, NUMBER) if name in used)], tree.args.args
    tree.args.args = [ast.arg(name, lineno=1, col_offset=0) for name in reads]
    for changed in nodes:
        ast.fix_missing_locations(changed)
    try:
        code = compile(ast.Module([tree], []), "<edit>", "exec")
        wrong = _text(tree, reads)
    except (SyntaxError, ValueError):
        return None
    finally:
        tree.args.args = arguments
    made: dict[str, Any] = {}
    exec(code, dict(namespace), made)
    return Edit(operator, right, wrong, made[tree.name], tuple(reads))


def _own_edits(link: Link) -> Iterator[Edit]:
    """The edits of the hand code's own rule."""
    rule = inspect.unwrap(link.rule)
    inner = getattr(rule, "__func__", rule)
    if not isinstance(inner, FunctionType) or inner.__closure__:
        return
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inner))).body[0]
    except (OSError, SyntaxError):
        return
    if not isinstance(tree, FunctionTree):
        return
    tree.decorator_list, tree.returns = [], None
    method = tree.args.args[:1] if getattr(rule, "__self__", None) is not None else []
    tree.args.args = [ast.arg(argument.arg) for argument in tree.args.args[len(method) :]]
    tree.args.defaults = []
    yield from _compiled(tree, {**inner.__globals__, **NAMESPACE, "self": getattr(rule, "__self__", None)})


def _text(tree: FunctionTree, reads: list[str]) -> str:
    """A function's lines as one, with its tensors in braces."""
    lines = [line for statement in tree.body for line in ast.unparse(statement).split("\n")]
    shown = "; ".join(line.strip() for line in lines).replace("return ", "").replace("{", "{{").replace("}", "}}")
    return re.sub(rf"(?<![\w.])({'|'.join(map(re.escape, reads))})\b(?!=)", r"{\1}", shown) if reads else shown


def _narrow(dtype: str) -> Callable[[Any], Any]:
    return lambda tensor: rounded(tensor, FORMATS[dtype].digits)


def _taking(rows: Callable[[int], Any]) -> Callable[[Any], Any]:
    return lambda tensor: tensor[rows(len(tensor))]


NAMESPACE: Mapping[str, Any] = {
    "np": np, "erf": erf, "float32": _narrow("float32"), "bfloat16": _narrow("bfloat16"),
    "next_sample": _taking(lambda n: (np.arange(n) + 1) % n), "sample_before": _taking(lambda n: np.arange(n) - 1),
    "first_sample": _taking(lambda n: np.zeros(n, int)), "last_sample": _taking(lambda n: np.full(n, n - 1)),
    **{name: getattr(builtins, name) for name in ("len", "range", "float", "int")},
}  # fmt: skip
"""What an edited formula may call."""
