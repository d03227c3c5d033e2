"""Seeds of the campaign that never cries wolf, as a sweep: a record each, the same whoever runs it, one table."""

import json
import tomllib
from pathlib import Path

import pytest

import harness
from harness import UsageError
from harness.sweeping import job
from harness.sweeping.job import Job, performed
from reports.soundness import campaign, swept
from reports.soundness.tally import Alarm, Count, Key, Tally

TEXT = 'campaign = "soundness"\nentries = 100\nseed = { from = 3, count = 2 }\n'
KEY = Key("rounding", "dz of Tanh", "float32", "torch")


def block(dtypes, seed, threads, first, size, layers):
    """What a process of the campaign would count: of seed 4, a false alarm."""
    found = Tally({KEY: Count(compared=60, used=0.1 * threads)}, {f"threads {threads}": size})
    if seed == 4 and threads == 1 and not first:
        found.alarms.append(Alarm(seed, 7, KEY, "", "Network", "dz1: outside"))
    return found


@pytest.fixture(autouse=True)
def offered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(campaign, "_block", block)
    monkeypatch.setattr(job, "entry_points", lambda group: [Offer()] if group == job.CAMPAIGNS else [])
    monkeypatch.setattr("harness.sweeping.apart.Program.supervised", False)  # no processes: jobs run here
    job._campaign.cache_clear()
    yield
    job._campaign.cache_clear()


class Offer:
    """The entry point."""

    name = "soundness"

    def load(self):
        return swept.SOUNDNESS


def test_a_seed_is_a_record_and_a_false_alarm_fails_the_sweep():
    Path("m.toml").write_text(TEXT)
    result = harness.sweep("m.toml", jobs=1)
    assert (result.verdict, result.exit) == ("FAIL", 1)
    assert [each.result.verdict for each in result.ran] == ["PASS", "FAIL"]
    assert result.ran[0].job.command == "python -m reports.soundness --seed 3 --entries 100"
    assert "120 entries compared in 32 cases: 1 alarms; first dz of Tanh of torch, case 7" in str(result)
    assert "campaign soundness" in str(result)
    assert "2 seeds from 3 to 4" in str(result)
    records = sorted(Path("m").glob("*.jsonl"))
    assert len(records) == 2
    assert json.loads((Path("m") / "summary.json").read_text())["runs"][0]["settings"]["entries"] == 100


def test_a_record_is_the_same_whoever_makes_it_and_is_not_made_again():
    Path("m.toml").write_text(TEXT)
    first = harness.sweep("m.toml", jobs=1)
    (path, *_) = sorted(Path("m").glob("*.jsonl"))
    assert performed(Job(first.ran[0].job.settings, {}, {})).record == path.read_bytes()
    changed = path.read_bytes()[:-30]
    path.write_bytes(changed)  # damaged: made again
    seen = []
    assert str(harness.sweep("m.toml", jobs=1, progress=lambda *at: seen.append(at))) == str(first)
    assert seen == [(1, 2), (2, 2)]
    assert path.read_bytes() != changed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT.replace("soundness", "unsound"), "at campaign: cannot run campaign = 'unsound', because no package"),
        (f'{TEXT}network = "4-3-1"', "at network: cannot use the option of a run 'network'"),
        (f'{TEXT}[[matrix]]\ncampaign = "soundness"', r"at matrix\[0\].campaign, because it decides what all keys"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_campaign_is_told_with_its_place(text, said):
    Path("m.toml").write_text(text)
    with pytest.raises(UsageError, match=said):
        harness.sweep("m.toml", jobs=1)


def test_the_campaign_is_offered_by_its_entry_point():
    told = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    module, _, name = told["project"]["entry-points"][job.CAMPAIGNS]["soundness"].partition(":")
    assert getattr(__import__(module, fromlist=[name]), name) is swept.SOUNDNESS
