"""JAX's public functions on small inputs: those with a gradient, and by what their primitives are judged.

A function is called with the first of `CALLS` that it takes and that gives real numbers which have a gradient, or as
`SPECIAL` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from harness.programs.check import check_program
from harness.usage import UsageError
from reports.coverage.judged import BEST, Judged

MODULES = ("jax.numpy", "jax.nn", "jax.lax", "jax.scipy.special")


def _arrays() -> tuple[Any, ...]:
    """Three of positive numbers below 1, which every function takes, the first of them symmetric and definite."""
    rng = np.random.default_rng(0)
    x, y, z = rng.uniform(0.2, 0.8, (3, 3, 3)).astype(np.float32)
    jnp = import_module("jax.numpy")
    return tuple(map(jnp.asarray, (x @ x.T / 4 + np.eye(3, dtype=np.float32) / 4, y, z)))


def _calls() -> Iterator[tuple[Any, ...]]:
    x, y, z = _arrays()
    yield from ((x,), (x, y), (x, y, z), (x, 1), (x, 0, 1), ([x, y],), (x, (3, 3)), (x, y, z, x), (x[0],), (x[0], y[0]))
    yield from ((2, x), (x, (0,)), (x, x > 0.3), (x > 0.3, x, y), (x, np.arange(3)), (x, 0), (x, "float32"))


def _special() -> Mapping[str, Callable[..., Any]]:
    """By function: of three arrays, what it is called with where no usual call will do."""
    lax = import_module("jax.lax")
    twice, window = ((1,), (0,)), ((2, 2), (1, 1), "VALID")
    return {
        "jax.lax.broadcast_in_dim": lambda x, *_: lax.broadcast_in_dim(x, (2, 3, 3), (1, 2)),
        "jax.lax.cond": lambda x, *_: lax.cond(x[0, 0] > 0, lax.sin, lax.cos, x),
        "jax.lax.conv": lambda x, y, _: lax.conv(x[None, None], y[None, None, :2, :2], (1, 1), "SAME"),
        "jax.lax.conv_general_dilated": lambda x, y, _: lax.conv_general_dilated(
            x[None, None], y[None, None, :2, :2], (1, 1), "SAME", rhs_dilation=(2, 1)
        ),
        "jax.lax.conv_transpose": lambda x, y, _: lax.conv_transpose(
            x[None, :, :, None], y[..., None, None], (2, 2), "SAME"
        ),
        "jax.lax.dot_general": lambda x, y, _: lax.dot_general(x, y, (twice, ((), ()))),
        "jax.lax.dynamic_slice": lambda x, *_: lax.dynamic_slice(x, (0, 1), (2, 2)),
        "jax.lax.dynamic_update_slice": lambda x, y, _: lax.dynamic_update_slice(x, y[:2, :2], (0, 1)),
        "jax.lax.fori_loop": lambda x, *_: lax.fori_loop(0, 3, lambda _, c: lax.sin(c), x),
        "jax.lax.map": lambda x, *_: lax.map(lax.sin, x),
        "jax.lax.pad": lambda x, *_: lax.pad(x, x[0, 0], ((1, 1, 0), (0, 0, 1))),
        "jax.lax.reduce_window": lambda x, *_: lax.reduce_window(x, 0.0, lax.add, *window),
        "jax.lax.scan": lambda x, *_: lax.scan(lambda c, row: (lax.sin(c) + row, c), x[0], x),
        "jax.lax.select_n": lambda x, y, _: lax.select_n(x > y, x, y),
        "jax.lax.slice": lambda x, *_: lax.slice(x, (0, 1), (2, 3)),
        "jax.lax.switch": lambda x, *_: lax.switch(1, [lax.sin, lax.cos], x),
        "jax.numpy.piecewise": lambda x, *_: import_module("jax.numpy").piecewise(x, [x > 0.3], [lax.sin, lax.cos]),
        "jax.numpy.select": lambda x, y, _: import_module("jax.numpy").select([x > 0.3], [x], y),
        "jax.nn.dot_product_attention": lambda x, y, z: import_module("jax.nn").dot_product_attention(
            *(each.reshape(1, 3, 1, 3) for each in (x, y, z))
        ),
    }


def functions() -> dict[str, Callable[..., Any]]:
    """The public functions by their names, each once: where it stands first."""
    found: dict[str, Callable[..., Any]] = {}
    known: set[int] = set()
    for module in MODULES:
        home = import_module(module)
        for name in sorted(getattr(home, "__all__", None) or vars(home)):
            each = getattr(home, name, None)
            if name.startswith("_") or not callable(each) or isinstance(each, type) or id(each) in known:
                continue
            known.add(id(each))
            found[f"{module}.{name}"] = each
    return found


def judged_function(name: str, function: Callable[..., Any]) -> Judged | None:
    """One function, called in the first way that it takes; None where it has no gradient in any."""
    special, arrays = _special().get(name), _arrays()
    ways = [(special, arrays)] if special else [(function, call) for call in _calls()]
    for way, call in ways:
        program, given = _weighed(way, call)
        try:
            found = check_program(program, *given, name=name)
        except UsageError:  # it does not take that, gives no real number, or has no gradient
            continue
        own = [each for each in found.operations if not each.meets]
        worst = max(own, key=lambda each: BEST.index(each.kind))
        return Judged(name, worst.kind, found.reason if found.verdict == "FAIL" else "", _named(own, worst.kind))
    return None


def _named(own: Sequence[Any], kind: str) -> str:
    """The primitives of that kind, where their formula is not checked by hand."""
    return "" if kind == "derived" else ", ".join(dict.fromkeys(each.name for each in own if each.kind == kind))


def _weighed(function: Callable[..., Any], call: Sequence[Any]) -> tuple[Callable[..., Any], list[Any]]:
    """What a function gives, weighed by numbers of its own and added up, of the arrays of real numbers in a call."""
    jax, jnp = import_module("jax"), import_module("jax.numpy")
    leaves, structure = jax.tree.flatten(list(call))
    places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, jax.Array) and leaf.dtype == jnp.float32]

    def program(*reals: Any) -> Any:
        given = [*leaves]
        for place, real in zip(places, reals, strict=True):
            given[place] = real
        returned = jax.tree.leaves(function(*jax.tree.unflatten(structure, given)))
        rng = np.random.default_rng(1)
        outputs = [each for each in returned if jnp.issubdtype(getattr(each, "dtype", bool), jnp.floating)]
        return sum((each * rng.uniform(0.5, 1, each.shape).astype(each.dtype)).sum() for each in outputs)

    return program, [leaves[place] for place in places]
