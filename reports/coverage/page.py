"""docs/coverage.md: by what each operator of torch and each function of JAX is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

from reports.coverage.jax_functions import MODULES
from reports.coverage.judged import BEST, Judged

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"

EXAMPLE = """    $ harness program train_step.py:build
    ...
    FAIL  first wrong operation: h.1 (GeluFast, gelu_fast.py:12), its dx: z·s(1.702 z) is differentiated: \
da · s·(1 + 1.702 z·(1 − s)), in dx; 1 more wrong by themselves; 16 later ones inherit it
    ...
    coverage  30 operations: 28 derived, 2 measured; 17 sums of gradients
    ...
"""
"""What the page shows of a program, in docs/examples."""


def page(of_torch: Sequence[Judged], of_jax: Sequence[Judged], samples: int | None) -> Iterator[str]:
    """The page, line by line.

    Args:
        samples: of each operator of torch; None for all.
    """
    aten, lax = import_module("impls.torch_autograd.aten").RULES, import_module("impls.jax_grad.lax").RULES
    yield "# By what each operator is judged\n"
    yield "Made by `python -m reports.coverage`. docs/programs.md says what the kinds of references are:\n"
    yield EXAMPLE
    yield (
        f"Torch's own database has {len(of_torch)} operators with a gradient in float64; on "
        f"{'every sample' if samples is None else f'{samples} samples'} of each, the least that any operation of "
        f"theirs was judged by: {_counted(of_torch)}.\n"
    )
    yield (
        f"JAX has {len(of_jax)} public functions with a gradient ({', '.join(f'`{name}`' for name in MODULES)}); the "
        f"least that any of their primitives was judged by: {_counted(of_jax)}.\n"
    )
    yield "## Found wrong, unasked\n"
    yield from (f"- `{each.name}`: {_without_place(each.wrong)}" for each in (*of_torch, *of_jax) if each.wrong)
    yield "\n## Hand rules\n"
    yield f"{len(aten)} ATen operations: {', '.join(f'`{name}`' for name in sorted(aten))}.\n"
    yield f"{len(lax)} lax primitives: {', '.join(f'`{name}`' for name in sorted(lax))}.\n"
    for title, found in (("Operators of torch", of_torch), ("Functions of JAX", of_jax)):
        yield f"## {title}\n"
        for kind in BEST:
            names = [f"`{each.name}`{f' ({each.why})' if each.why else ''}" for each in found if each.kind == kind]
            if names:
                yield f"{kind}: {', '.join(names)}.\n"


def _counted(found: Sequence[Judged]) -> str:
    kinds = Counter(each.kind for each in found)
    return ", ".join(f"{kinds[kind]} {kind}" for kind in BEST if kinds[kind])


def _without_place(told: str) -> str:
    before, _, after = told.removeprefix("first wrong operation: ").partition(", ")
    return f"{before}, {after.partition(', ')[2]}"
