"""By what each operator is judged: ``python -m reports.coverage [--samples N]``, which writes docs/coverage.md.

Torch's own database of operators, OpInfo, has samples of each; every sample in float64 is a program of one line, which
`harness.check_program` checks. Told is the best reference of the operations that it ran, and what was found wrong. Of
JAX the primitives that have a hand rule are listed.

Source of the samples: torch.testing._internal.common_methods_invocations, which torch's tests use.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from harness.programs.check import check_program
from harness.usage import UsageError

PAGE = Path(__file__).parents[1] / "docs" / "coverage.md"
BEST = ("derived", "its own forward", "its decomposition", "rounding only", "none")


class Judged(NamedTuple):
    """An operator, and what its samples showed.

    Attributes:
        kind: by what its own operation was judged, the worst of all samples.
        wrong: the first line of what was found wrong.
        why: why it has no reference.
    """

    name: str
    kind: str
    wrong: str
    why: str


def operators(of: Sequence[str] = ()) -> list[Any]:
    """Every differentiable operator of torch's database, or those of these names."""
    database = import_module("torch.testing._internal.common_methods_invocations").op_db
    torch = import_module("torch")
    every = [each for each in database if each.supports_autograd and torch.float64 in each.supported_dtypes("cpu")]
    return [each for each in every if not of or _name(each) in of]


def judged(operator: Any, samples: int) -> Judged | None:
    """One operator on its first samples; None where none of them has a gradient."""
    torch = import_module("torch")
    kinds: list[str] = []
    wrong, why = "", ""
    for sample in islice(operator.sample_inputs("cpu", torch.float64, requires_grad=True), samples):
        try:
            found = check_program(_program(operator, sample), sample.input, *sample.args, name=_name(operator))
        except UsageError:  # it has no gradient, or no tensor among its arguments
            continue
        own = [each for each in found.operations if not each.meets]
        ours = own[WEIGHING:] or own
        kinds.append(max((each.kind for each in ours), key=BEST.index))
        why = why or next((each.why_not for each in ours if each.kind == "none"), "")
        wrong = wrong or (found.reason if found.verdict == "FAIL" else "")
    return Judged(_name(operator), max(kinds, key=BEST.index), wrong, why) if kinds else None


EXAMPLE = """    $ harness program train_step.py:build
    ...
    FAIL  first wrong operation: h.1 (GeluFast, gelu_fast.py:12), its dx: z·s(1.702 z) is differentiated: \
da · s·(1 + 1.702 z·(1 − s)), in dx; 1 more wrong by themselves; 16 later ones inherit it
    ...
    coverage  30 operations: 28 derived, 2 measured; 17 sums of gradients
    ...
"""
"""What the page shows of a program, in docs/examples."""
WEIGHING = 3
"""Operations by which the loss is made of what an operator gives: a product, a sum, an addition."""


def _name(operator: Any) -> str:
    return f"{operator.name}.{operator.variant_test_name}" if operator.variant_test_name else str(operator.name)


def _program(operator: Any, sample: Any) -> Callable[..., Any]:
    """What an operator gives, weighed by numbers of its own and added up."""
    torch, pytree = import_module("torch"), import_module("torch.utils._pytree")

    def program(*arguments: Any) -> Any:
        returned = operator(*arguments, **sample.kwargs)
        if sample.output_process_fn_grad is not None:
            returned = sample.output_process_fn_grad(returned)
        weights = torch.Generator().manual_seed(0)
        reals = (leaf for leaf in pytree.tree_leaves(returned) if isinstance(leaf, torch.Tensor) and leaf.requires_grad)
        return sum((r * torch.rand(r.shape, generator=weights, dtype=r.dtype)).sum() for r in reals)

    return program


def page(found: Sequence[Judged], samples: int) -> Iterator[str]:
    """The page, line by line."""
    aten, lax = import_module("impls.torch_autograd.aten").RULES, import_module("impls.jax_grad.lax").RULES
    kinds = Counter(each.kind for each in found)
    yield "# By what each operator is judged\n"
    yield "Made by `python -m reports.coverage`. docs/programs.md says what the kinds of references are:\n"
    yield EXAMPLE
    yield (
        f"Torch's own database has {len(found)} operators with a gradient in float64; on {samples} samples of each, "
        f"the least that any operation of theirs was judged by: "
        + ", ".join(f"{kinds[kind]} {kind}" for kind in BEST if kinds[kind])
        + ".\n"
    )
    yield "## Found wrong, unasked\n"
    yield from (f"- `{each.name}`: {_without_place(each.wrong)}" for each in found if each.wrong)
    yield "\n## Hand rules\n"
    yield f"{len(aten)} ATen operations: {', '.join(f'`{name}`' for name in sorted(aten))}.\n"
    yield f"{len(lax)} lax primitives: {', '.join(f'`{name}`' for name in sorted(lax))}.\n"
    yield "## Operators of torch\n"
    for kind in BEST:
        names = [f"`{each.name}`{f' ({each.why})' if each.why else ''}" for each in found if each.kind == kind]
        if names:
            yield f"{kind}: {', '.join(names)}.\n"


def _without_place(told: str) -> str:
    before, _, after = told.removeprefix("first wrong operation: ").partition(", ")
    return f"{before}, {after.partition(', ')[2]}"


def main(words: Sequence[str] | None = None) -> int:
    """Write the page; 1 where something was found wrong that is not known to be."""
    parser = argparse.ArgumentParser(prog="python -m reports.coverage", description=__doc__)
    parser.add_argument("--samples", type=int, default=3, metavar="N", help="of each operator [3]")
    options = parser.parse_args(words)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for operator in operators():
            each = judged(operator, options.samples)
            found += [each] if each else []
            if each and each.wrong:
                print(f"{each.name}: {each.wrong}", flush=True)
    PAGE.write_text("\n".join(page(found, options.samples)).replace("\n\n\n", "\n\n"), encoding="utf-8")
    print(f"wrote {PAGE}: {len(found)} operators")
    return int(any(each.wrong and each.name not in KNOWN for each in found))


KNOWN = ("nn.functional.hardsigmoid", "nn.functional.layer_norm", "native_layer_norm")
"""In float64 the first has a constant of float32; the others, over one element, give a gain a gradient, which is 0."""

if __name__ == "__main__":
    sys.exit(main())
