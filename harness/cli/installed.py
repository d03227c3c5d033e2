"""``harness implementations`` and ``harness doctor``: what is here, and does it keep the contract?"""

from __future__ import annotations

import click
import msgspec
import numpy as np
from tabulate import tabulate

from harness.candidates.conformance import BreachError
from harness.candidates.implementation import Participant
from harness.environment import environment
from harness.evaluation.point import Point
from harness.formats import DTYPES
from harness.usage import visible
from impls import registry
from impls.contract import CannotCompareError, Trains
from impls.hand import from_text


def _examine(name: str) -> dict[str, str]:
    """Version, dtypes and conformance of one implementation, tried on a tiny network."""
    found = {"name": name, "version": "", "dtypes": "", "trains": "", "conformance": ""}
    network = from_text("3-2-1", activation="tanh")
    held = []
    try:
        build = registry.load(name)
        for dtype in DTYPES:
            participant = Participant(name, build, network, dtype)
            found["version"], _ = participant.describe()
            rng = np.random.default_rng(0)
            x, y = rng.normal(size=(5, 3)).astype(dtype), rng.normal(size=(5, 1)).astype(dtype)
            participant.differentiate(Point(network, network.init(0, dtype), x, y, 1))
            held.append(dtype)
            found["trains"] = "yes" if isinstance(participant.built(dtype), Trains) else "no"
        found["conformance"] = "ok"
    except (registry.NotInstalledError, CannotCompareError) as reason:
        found["conformance"] = str(reason)
    except BreachError as breach:
        found["conformance"] = f"breaks the contract: {breach}"
    except Exception as error:
        found["conformance"] = f"cannot be imported: {type(error).__name__}: {str(error)[:200]}"
    found["dtypes"] = ", ".join(held)
    return {key: visible(text) for key, text in found.items()}


def print_implementations(as_json: bool) -> int:
    """A row per implementation; exit status 0, or 1 if an installed one breaks the contract."""
    rows = [_examine(name) for name in registry.names()]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=1))
    else:
        headers = ("name", "version", "dtypes", "optimizers", "conformance")
        click.echo(
            tabulate([list(row.values()) for row in rows], headers, disable_numparse=True, colalign=("left",) * 5)
        )
    return int(any(row["conformance"].startswith("breaks") for row in rows))


def print_doctor(as_json: bool) -> int:
    """Environment of the process and settings of every installed implementation."""
    found = environment()
    network = from_text("3-2-1", activation="tanh")
    for name in registry.names():
        try:
            version, settings = Participant(name, registry.load(name), network, "float32").describe()
            found |= {name: version, **settings}
        except Exception as error:
            found[name] = visible(" ".join(str(error).split())[:200])
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        click.echo(tabulate(list(found.items()), tablefmt="plain", disable_numparse=True, colalign=("left", "left")))
    return 0
