"""What must vary is masked: paths, versions, times, settings of the host; and the skeleton of an output.

`normalised` is what an expected file holds. `skeleton` is what is compared on a machine with other kernels, where last
digits, worst entries and so the widths of columns are other ones: words, names, verdicts and exit statuses remain.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

HOST = (
    r"backprop-harness|python|platform|machine|cores|numpy|python-flint|numba|BLAS|OMP_WAIT_POLICY|OPENBLAS_THREAD_TIMEOUT|"
    r"torch (?:threads|matmul precision|CPU capability)|jax (?:float64 mode|matmul precision|device)"
)
"""What an environment lists."""

MASKS = [
    (r"\b(numpy|torch|jax|python-flint) \d+\.\d+\.\d+[\w.+]*", r"\1 VERSION"),
    (r'("environment":\s*)\{[^{}]*\}', r'\1"HOST"'),
    (rf"(?m)^({HOST})(?:  +\S.*|\n\S.*)$", r"\1  HOST"),  # in a table, or on the next line in the text of a page
    (r"(backprop-harness, version) \S+", r"\1 VERSION"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[+-]\d\d:\d\d|Z| UTC)?", "TIME"),
    (r"(?m)^(platform \w+ --|plugins:) .*$", r"\1 HOST"),  # of pytest
    (r"\bin \d+\.\d+s\b", "in TIME"),
    (r'("crc32":)"[0-9a-f]{8}"', r'\1"SUM"'),  # of a line of a record, its time included
    (r"\bat 0x[0-9a-f]+", "at ADDRESS"),
]

NUMBER = r"(?<![A-Za-z_\d.])(?<!exit )(?<!\"exit\": )(?<!\"exit\":)[-+−~]*\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"
"""A digit in a name, as in dW1, says which it is and stays; so does an exit status."""

SHAPES = [
    (r"(?<!\.)\b[0-9a-f]{12}(?:[0-9a-f]{52})?\b", "DIGEST"),  # and no digits behind a point
    (r"(?m)^\d+% to \d+% \|.*\n", ""),  # a histogram has rows where there is something
    (NUMBER, "#"),
    (r"-{3,}", "---"),
    (r"[ \t]+", " "),
    # Where the largest is, which there is none of where all are 0.
    (r"(?m) ?\bstep # (?:[wb]_[\d,#]+|sample #,? neuron #|sample #)(?= |$)", ""),
    (r"(worst used (?:of a weight gradient: )?# %#?(?: of its allowance)?) \([^)]*\)", r"\1"),
    (r"(?m)^(\w+) [\w ]+, worst of #", r"\1 CASE, worst of #"),
    (r"(worst entry \w+), [wb]_[\d,#]+", r"\1"),
    # Told apart only by their last digits.
    (r"(?m)^next best guess .*$", "next best guess"),
    (r"(?m)^loss (?:(?:\w+ )?# → #(?: · )?)+(?: in (?:both|all three))?$", "loss # → #"),
    (r"reproduces your numbers (?:exactly|to #)", "reproduces your numbers"),
]


def normalised(text: str, folder: Path) -> str:
    """The text without what varies from run to run on one machine."""
    for path, name in ((folder.resolve(), "FOLDER"), (folder, "FOLDER"), (ROOT, "ROOT")):
        text = text.replace(str(path), name)
    return masked(text, MASKS)


def skeleton(text: str) -> str:
    """The same text without digits, widths, and the places of what is largest."""
    return masked(text, SHAPES)


def masked(text: str, masks: list[tuple[str, str]]) -> str:
    for pattern, mask in masks:
        text = re.sub(pattern, mask, text)
    return text
