"""Historical mistakes: each is one, and this harness misses none that a rule of others finds."""

import numpy as np
import pytest

from reports.benchmark.detection import OURS, Detection, detection_table, detections, figures_of
from reports.benchmark.historical import MISTAKES


@pytest.fixture(scope="module")
def found():
    return {each.rule: each for each in detections(seeds=1)}


def test_none_is_missed_and_the_right_version_is_silent(found):
    ours = found[OURS[1]]
    assert len(MISTAKES) == 13
    assert ours.missed == []
    assert not any(ours.alarms.values())
    assert not any(found[OURS[0]].alarms.values())


def test_at_the_same_numbers_no_rule_finds_what_the_allowance_does_not(found):
    for mistake in MISTAKES:
        others = max(each.found[mistake.says] for each in found.values() if each.rule not in OURS)
        assert found[OURS[0]].found[mistake.says] >= others


def test_below_float32_no_rule_that_is_silent_on_the_right_version_finds_more():
    found = {each.rule: each for each in detections(seeds=2, dtype="bfloat16")}
    ours = found[OURS[0]]
    assert not any(ours.alarms.values())
    assert any(each.alarms for each in found.values())
    for mistake in MISTAKES:
        silent = [each for each in found.values() if not each.alarms[mistake.says]]
        assert ours.found[mistake.says] == max(each.found[mistake.says] for each in silent)


def test_each_rule_of_others_misses_some(found):
    assert all(each.missed for each in found.values() if each.rule not in OURS)


def test_a_source_is_an_issue():
    assert all(mistake.source.count("#") == 1 and mistake.source.count("/") == 1 for mistake in MISTAKES)


def test_the_table_and_the_figures_count_the_same():
    each = Detection(
        rule=OURS[1], dtype="float32", seeds=3,
        found={mistake.says: 2 if n == 0 else 3 for n, mistake in enumerate(MISTAKES)},
        alarms=dict.fromkeys([mistake.says for mistake in MISTAKES], 0) | {MISTAKES[3].says: 1},
    )  # fmt: skip
    missed, alarms = figures_of([each])
    assert (missed.ratio, missed.reached, alarms.ratio, alarms.reached) == (1, False, 1, False)
    assert detection_table([each]).splitlines()[-1].split()[-1] == "1"
    assert np.all([mistake.says in detection_table([each]) for mistake in MISTAKES])
