"""Commands about somebody's backward pass, and a file to fill for one."""

from __future__ import annotations

import sys
from typing import Any

import click

from harness.cli.group import answer_options, data_options, device_option, dtype_option, network_options


@click.command("check", short_help="somebody's backward pass: find and name the first wrong link")
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


@click.command("template", short_help="a file to fill with gradients from elsewhere, for harness check")
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
