"""The sections of a page: each is one file, and is listed here once, in the order in which the page shows them."""

from reports.page.sections import conventions, fault, lockstep, network, paths, power, reproduce, runs, verdict
from reports.page.sections.section import Section

SECTIONS: tuple[Section, ...] = (
    verdict.SECTION,
    network.SECTION,
    lockstep.SECTION,
    paths.SECTION,
    fault.SECTION,
    power.SECTION,
    conventions.SECTION,
    runs.SECTION,
    reproduce.SECTION,
)
