"""Commands about a tolerance of somebody's."""

from __future__ import annotations

import sys
from typing import Any

import click

from harness.formats import DTYPES


@click.command("tolerance", short_help="what a tolerance of somebody's lets pass, and what to use instead")
@click.argument("rule", required=False)
@click.option("--atol", type=float, help="a pair, in place of RULE")
@click.option("--rtol", type=float, help="a pair, in place of RULE")
@click.option(
    "--on",
    required=True,
    metavar="WHAT",
    help='"matmul(T, M, K)", a layer by name, FILE.py:function, a file of tensors',
)
@click.option("--inputs", metavar="TEXT", help='of an operation: "x=64,1024; W=1024,32"')
@click.option("--reference", metavar="TEXT", help="of FILE.py:function: FILE.py:function, tanh, ... [default: itself]")
@click.option("--dtype", help=f"{', '.join(DTYPES)} [default: float32, or that of the file]")
@click.option(
    "--tensor-cores", metavar="GPU", help="on which products run: V100, A100, Ada, H100, B200 [default: none]"
)
@click.option("--seed", type=int, default=0, show_default=True, help="of what is drawn")
@click.option("--timeout", type=float, default=60, show_default=True, help="seconds for loading, and for each call")
@click.option("--output", metavar="FILE.npz", help="write the allowance of every entry to a new file")
@click.option("--format", "style", type=click.Choice(["table", "markdown", "json"]))
@click.option("--json", "as_json", is_flag=True, help="the same as --format json")
@click.option("--quiet", is_flag=True, help="the verdict line only")
def tolerance_command(**options: Any) -> None:
    """Say what RULE would let pass, which right run it would reject, and what to use instead.

    RULE is allclose, assert-allclose, assert-close, max-relative(most=1e-3), relative-to-largest(most=1e-3),
    relative-norm(most=1e-3), cosine-similarity(least=0.999), cosine-difference(most=1e-3) or eager(times=2, plus=0),
    some with other numbers in the brackets; --atol and --rtol alone; or a test file, tests/test_mine.py, of which every
    tolerance is judged that is written there.

    A file of tensors is .npy, .npz, .safetensors or .pt: what is expected, each array by itself; or expected, and
    beside it actual, eager and allowed.

    Exit status 0 if no mistake passes that can be seen and no right run is rejected, 1 if one does or is, 2 for wrong
    usage.
    """
    from harness.cli.tolerances import check_and_print

    sys.exit(check_and_print(**options))
