"""Commands about an unmodified program, and two of them."""

from __future__ import annotations

import sys
from typing import Any

import click

from harness.cli.group import answer_options


@click.command("program", short_help="an unmodified torch module or JAX function, operation by operation")
@click.argument("function", metavar="TARGET")
@click.option("--modules", multiple=True, metavar="PATTERN", help='only operations of these modules: "h.3.*"')
@click.option("--seed", type=int, default=0, show_default=True, help="of whatever the program draws")
@click.option(
    "--timeout", type=float, default=60, show_default=True, help="seconds for loading, for building, for running twice"
)
@click.option(
    "--demand", multiple=True, metavar="NAME", help="equal bits, batch invariance, micro-batches, layouts: of it too"
)
@click.option("--record", metavar="FILE.npz", help="keep the run in a new file, for harness compare-programs")
@answer_options("table", "markdown", "json", "github", verbose="every operation")
def program_command(**options: Any) -> None:
    """Check a program as it is: every operation that it runs, forward and backward, judged by itself.

    TARGET is FILE.py:build or package.module:build, a function without arguments that returns a torch.nn.Module, or a
    function of torch or JAX arrays, and its arguments: return model, x, y. What the program returns is the loss, or
    has it as .loss; otherwise return a dictionary of program, arguments and loss, a function of what it returns. The
    file or module is run, as importing it would.

    The program is run twice from the same seed, forward and backward, the second time tapped, and is put back as it
    was. The first wrong operation is told with its module and line. Ctrl-C ends it with what was judged so far.
    """
    from harness.cli.programs import check_and_print

    sys.exit(check_and_print(**options))


@click.command("compare-programs", short_help="two programs: the same function, or from which operation on not")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--map", metavar="FILE.toml", help='whose weight is whose: lines "Dense_0.kernel" = "fc.weight.T"')
@click.option("--seed", type=int, default=0, show_default=True, help="of whatever the programs draw")
@click.option("--timeout", type=float, default=60, show_default=True, help="seconds for loading, for building, a run")
@click.option("--record", metavar="FILE.npz", help="keep B's run with A's weights in a new file, to compare it later")
@answer_options("table", "markdown", "json", "github", verbose="every gradient, and whose weight is whose")
def compare_programs_command(**options: Any) -> None:
    """Compare two programs on the same weights: are they the same function up to rounding, and if not, from where on?

    A and B are FILE.py:build or package.module:build, as of harness program, in one framework or in two, or .npz files
    that --record wrote. Both must be called with the same data, in any layout. B is given the weights of A: those that
    hold the same numbers already, else by name, shape and order, transposed where that is needed; whose is whose is
    said, and --map says it otherwise. Where B is a record and A is none, A is given the weights of B.

    Each program is judged by itself, operation by operation. Both then run in float64, where functions that differ
    differ by far more than rounding: loss, gradients and updated statistics are compared, and what the programs compute
    on the way is aligned tensor by tensor. The first operation that is not aligned is told, of both. Exit status: 0 the
    same function, 1 different ones or a wrong one, 2 wrong usage.
    """
    from harness.cli.programs import compare_and_print

    sys.exit(compare_and_print(**options))
