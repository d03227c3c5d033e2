"""Admission: which implementations take part in a run, and why others do not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.candidates.conformance import BreachError
from harness.candidates.implementation import Participant
from harness.comparison.finding import Finding
from impls import registry
from impls.contract import CannotCompareError
from impls.hand import Network


@dataclass
class Admission:
    """Who takes part, who is absent and why, versions and settings of those who take part."""

    participants: list[Participant] = field(default_factory=list)
    absent: list[Finding] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)


def admit(names: Iterable[str], network: Network, dtype: str, *, named: bool) -> Admission:
    """Load the implementations; what is missing or cannot be built is a finding, not an end.

    `named` tells whether somebody asked for them by name: then a broken one fails the run.
    """
    admission = Admission()
    for name in names:
        try:
            participant = Participant(name, registry.load(name), network, dtype)
            version, settings = participant.describe()
        except (registry.NotInstalledError, CannotCompareError) as error:
            admission.absent.append(Finding(name, 1, "missing", str(error), fails=False))
            continue
        except BreachError as breach:
            admission.absent.append(Finding(name, 1, breach.kind, str(breach), fails=named))
            continue
        except Exception as error:
            text = " ".join(str(error).split())[:300]
            message = f"could not be imported: {type(error).__name__}: {text}"
            admission.absent.append(Finding(name, 1, "raised", message, fails=named))
            continue
        admission.participants.append(participant)
        admission.versions[name] = version
        admission.settings |= settings
    return admission
