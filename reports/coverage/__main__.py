"""By what each operator is judged: ``python -m reports.coverage [--samples N]``, which writes docs/coverage.md.

Every sample of an operator of torch, and every function of JAX, is a program of one line, which `harness.check_program`
checks. Told is the worst reference of the operations that it ran, and what was found wrong. With ``--dtype bfloat16``
or another, only the latter, of torch's operators in that dtype, and nothing is written.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator, Sequence

from harness.formats import DTYPES
from reports.coverage.jax_functions import functions, judged_function
from reports.coverage.judged import Judged
from reports.coverage.page import PAGE, page
from reports.coverage.torch_operators import KNOWN, OVERFLOWING, judged, operators


def main(words: Sequence[str] | None = None) -> int:
    """Write the page; 1 where something was found wrong that is not known to be."""
    parser = argparse.ArgumentParser(prog="python -m reports.coverage", description=__doc__)
    parser.add_argument("--samples", type=int, metavar="N", help="of each operator [all]")
    parser.add_argument("--dtype", choices=[each for each in DTYPES if each != "float64"], help="look for alarms in it")
    options = parser.parse_args(words)
    if options.dtype is not None:
        return _alarms(options.dtype, options.samples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        of_torch = list(_told(judged(operator, options.samples) for operator in operators()))
        of_jax = list(_told(judged_function(*each) for each in functions().items()))
    PAGE.write_text("\n".join(page(of_torch, of_jax, options.samples)).replace("\n\n\n", "\n\n"), encoding="utf-8")
    print(f"wrote {PAGE}: {len(of_torch)} operators of torch, {len(of_jax)} functions of JAX")
    return int(any(each.wrong and each.name not in KNOWN for each in (*of_torch, *of_jax)))


def _alarms(dtype: str, samples: int | None) -> int:
    """Tell what is found wrong in a dtype; 1 if any of it is not known to be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = list(_told(judged(operator, samples, dtype) for operator in operators(dtype=dtype)))
    print(f"{len(found)} operators of torch in {dtype}")
    return int(any(each.wrong and each.name not in (*KNOWN, *OVERFLOWING.get(dtype, ())) for each in found))


def _told(found: Iterator[Judged | None]) -> Iterator[Judged]:
    """Those that have a gradient; what is wrong is told at once."""
    for each in found:
        if each and each.wrong:
            print(f"{each.name}: {each.wrong}", flush=True)
        if each:
            yield each


if __name__ == "__main__":
    sys.exit(main())
