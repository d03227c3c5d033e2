"""A matrix of runs, as TOML: each key is an option of ``harness run``, and a list there means a run for each value.

    steps = 20
    seed = { from = 0, count = 3 }

    [[matrix]]
    network = ["4-3-2-1", "4-8-1"]
    optimizer = ["gradient-descent", "adam"]

    [[matrix]]
    network = "64-32-10"
    data = "digits"
    loss = "cross-entropy"

Each ``[[matrix]]`` is a product of its own; what stands above them holds in all of them, unless they say otherwise.
Without any, the file is one product. A run that two of them describe is run once. With ``campaign = "..."`` above, the
keys are those of the campaign.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Annotated, Any

import msgspec

from harness.inputs.arguments import as_data, as_dtype, as_names
from harness.inputs.asked import OF_A_NETWORK, network_asked, optimizer_asked
from harness.inputs.batches import batches_of
from harness.inputs.networks import LARGEST_FILE
from harness.inputs.plain import as_count, text_at
from harness.inputs.toml_reader import Reader
from harness.sweeping.job import CAMPAIGN, OPTIONS, Job, Option, digest_of_file, kind_of
from harness.usage import UsageError

MATRIX = "matrix"


class Count(msgspec.Struct, frozen=True, rename={"first": "from"}, forbid_unknown_fields=True):
    """So many whole numbers, one after the other."""

    count: Annotated[int, msgspec.Meta(ge=1)]
    first: Annotated[int, msgspec.Meta(ge=0)] = 0


Axis = tuple[str, str, Sequence[Any]]
"""An option, its place in the file, and its values."""


def read_matrix(path: str, most: int) -> list[Job]:
    """The jobs that the file of that path describes, `most` at most.

    Raises:
        UsageError: it cannot be read, is no matrix, describes no run, more than `most`, or one that cannot be run; file
            and place are named.
    """
    reader = Reader(path)
    text = text_at(path, LARGEST_FILE, "TOML")
    try:
        held = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"Cannot read {path}, because it is not TOML: {error}; correct it there.") from None
    options = _options(reader, held)
    products = list(_products(reader, held, options))
    count = sum(prod(len(values) for _, _, values in axes) for axes in products)
    if not count:
        empty = [place for axes in products for _, place, values in axes if not values]
        why = f"{empty[0]} is an empty list" if empty else "it is empty"
        raise UsageError(f"Cannot sweep {path}, because it describes no run: {why}; give {', '.join(options)}.")
    if count > most:
        raise UsageError(
            f"Cannot sweep {path} without a word, because it describes {count:,} runs, more than {most:,}; say --up-to "
            f"{count} if that many are meant."
        )
    jobs: dict[str, Job] = {}
    files: dict[str, str | None] = {}
    for axes in products:
        for job in _jobs(axes, files, options):
            jobs.setdefault(job.name, job)
    _check(reader, list(jobs.values()), OF_RUNS if options is OPTIONS else OF_CAMPAIGNS)
    return list(jobs.values())


def _options(reader: Reader, held: Mapping[str, Any]) -> Mapping[str, Option]:
    """What keys there are."""
    if CAMPAIGN not in held:
        return OPTIONS
    name = reader.typed(CAMPAIGN, str, held[CAMPAIGN])
    try:
        return kind_of(name).options
    except UsageError as error:
        raise reader.passed_on(CAMPAIGN, error) from None


def _products(reader: Reader, held: Mapping[str, Any], options: Mapping[str, Option]) -> Iterator[list[Axis]]:
    """The axes of each, as the options are listed, so that runs that differ in their seed alone follow one another."""
    shared = {key: value for key, value in held.items() if key != MATRIX}
    above = _axes(reader, "", shared, options)
    tables = reader.typed(MATRIX, list[dict[str, Any]], held.get(MATRIX, [{}] if held else []))
    for number, table in enumerate(tables):
        if CAMPAIGN in table:
            raise reader.refused(f"{MATRIX}[{number}].{CAMPAIGN}", "it decides what all keys mean", "write it above")
        axes = above | _axes(reader, f"{MATRIX}[{number}].", table, options)
        yield [axes[key] for key in options if key in axes]


def _axes(reader: Reader, at: str, table: Mapping[str, Any], options: Mapping[str, Option]) -> dict[str, Axis]:
    """By option."""
    found: dict[str, Axis] = {}
    for key, value in table.items():
        place = f"{at}{key}"
        kind = reader.known(place, "option of a run", options, key).kind
        if key == "seed" and isinstance(value, dict):
            count = reader.typed(place, Count, value)
            found[key] = (key, place, range(count.first, count.first + count.count))
        elif isinstance(value, list):
            values = [reader.typed(f"{place}[{i}]", kind, each) for i, each in enumerate(value)]
            found[key] = (key, place, values)
        else:
            found[key] = (key, place, [reader.typed(place, kind, value)])
    return found


def _jobs(axes: list[Axis], files: dict[str, str | None], options: Mapping[str, Option]) -> Iterator[Job]:
    """One for each combination; `files` keeps the digests of the files that were read."""
    for numbers in product(*(range(len(values)) for _, _, values in axes)):
        given: dict[str, tuple[Any, str]] = {}
        for (key, place, values), number in zip(axes, numbers, strict=True):
            given[key] = values[number], f"{place}[{number}]" if len(values) > 1 else place
        settings = {key: given[key][0] for key in options if key in given and given[key][0] != options[key].default}
        digests = {}
        for key in ("network", "data"):
            text = settings.get(key)
            if text is not None:
                files.setdefault(text, digest_of_file(text))
                if digest := files[text]:
                    digests[key] = digest
        yield Job(settings, digests, {key: place for key, (_, place) in given.items()})


_Check = tuple[tuple[str, ...], Callable[[Job], Any]]


def _check(reader: Reader, jobs: list[Job], checks: Sequence[_Check]) -> None:
    """Whatever can be told before anything is run, of each combination of values once.

    Raises:
        UsageError: a run cannot be run as it is described; its entries are named.
    """
    for keys, check in checks:
        seen = set()
        for job in jobs:
            values = tuple(job.settings.get(key) for key in keys)
            if values in seen:
                continue
            seen.add(values)
            try:
                check(job)
            except UsageError as error:
                places = ", ".join(job.places[key] for key in keys if key in job.places)
                raise reader.passed_on(places, error) from None


def _counted(key: str, least: int) -> Callable[[Job], Any]:
    return lambda job: as_count(key, job.settings.get(key), least)


def _names(job: Job) -> None:
    if job.against is not None and not as_names(job.against)[1:] and "hand" not in job.against:
        raise UsageError("Cannot compare with nobody, because that names no implementation; name some or leave it out.")


def _length(job: Job) -> None:
    if "steps" in job.settings and "epochs" in job.settings:
        raise UsageError("Cannot use steps and epochs together, because each fixes the length; give one of them.")


def _fits(job: Job) -> None:
    """The network and its data belong together."""
    options = job.options
    network = network_asked(options)
    data = as_data(options["data"], network, options["seed"], raw=options["raw"], target=options["target"])
    batches_of(network, data, options["dtype"], options["batch"], options["seed"])


_LEAST = {"steps": 0, "epochs": 0, "batch": 1, "seed": 0, "check-every": 1}
_NETWORK = ("network", *(name.replace("_", "-") for name in OF_A_NETWORK))
OF_RUNS: Sequence[_Check] = (
    (("dtype",), lambda job: as_dtype(job.options["dtype"])),
    (("against",), _names),
    (("optimizer", "lr"), lambda job: optimizer_asked(job.options)),
    *(((key,), _counted(key, least)) for key, least in _LEAST.items()),
    (("steps", "epochs"), _length),
    (_NETWORK, lambda job: network_asked(job.options)),
    ((*_NETWORK, "data", "raw", "target", "batch"), _fits),
)
OF_CAMPAIGNS: Sequence[_Check] = ((("seed",), _counted("seed", 0)),)
