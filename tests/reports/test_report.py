"""Pages from whole, partial, damaged and hostile results; sizes; what is reduced."""

# ruff: noqa: E402 - what the imports need is asked for first

import base64
import gzip
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

from tests.broken import faults
from tests.helpers import browsing
from tests.helpers.hostile_run import hostile

browsing.required("jinja2", "latex2mathml", "click")

import harness
from harness.results.run import Run
from impls.hand import from_text
from impls.hand_numpy import Hand
from reports.exhibits import EXHIBITS, Exhibit, made, slipped
from reports.page import sizes
from reports.page.rendering import page, page_of
from reports.page.series import Series
from reports.page.subjects import CheckSubject, RunSubject

SECTIONS = ["results", "drawing", "charts", "paths", "fault", "power", "conventions", "reproduce"]


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run.jsonl"
    harness.run(steps=3, against=["hand"], output=path)
    return path


class Outline(HTMLParser):
    """Elements and attributes of a page, and which of them could ask for something."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.tags, self.addresses, self.handlers = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.addresses += [found[name] for name in ("src", "href", "srcset", "action") if name in found]
        self.handlers += [name for name in found if name.startswith("on")]


def embedded(text, name):
    found = re.search(rf'<script type="[^"]*" id="{name}">(.*?)</script>', text, re.DOTALL)
    return found[1]


def test_a_page_refers_to_nothing_outside_itself(record):
    outline = Outline(page(harness.read_run(record)))
    assert all(address.startswith(("#", "data:,")) for address in outline.addresses)
    assert outline.handlers == []
    assert [name for name in outline.ids if name in SECTIONS] == SECTIONS


def test_the_data_of_a_page_is_the_run_s_json(record):
    run = harness.read_run(record)
    told = json.loads(embedded(page(run), "record"))
    assert told == json.loads(msgspec.json.encode(run.to_dict()))


def test_weights_of_every_step_travel_without_a_loss(record):
    run = harness.read_run(record)
    data = json.loads(embedded(page(run), "data"))["drawing"]["weights"]
    array = np.frombuffer(base64.b64decode(data["bytes"]), data["dtype"]).reshape(3, -1)
    for step in (1, 2, 3):
        assert (array[step - 1] == np.concatenate([w.ravel() for w in run.weights_at(step).values()])).all()


def test_a_hostile_name_is_text(record):
    text = page(hostile(harness.read_run(record)))
    assert text.count("<script") == Outline(text).tags.count("script") == len(re.findall("</script>", text))
    assert Outline(text).tags.count("img") == 0
    assert "&lt;script&gt;hacked=1&lt;/script&gt;" in text
    assert "hacked=2>" not in text
    assert not any(c in text for c in "\x1b\u202e")


def test_a_record_that_ends_early_says_so_on_its_page(record, tmp_path):
    lines = record.read_bytes().splitlines(keepends=True)
    early = tmp_path / "early.jsonl"
    early.write_bytes(b"".join(lines[:3]) + lines[3][:50])
    text = page(harness.read_run(early))
    assert "ends after step 2 of 3" in text
    assert "the run was killed or is still under way" in text
    nothing = tmp_path / "nothing.jsonl"
    nothing.write_bytes(lines[0])
    text = page(harness.read_run(nothing))
    assert "NOT COMPARED" in text
    assert [name for name in Outline(text).ids if name in SECTIONS] == SECTIONS


def test_a_record_without_data_has_no_paths_and_says_why(record):
    run = harness.read_run(record)
    head = msgspec.structs.replace(run.head, data="mine N=150, raw values")
    assert "the record does not hold the data" in page(Run(head, run.steps))
    other = msgspec.structs.replace(run.head, network="__import__('os').system('true')")
    assert "Cannot rebuild the network" in page(Run(other, run.steps))


def test_weights_that_do_not_fit_are_not_drawn(record):
    run = harness.read_run(record)
    step = msgspec.structs.replace(run.steps[1], weights={"W1": [1.0]})
    text = page(Run(run.head, [run.steps[0], step, run.steps[2]]))
    assert "the weights that the record holds for step 2 do not fit its network" in text


def test_data_is_kept_or_found_again_by_its_name_and_other_data_is_refused(record):
    named = harness.read_run(record)
    assert named.head.x is None
    assert RunSubject(named).explorer.missing is None
    x = np.arange(8.0).reshape(4, 2)
    kept = harness.run("2-2-1", (x, x[:, :1]), ["hand"], steps=2)
    assert kept.head.x == x.tolist()
    assert RunSubject(kept).explorer.missing is None
    changed = msgspec.structs.replace(kept.head, x=(x + 1).tolist())
    assert "its digest is another" in RunSubject(Run(changed, kept.steps)).explorer.missing


def test_what_others_give_is_taken_from_the_record_and_asked_for_where_it_is_not_there(register, tmp_path):
    register("mine", Hand)
    run = harness.run(against=["mine"], steps=3)
    shown = RunSubject(run).explorer
    register("mine", "nothing that could be asked")
    kept = RunSubject(run).explorer
    assert kept.cells.keys() == shown.cells.keys()
    assert all(
        cell.ways[2].way == "mine" and cell.ways[2].value == cell.ways[1].value for cell in kept.cells["W1[1,1]"]
    )
    assert kept.rule.endswith("What other implementations give there is the run's own.")
    older = Run(run.head, [msgspec.structs.replace(step, doubles={}) for step in run.steps])
    register("mine", Hand)
    asked = RunSubject(older).explorer
    assert asked.cells == kept.cells
    assert "the run's own" not in asked.rule


def test_of_a_loss_with_a_penalty_others_are_asked_for_what_the_paths_add_up_to(register):
    register("mine", Hand)
    (cell,) = RunSubject(
        harness.run(from_text("4-3-2-1", loss="sum-squared-error(l2=0.5)"), against=["mine"], steps=1)
    ).explorer.cells["W1[1,1]"]
    assert (cell.ways[2].way, cell.ways[2].value) == ("mine", cell.ways[1].value)


def test_a_page_of_a_record_needs_no_framework_and_no_catalogue(tmp_path):
    harness.run(steps=2, output=tmp_path / "run.jsonl")
    program = (
        "import sys, harness, reports.page.rendering as r; r.page(harness.read_run(sys.argv[1]));"
        "print(sorted({'torch', 'jax', 'scipy', 'harness.faults', 'harness.diagnosis'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "run.jsonl"], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_a_fault_is_located_on_the_page(register):
    register("broken", faults.LOCATED["derivative at z"][0])
    made_page = page_of(harness.run(steps=2, against=["broken"]))
    fault = made_page.section("fault")
    assert [name for name, verdict, _ in fault.chain if verdict == "FAULT"] == ["dz2"]
    assert made_page.verdict == "FAIL"
    assert "harness check" in dict(fault.facts)["expected and yours"]
    assert all(shown.table and shown.table.rows for shown in made_page.section("charts").charts)


def test_a_check_has_a_page_with_the_cause():
    text = page(harness.check(slipped))
    assert "first wrong link: dz2" in text
    assert "da2 · z2·(1 − z2)" in text
    assert [name for name in Outline(text).ids if name in SECTIONS] == SECTIONS


def test_the_page_of_a_check_follows_paths_at_the_point_of_the_check():
    (cell,) = CheckSubject(harness.check(slipped)).explorer.cells["W1[1,1]"]
    point = harness.reference("4-3-2-1", data="iris")
    assert cell.ways[1].value == point.gradients["dW1"][0, 0]
    rows = harness.load_data("iris").x[:5], np.zeros((5, 1))
    other = CheckSubject(harness.check(slipped, data=rows))
    (cell,) = other.explorer.cells["W1[1,1]"]
    assert cell.ways[1].value == harness.reference("4-3-2-1", data=rows).gradients["dW1"][0, 0]
    assert other.drawing.steps == [1]


def test_the_page_of_a_check_counts_the_samples_of_a_batch_within_their_data_set():
    check = harness.check(slipped, batch=10)
    batches = CheckSubject(check).batches
    assert len(batches.y) == 150
    assert batches.rows(1).tolist() != list(range(10))
    assert np.array_equal(batches.at(1)[0], check.point.x)


def test_long_runs_are_reduced_and_keep_their_extremes():
    run = sizes.invented(1_500, 20)
    wrong = msgspec.structs.replace(run.steps[776].rows[5], verdict="FAULT", used=7.0, outside=1)
    run.steps[776].rows[5] = wrong
    series = Series(run)
    assert len(series.columns) == 400
    assert [w.step for w in series.worst if w.verdict == "FAULT"] == [777]
    assert [w.used for w in series.worst if w.gradient == wrong.gradient and w.first <= 777 <= w.last] == [7.0]
    losses = [record["loss"] for record in series.losses() if record["against"] == "hand"]
    told = [loss for loss in run.losses["hand"] if loss is not None]
    assert (min(losses), max(losses)) == (min(told), max(told))
    text = page(run)
    assert "1,500 steps in 400 columns" in text
    assert len(text.encode()) < 3_000_000


def test_of_many_steps_a_finer_heat_map_travels_compressed(record):
    assert 'id="pictures"' not in page(harness.read_run(record))
    text = page(sizes.invented(200, 2))
    finer = json.loads(gzip.decompress(base64.b64decode(embedded(text, "pictures"))))
    assert list(finer) == ["heat"]
    still = re.search('<figure class="chart" data-chart="heat".*?(<svg.*?</svg>)', text, re.DOTALL)[1]
    assert (still.count("<rect"), finer["heat"].count("<rect")) == (1 + 80 * 4, 1 + 200 * 4)


def test_the_gallery_has_an_index_pages_and_tables(tmp_path):
    quick = Exhibit("quick", "two steps", lambda: harness.run(steps=2, against=["hand"]))
    left = Exhibit("left", "not there", lambda: harness.run(data="nothing"))
    shown = list(made(tmp_path, (quick, left)))
    assert [s.verdict for s in shown] == ["PASS", "LEFT OUT"]
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "README.md", "quick.html", "quick.md"}
    assert (tmp_path / "README.md").read_text().splitlines()[2].startswith("| [quick](quick.md)")
    assert (tmp_path / "quick.md").read_text().count("|") > 20
    assert len({exhibit.name for exhibit in EXHIBITS}) == len(EXHIBITS)
