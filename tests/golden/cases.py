"""The table of golden cases: for each, what is run; what it must print stands in ``expected/<id>.txt``.

What it pins: text, JSON, exit status and messages of every verb of the command, and of the functions that only Python
has, on passing, failing, powerless, wrong and interrupted input. Whoever moves code changes none of these files.

On the machine and versions that the files were made with (`tests.golden.fingerprint`) outputs are compared byte for
byte, but for versions, times, paths and settings of the host, which are masked. Elsewhere kernels round otherwise, so
that skeletons are compared: the same lines, words, names, verdicts and statuses, without digits and widths. A test's id
says which of the two it was.

An intended change: ``python -m tests.golden`` (with ids of cases, or for all) writes the files anew. The commit that
changes an output changes no more than it has to, and its message ends with the list of these differences: which case,
what it printed, what it prints now, and why.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.golden import calls, processes

Words = tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """One case: commands typed one after the other in a folder of their own, or a call of Python functions.

    Attributes:
        id: readable; the name of its file.
        commands: words after `harness`, each line one command.
        call: returns the text instead.
        prepare: writes files into the folder first; ``candidates/*.py`` are there always.
        against: implementations with faults that can be named.
        apart: the candidate runs in a process of its own.
        pages: pages that are told as text after the commands.
        by: packages that decide what is printed: with other versions of them it is not compared.
        masked: the skeleton is compared everywhere, because the numbers depend on when something happened.
    """

    id: str
    commands: tuple[Words, ...] = ()
    call: Callable[[Path], str] | None = None
    prepare: Callable[[Path], None] | None = None
    against: tuple[str, ...] = ()
    apart: bool = False
    pages: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    masked: bool = False


def command(id: str, *lines: str, **options: object) -> Case:  # noqa: A002
    """A case of commands, each written as it is typed; `+` joins what a word's space would part."""
    return Case(id, tuple(tuple(word.replace("+", " ") for word in line.split()) for line in lines), **options)


def net_toml(folder: Path) -> None:
    (folder / "net.toml").write_text(
        'loss = { kind = "huber", delta = 0.5 }\n\n'
        '[[layers]]\nkind = "dense"\ninputs = 4\noutputs = 3\nbias = false\n\n'
        '[[layers]]\nkind = "leaky-relu"\nslope = 0.1\n\n'
        '[[layers]]\nkind = "dense"\ninputs = 3\noutputs = 1\n\n'
        '[[layers]]\nkind = "elu"\n'
    )
    (folder / "wrong.toml").write_text('loss = "huber"\n\n[[layers]]\nkind = "dense"\ninputs = 4\nouptuts = 3\n')


def matrices(folder: Path) -> None:
    """A matrix of two runs, and some that cannot be read."""
    common = 'network = "2-1"\ndata = "random"\nagainst = "hand"\nsteps = 2\n'
    (folder / "two.toml").write_text(f'{common}dtype = ["float32", "float64"]\n')
    (folder / "key.toml").write_text(f"{common}sede = 1\n")
    (folder / "entry.toml").write_text(f'{common}[[matrix]]\noptimizer = ["adam", "adma"]\n')
    (folder / "empty.toml").write_text("")


def tables(folder: Path) -> None:
    """A CSV with classes, one with a bad cell, an NPZ."""
    rng = np.random.default_rng(0)
    x = rng.integers(-8, 9, (20, 3)) / 4
    rows = "\n".join(f"{a},{b},{c},{'good' if a + b > c else 'bad'}" for a, b, c in x)
    (folder / "mine.csv").write_text(f"a,b,c,kind\n{rows}\n")
    (folder / "bad.csv").write_text("a,b,c\n1,x,3\n")
    np.savez(folder / "mine.npz", x=x, y=x[:, :2])


def dumps(folder: Path) -> None:
    """Dumps of 4-3-2-1 with numbers of the right backward pass, one gradient turned, and one without weights."""
    calls.write_dump(folder / "right.npz")
    calls.write_dump(folder / "wrong.npz", change=lambda held: held | {"dW1": -held["dW1"]})
    calls.write_dump(folder / "lacking.npz", change=lambda held: {n: a for n, a in held.items() if n != "W1"})


def damaged(folder: Path) -> None:
    """Records that cannot be read, and one that ends early."""
    (folder / "empty.jsonl").write_bytes(b"")
    (folder / "nonsense.jsonl").write_bytes(b"nonsense\n")
    (folder / "newer.jsonl").write_bytes(b'{"kind":"run","schema":99}\n')
    calls.write_record(folder / "whole.jsonl")
    whole = (folder / "whole.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "cut.jsonl").write_bytes(b"".join(whole[:2]) + whole[2][:40])
    (folder / "disordered.jsonl").write_bytes(b"".join([whole[0], whole[2], whole[1]]))


SMALL = "run 3-2-1 --data random --against torch --steps 1"

CASES = [
    # run: what passes, and in which form it is told
    command("run-default", "run --steps 2"),
    command("run-verbose", "run --steps 1 --against torch --verbose"),
    command("run-quiet", "run --steps 2 --quiet"),
    command("run-json", f"{SMALL} --json"),
    command("run-jsonl", f"{SMALL} --format jsonl"),
    command("run-markdown", "run --steps 1 --format markdown"),
    command("run-github", "run --steps 1 --against torch --format github"),
    command("run-exact", "run --steps 2 --against torch,jax --exact"),
    command("run-free-run", "run --steps 8 --free-run"),
    command("run-float64-adam", "run --steps 3 --optimizer adam --dtype float64 --against jax"),
    command("run-momentum-huber", "run 10-8-1 --data diabetes --activation leaky-relu(slope=0.1) --loss huber(delta=5) "
            "--output-activation identity --optimizer momentum(mu=0.5) --lr 0.001 --steps 2 --against torch"),
    command("run-epochs-batches", "run 4-3-3 --activation tanh --loss cross-entropy --epochs 1 --batch 40 --seed 3"),
    command("run-sampled-schedule", "run 64-96-96-10 --data digits --activation relu --loss cross-entropy --batch 64 "
            "--optimizer adamw --steps 5 --against torch"),
    command("run-check-every", "run --steps 7 --check-every 3 --against hand --activation gelu --optimizer rmsprop"),
    command("run-toml", "run net.toml --steps 2 --against torch", prepare=net_toml),
    command("run-csv-and-npz", "run 3-4-2 --data mine.csv --loss cross-entropy --steps 2 --against hand",
            "run 3-4-2 --data mine.npz --raw --activation softplus --loss mean-absolute-error --steps 2 "
            "--against torch", prepare=tables),
    command("run-binary-cross-entropy", "run 4-2-1 --activation elu(alpha=0.5) --loss binary-cross-entropy "
            "--optimizer nesterov --steps 2 --against jax"),
    # run: what fails, is interrupted, has no power or nothing to compare
    command("run-fails", "run --steps 2 --against flips", against=("flips",)),
    command("run-fails-json", "run 3-2-1 --data random --steps 1 --against flips --json", against=("flips",)),
    command("run-fails-github", "run --steps 2 --against flips,nan --format github", against=("flips", "nan")),
    command("run-fails-nan", "run --steps 2 --against nan", against=("nan",)),
    command("run-implementation-raises", "run --steps 4 --against raises", against=("raises",)),
    command("run-interrupted-and-read", "run --steps 9 --against stops --output run.jsonl",
            "report run.jsonl -o page.html", against=("stops",)),
    Case("run-interrupted-by-signal", call=processes.interrupted_by_signal, masked=True),
    command("run-no-power", *(f"run 400-300-200-10 --data random --batch 32 --activation tanh --loss cross-entropy "
            f"--steps 1 --against narrow{how}" for how in ("", " --require-power --quiet")), against=("narrow",)),
    command("run-nothing-compared", "run --steps 0 --against torch"),
    command("run-diverges", "run 4-3-1 --activation identity --lr 1e6 --steps 50 --against hand"),
    command("run-hard-sigmoid-of-torch", "run 4-3-1 --activation hard-sigmoid --steps 1 --against torch",
            by=("torch",)),
    # run: wrong input
    command("run-wrong-model", "run 4-3-", "run 4-0-1", "run 5-3-1", "run nowhere.toml", "run wrong.toml",
            prepare=net_toml),
    command("run-wrong-names", "run --activation sigmiod", "run --loss mse", "run --optimizer adma",
            "run --against trch", "run --data irsi", "run --dtype tf32"),
    command("run-wrong-numbers", "run --lr nan", "run --steps -1", "run --batch 0", "run --steps x",
            "run --epochs 1 --steps 1", "run --seed -1", "run --activation elu(beta=1)"),
    command("run-wrong-files", "run --data nowhere.csv", "run 2-1 --data bad.csv", "run 3-1 --data mine.csv --target d",
            "run --output nowhere/run.jsonl", "run --output mine.csv --against hand --steps 1",
            "run --report page.txt", prepare=tables),
    command("usage", "rum", "run --stesp 3", "--version", "run --data", by=("click",)),
    command("help", "--help", "run --help", "check --help", "explain --help", "power --help", by=("click",)),
    command("help-of-the-others", *(f"{verb} --help" for verb in (
        "why", "template", "implementations", "calibrate", "conventions", "doctor", "report")), by=("click",)),
    command("help-of-sweep", "sweep --help", by=("click",)),
    command("help-of-program", "program --help", "compare-programs --help", by=("click",)),
    command("help-of-tolerance", "tolerance --help", by=("click",)),
    # tolerance
    command("tolerance", "tolerance assert-close --on softmax",
            "tolerance --atol 5 --rtol 50 --on tanh --format markdown",
            "tolerance cosine-difference --on tanh --json"),
    command("tolerance-wrong", "tolerance --on tanh", "tolerance nearly --on tanh", "tolerance --atol nan --on tanh",
            "tolerance allclose --on nowhere.npz", "tolerance allclose"),
    # sweep
    command("sweep", "sweep two.toml --jobs 1", "sweep two.toml --format markdown", "sweep two.toml --json",
            prepare=matrices),
    command("sweep-wrong", *(f"sweep {words}" for words in (
        "none.toml", "key.toml", "entry.toml", "empty.toml", "two.toml --up-to 1", "two.toml --jobs 0",
        "two.toml --output key.toml", "two.toml --scheduler here")), prepare=matrices),
    # check: right ones
    command("check-right", "check candidates/right.py"),
    command("check-right-verbose", "check candidates/right.py --verbose --batch 9"),
    command("check-right-json", "check candidates/right.py:weights_only --json"),
    command("check-right-float32", "check candidates/right.py:weights_only --dtype float32 --seed 5"),
    command("check-in-torch-and-jax", "check candidates/right.py:in_torch", "check candidates/right.py:in_jax"),
    command("check-in-a-process-of-its-own", "check candidates/right.py --format markdown", apart=True),
    command("check-textbook-form", "check candidates/textbook.py:of_tanh --model 4-3-1 --activation tanh",
            "check candidates/textbook.py:of_classes --model 4-5-3 --activation tanh --loss cross-entropy"),
    # check: mistakes
    command("check-derivative-of-z", "check candidates/mistakes.py:derivative_of_z"),
    command("check-derivative-of-z-json", "check candidates/mistakes.py:derivative_of_z --json --batch 5"),
    command("check-derivative-of-z-markdown", "check candidates/mistakes.py:derivative_of_z --format markdown"),
    command("check-derivative-of-z-github", "check candidates/mistakes.py:derivative_of_z --format github",
            "check candidates/mistakes.py:derivative_of_z --quiet"),
    command("check-sign", "check candidates/mistakes.py:target_minus_output --verbose"),
    command("check-common-factor", "check candidates/mistakes.py:half_of_the_square",
            "check candidates/mistakes.py:mean_in_every_gradient",
            "check candidates/mistakes.py:learning_rate_in_every_gradient"),
    command("check-hidden-intermediates", "check candidates/mistakes.py:tanh_derivative_hidden",
            "check candidates/mistakes.py:no_derivative_hidden"),
    command("check-path-of-another-weight", "check candidates/mistakes.py:path_of_another_weight"),
    command("check-sample-left-out", "check candidates/mistakes.py:first_sample_left_out"),
    command("check-single-precision", "check candidates/mistakes.py:single_precision"),
    command("check-two-mistakes", "check candidates/mistakes.py:two_mistakes"),
    command("check-unexplained", "check candidates/mistakes.py:unexplained"),
    command("check-forward-differs", "check candidates/mistakes.py:forward_without_bias"),
    command("check-mean-over-classes", "check candidates/textbook.py:of_classes_without_mean --model 4-5-3 "
            "--activation tanh --loss cross-entropy"),
    # check: kinks, power, contracts
    command("check-at-kinks", *(f"check {name}.npz --model 3-4-2 --activation relu --output-activation identity"
            for name in ("other_side", "hidden", "middle", "twice")), prepare=calls.write_dumps_on_kinks),
    command("check-no-power", *(f"check wide.npz --model 400-300-200-10 --activation tanh --loss cross-entropy{how}"
            for how in ("", " --require-power --quiet")),
            prepare=lambda folder: calls.write_wide_dump(folder / "wide.npz")),
    command("check-contracts", *(f"check candidates/contracts.py:{name} --batch 20" for name in (
        "returns_nothing", "raises", "one_nan", "bias_of_shape_1_k", "changes_x", "stale", "batch_of_150_built_in",
        "names_of_another_network", "as_float32", "last_layer_only", "prints"))),
    command("check-shape", "check candidates/mistakes.py:transposed"),
    command("check-does-not-come-back", "check candidates/contracts.py:never_ends --timeout 0.5",
            "check candidates/contracts.py:ends_the_process", apart=True),
    command("check-wrong-input", *(f"check {words}" for words in (
        "none.py", "candidates/right.py:nothing", "candidates/right.py:backwards",
        "candidates/contracts.py:no_function", "candidates/contracts.py:takes_other_arguments", "no_such_module:f",
        "candidates/right.py --model 4-x", "candidates/right.py --arrays tensor", "candidates/right.py --timeout 0",
        "candidates/right.py --model 4-2-1", "candidates/right.py --data none.csv"))),
    command("check-dumps", "check right.npz", "check wrong.npz --quiet", "check lacking.npz", "check none.npz",
            "check right.npz --data iris", prepare=dumps),
    command("template-and-check", "template 4-3-2-1 -o dump.npz --rows 5", "check dump.npz",
            "template 4-3-3 -o labels.npz --rows 4 --loss cross-entropy --activation elu(alpha=0.5)",
            "template 4-3-2-1 -o dump.npz", "template 4-3- -o other.npz", "template 4-3-1 -o other.txt"),
    # explain and why
    command("explain-weight", "explain w_21^(1) --sample 0"),
    command("explain-batch-and-step", "explain W2[1,1] 4-3-2-1 --step 10 --against hand"),
    command("explain-nudge", "explain b2[1] --sample 3 --nudge 0.01 --against torch"),
    command("explain-neuron-and-input", "explain O21 --sample 1 --against hand", "explain x3 --sample 1 --against jax"),
    command("explain-json", "explain W1[2,1] 2-2-1 --data random --sample 2 --against torch --json"),
    command("explain-classes", "explain W1[1,1] 4-2-3 --loss cross-entropy --activation relu --sample 7 --against jax"),
    command("explain-wrong-input", "explain W9[1,1]", "explain W1[9,1]", "explain w_99^(1)", "explain weight",
            "explain W1[1,1] --sample 150", "explain W1[1,1] --nudge much", "explain W1[1,1] --step -1"),
    command("why", "why dW1[3,2]", "why loss --activation tanh --dtype float32", "why dz2[5,1] --json --step 3"),
    command("why-wrong-input", "why dW9[1,1]", "why dW1[9,9]", "why dW1", "why dW1[1,1] --step 0"),
    # power
    command("power", "power --against torch"),
    command("power-json", "power 4-2-1 --activation relu --against hand --json --dtype float64"),
    command("power-require", "power --against hand --require-power", "power 4-3-"),
    command("power-of-a-test", "power --of candidates/scored.py::test_shape_only --target operations:backward "
            "--require-power"),
    # what is installed
    command("conventions", "conventions --against torch", by=("torch",)),
    command("conventions-json-and-wrong-input", "conventions --against hand --dtype float32 --json",
            "conventions --dtype tf32", "conventions --against trch"),
    command("implementations", "implementations", "implementations --json"),
    command("calibrate", "calibrate --function exp --dtype float32 --against hand", "calibrate --function epx",
            by=("numpy",)),
    command("doctor", "doctor"),
    # records and pages
    command("report-of-a-record", "run --steps 2 --against hand --output run.jsonl --quiet",
            "report run.jsonl -o page.html", pages=("page.html",)),
    command("report-of-a-check", "check candidates/mistakes.py:derivative_of_z --quiet --report page.html",
            pages=("page.html",)),
    command("report-damaged", *(f"report {name}.jsonl -o page.html" for name in (
        "none", "empty", "nonsense", "newer", "disordered", "cut")), "report whole.jsonl -o whole.jsonl",
        prepare=damaged),
    *(Case(name.replace("_", "-"), call=function, by=("pytest",) if function in processes.OF_PYTEST else ())
      for name, function in calls.CALLS.items()),
]  # fmt: skip
