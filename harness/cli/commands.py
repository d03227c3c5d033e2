"""The commands: arguments and options; whatever a command needs is imported when that command runs."""

from __future__ import annotations

import sys
from typing import Any

import click

from harness.cli.group import (
    DATA_HELP,
    answer_options,
    data_options,
    device_option,
    dtype_option,
    harness,
    network_options,
    optimizer_options,
)
from harness.formats import DTYPES

__all__ = ["harness"]


@harness.command("run", short_help="train in lockstep, compare, tabulate")
@click.argument("model", default="4-3-2-1")
@click.option("--against", help="implementations, comma-separated [default: all installed]")
@data_options("iris")
@network_options
@click.option("--steps", type=int, help="weight updates [default: 200]")
@click.option("--epochs", type=int, help="passes over the data, instead of --steps")
@click.option("--batch", type=int, help="rows per step [default: all]")
@dtype_option("float32")
@device_option
@optimizer_options
@click.option("--seed", type=int, default=0, show_default=True, help="of weights, batches and random data")
@click.option("--check-every", type=int, help="compare every N-th step, the first and the last only")
@click.option("--check", type=click.Choice(["schedule", "full"]), default="schedule", show_default=True)
@click.option("--exact", is_flag=True, help="judge by the true gradient at steps 1, 2, 4, 8, ...; tell true errors")
@click.option("--free-run", is_flag=True, help="each follows its own updates; report the drift")
@click.option("--output", help="write the run record (JSON lines) to a new file")
@answer_options("table", "markdown", "json", "jsonl", "github", verbose="every tensor, and the assumptions")
def run_command(**options: Any) -> None:
    """Train MODEL in lockstep and tabulate the differences.

    MODEL is layer sizes, 4-3-2-1 by default, a network by name, with options or without them
    (gpt:layers=2,heads=2,width=32,context=32, on --data text:FILE), or a .toml file.
    """
    from harness.cli.running import run_and_print

    sys.exit(run_and_print(**options))


@harness.command("sweep", short_help="many runs, on this machine or a Dask cluster")
@click.argument("matrix", metavar="FILE.toml")
@click.option("--output", metavar="FOLDER", help="of the records [default: the file's name without .toml, here]")
@click.option("--jobs", type=int, help="runs at a time on this machine, which share its cores [default: one a core]")
@click.option("--scheduler", metavar="ADDRESS", help="of a Dask scheduler, whose workers run: tcp://127.0.0.1:8786")
@click.option("--judge-apart", is_flag=True, help="with --scheduler: what one worker ran is judged by another")
@click.option("--up-to", type=int, default=10_000, show_default=True, help="runs that start without a word")
@click.option("--report", metavar="FILE.html", help="write the summary as one page")
@click.option("--format", "style", type=click.Choice(["table", "markdown", "json"]))
@click.option("--json", "as_json", is_flag=True, help="the same as --format json")
@click.option("--require-power", is_flag=True, help="exit with 4 where a gradient of a run is not judged with power")
@click.option("--quiet", is_flag=True, help="the verdict line only")
def sweep_command(**options: Any) -> None:
    """Run every run that FILE.toml describes, keep a record of each, and tabulate the verdicts.

    Keys are options of `harness run` by their names, network for MODEL; where one is a list, there is a run for each
    value of each. Tables [[matrix]] are products of their own, with what stands above them in all of them. The same
    command goes on where it was interrupted or killed.
    """
    from harness.cli.sweeping import sweep_and_print

    sys.exit(sweep_and_print(**options))


@harness.command("check", short_help="somebody's backward pass: find and name the first wrong link")
@click.argument("function", metavar="TARGET")
@click.option("--model", default="4-3-2-1", show_default=True, help="layer sizes or a .toml file")
@data_options("iris, or random where it does not fit")
@network_options
@click.option("--batch", type=int, help="rows [default: all]")
@dtype_option("float64")
@click.option("--seed", type=int, default=0, show_default=True, help="of weights, rows and random data")
@click.option("--reference", multiple=True, help="check one operation against FILE.py:function, or tanh, ...; two vote")
@click.option(
    "--inputs", metavar="TEXT", help='of the operation: "x=N,M; W=M,K", "y=N below K", "how in mean, sum", ...'
)
@click.option("--surrogate", metavar="TEXT", help="whose derivative is meant, where it is not the --reference's")
@click.option("--range", nargs=2, type=float, metavar="LOW HIGH", help="in which the operation must work")
@click.option(
    "--leave-out", multiple=True, metavar="NAME", help="a case or a layout that is not tried: kinks, offset, ..."
)
@click.option("--demand", multiple=True, metavar="NAME", help="of the operation: equal bits, batch invariance")
@click.option("--backward", metavar="FILE.py:FUNCTION", help="of the operation, where it does not bring its own")
@click.option(
    "--update", is_flag=True, help="TARGET only updates weights, with --lr: gradients are read off one update"
)
@click.option(
    "--optimizer", metavar="TEXT", help='TARGET is an optimizer, to be this one: "adam(beta1=0.8)", momentum, ...'
)
@click.option("--lr", type=float, help="learning rate of the update, or of the optimizer")
@click.option("--chain", is_flag=True, help="TARGET returns a forward pass with names, and gradients by hand")
@click.option("--arrays", help="numpy, torch or jax: what the function is given [default: what its code uses]")
@device_option
@click.option(
    "--layout",
    type=click.Choice(["rows", "columns", "sample", "sample-column"]),
    default="rows",
    show_default=True,
    help="of what the function is given and returns; one sample at a time, as a row or as a column",
)
@click.option(
    "--strict", is_flag=True, help="fail dialects, other shapes and names, biases without gradients; overflow"
)
@click.option("--timeout", type=float, default=60, show_default=True, help="seconds for loading, and for each call")
@answer_options("table", "markdown", "json", "github", verbose="also every link by itself, and the environment")
def check_command(**options: Any) -> None:
    """Check a backward pass: find the first wrong link, name the mistake.

    TARGET is FILE.py:function, package.module:function, or an .npz or .safetensors file with weights, x, y and
    gradients. The file or module is run, as importing it would: check only code that you would run. The function is
    called as backward(weights, x, y) and returns a dictionary of any of dW1, db1, dz1, da1, ..., z1, a1, ..., loss.
    Gradients under other names (W1, grad_W1, {"layer1": {"dW": ...}}, a tuple in the order of the weights) and in
    another shape of as many entries are read where nothing else can be meant; a note says how, and --strict fails it.

    A program that is right for another loss that it shows (half of it, a penalty), or in another convention (1/N in
    dW and db only, softmax as the output), passes in that dialect; the verdict says which, and --strict forbids it.

    With --update, TARGET is called as step(weights, x, y) and updates the weights once by gradient descent with --lr,
    in place or by returning new ones; a method of an object that keeps W1, b1, ... is called as step(x, y).

    With --optimizer, TARGET is step(weights, gradients, state), which returns new weights and state, or an object or
    a class with step(weights, gradients).

    With --chain, TARGET is a function without arguments that returns what harness.check_chain takes: a dictionary of
    forward, backward and inputs; or, of a forward and a backward pass in torch that it went through itself, locals().

    With --reference, TARGET is one operation: a torch.autograd.Function, a jax.custom_vjp function, or forward(*inputs)
    with --backward, called as backward(upstream, *inputs). --inputs names what forward takes, in its order: a letter
    is one size wherever it stands. Right code that overflows far out passes, and the verdict says from where on; within
    --range, and under --strict, it fails.
    """
    from harness.cli.checking import check_and_print

    sys.exit(check_and_print(**options))


@harness.command("program", short_help="an unmodified torch module or JAX function, operation by operation")
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


@harness.command("compare-programs", short_help="two programs: the same function, or from which operation on not")
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


@harness.command("tolerance", short_help="what a tolerance of somebody's lets pass, and what to use instead")
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


@harness.command("explain", short_help="one derivative, path by path")
@click.argument("reference")
@click.argument("model", default="4-3-2-1")
@click.option("--sample", type=int, help="the loss of this sample alone, counted from 0 [default: the whole batch]")
@click.option("--step", type=int, default=0, show_default=True, help="after so many training steps")
@click.option("--nudge", type=float, metavar="AMOUNT", help="move it by this amount and watch what moves")
@click.option("--against", help="implementations, comma-separated [default: all installed]")
@data_options("iris")
@network_options
@click.option("--batch", type=int, help="rows per step [default: all]")
@optimizer_options
@click.option("--seed", type=int, default=0, show_default=True, help="of weights, batches and random data")
@click.option("--json", "as_json", is_flag=True)
def explain_command(**options: Any) -> None:
    """Explain the derivative of the loss by REFERENCE, path by path.

    REFERENCE is a weight (w_21^(1) or W1[2,1]), a bias (b2[1]), an input (x3) or the output of a neuron (O21), counted
    from 1. MODEL is layer sizes, 4-3-2-1 by default, a network by name, or a .toml file.
    """
    from harness.cli.explaining import explain_and_print

    sys.exit(explain_and_print(**options))


@harness.command("why", short_help="where the allowance of an entry comes from, term by term")
@click.argument("entry")
@click.argument("model", default="4-3-2-1")
@data_options("iris")
@network_options
@optimizer_options
@click.option("--step", type=int, default=1, show_default=True, help="step of a run; 1 is before any update")
@click.option("--batch", type=int, help="rows per step [default: all]")
@dtype_option("float64")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def why_command(entry: str, **options: Any) -> None:
    """Split the allowance of ENTRY (dW1[3,2], dz2[5,1], loss; counted from 1) into what each link contributes."""
    from harness.cli.explaining import why_and_print

    sys.exit(why_and_print(entry, **options))


@harness.command("template", short_help="a file to fill with gradients from elsewhere, for harness check")
@click.argument("model", default="4-3-2-1")
@click.option("-o", "--output", required=True, help="a new .npz or .safetensors file")
@click.option("--rows", type=int, default=16, show_default=True, help="of the batch")
@click.option("--seed", type=int, default=0, show_default=True, help="of weights, rows and random data")
@dtype_option("float64")
@data_options("random")
@network_options
def template_command(**options: Any) -> None:
    """Write a dump of MODEL to fill: weights and a batch to compute with, and NaN where the gradients go."""
    from harness.cli.checking import template_and_print

    sys.exit(template_and_print(**options))


@harness.command("power", short_help="which planted faults a comparison, or a test of yours, would miss")
@click.argument("model", required=False)
@click.option("--of", metavar="TEST", help="score this test instead, FILE::NAME as pytest names it")
@click.option("--target", help="with --of: module:function to plant mutants in; else the target column of a CSV file")
@click.option("--timeout", type=float, help="with --of: seconds for each mutant [default: ten times the test's own]")
@click.option("--against", help="implementations whose own checks are asked, comma-separated [default: all installed]")
@click.option("--data", help=f"{DATA_HELP} [default: iris]")
@click.option("--raw", is_flag=True, help="do not standardise the features")
@network_options
@click.option("--batch", type=int, help="rows [default: all]")
@click.option("--dtype", help=f"{', '.join(DTYPES)} [default: float32]")
@click.option("--seed", type=int, help="of weights, batches and random data [default: 0]")
@click.option("--json", "as_json", is_flag=True)
@click.option("--require-power", is_flag=True, help="exit with 4 where a fault or a mutant is missed")
def power_command(**options: Any) -> None:
    """Plant faults, and say which of them are missed.

    Of a comparison: every fault of the catalogue at every link of MODEL's hand backward (4-3-2-1 by default), beside
    what torch.testing.assert_close, np.allclose, gradcheck and check_grads would miss. Of a test, with --of: small
    mistakes in the function that --target names, the backward rules of impls.hand if none.
    """
    from harness.cli.running import power_and_print

    sys.exit(power_and_print(**options))


@harness.command("implementations", short_help="what is installed, versions, dtypes, conformance")
@click.option("--json", "as_json", is_flag=True)
def implementations_command(as_json: bool) -> None:
    """List every implementation with its version, and try each on a tiny network."""
    from harness.cli.surveys import print_implementations

    sys.exit(print_implementations(as_json))


@harness.command("calibrate", short_help="elementary functions of what is installed against the constants table")
@click.option("--against", help="implementations, comma-separated [default: all installed]")
@click.option("--function", help="elementary functions, comma-separated [default: all]")
@click.option("--dtype", help="float32, float64 [default: both]")
@device_option
@click.option("--exhaustive", is_flag=True, help="every float32 number instead of a sample; minutes per function")
@click.option("--seed", type=int, default=0, show_default=True, help="of the sample")
@click.option("--json", "as_json", is_flag=True)
def calibrate_command(**options: Any) -> None:
    """Measure how far exp, tanh, ... of the installed libraries are from the truth on this machine."""
    from harness.cli.surveys import calibrate_and_print

    sys.exit(calibrate_and_print(**options))


@harness.command("conventions", short_help="what implementations choose at kinks, at ties and by default")
@click.option("--against", help="implementations besides hand, comma-separated [default: all installed]")
@dtype_option("float64")
@click.option("--format", "style", type=click.Choice(["table", "markdown", "json"]))
@click.option("--json", "as_json", is_flag=True, help="the same as --format json")
def conventions_command(**options: Any) -> None:
    """Measure derivatives at kinks, ties and singular points, and defaults, of what is installed."""
    from harness.cli.surveys import conventions_and_print

    sys.exit(conventions_and_print(**options))


@harness.command("doctor", short_help="versions, devices, BLAS, threads, float64 mode, matmul precision")
@device_option
@click.option("--json", "as_json", is_flag=True)
def doctor_command(as_json: bool, device: str) -> None:
    """Print what may change numbers on this machine: devices that are there, settings, and how sums are added up."""
    from harness.cli.surveys import print_doctor

    sys.exit(print_doctor(as_json, device))
