"""Pages of graphs: what is drawn neuron by neuron and what node by node; and what a page is made of."""

# ruff: noqa: E402 - what the imports need is asked for first

import base64
import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import browsing

browsing.required("jinja2", "latex2mathml")

import harness
from harness.comparison.judge import Row
from harness.results.rebuilding import network_of
from impls.hand import (
    Add,
    Concatenate,
    Dense,
    Embedding,
    Graph,
    Input,
    MeanSquaredError,
    Network,
    Relu,
    Split,
    Tanh,
    from_text,
    node,
)  # fmt: skip
from impls.hand.named import named
from reports.page import sections
from reports.page.boxes import boxes
from reports.page.environment import environment
from reports.page.layout import HEIGHT, WIDTH
from reports.page.neurons import stages
from reports.page.node_tables import links_of, nodes_of
from reports.page.rendering import page
from reports.page.sections import SECTIONS
from reports.page.subjects import RunSubject

GRAPH = Graph(
    [Input("x", 4), Input("k", (), choices=5)],
    [
        node("fc1", Dense(4, 6), "x"), node("act1", Tanh(), "fc1.z"), node("fc2", Dense(6, 6), "act1.a"),
        node("skip", Add(), "act1.a", "fc2.z"), node("again", Dense(6, 6), "skip.s", W="fc2.W"),
        node("emb", Embedding(5, 3), "k"), node("cat", Concatenate(), "again.z", "emb.e"),
        node("split", Split(2), "cat.s"), node("h1", Dense(2, 3), "split.p"), node("h2", Dense(7, 3), "split.q"),
        node("out", Add(), "h1.z", "h2.z"),
    ],
    MeanSquaredError(), "out.s",
)  # fmt: skip


def test_a_graph_comes_back_from_its_text():
    found = network_of(repr(GRAPH))
    assert repr(found) == repr(GRAPH)
    assert found.weights == GRAPH.weights


@pytest.mark.parametrize(
    "text",
    [
        "Graph([Input('x', 4)], [node('a', __import__('os').system('true'), 'x')], MeanSquaredError(), 'a.z')",
        "Graph([Input('x', 4)], [node('a', Dense(4, 2), 'y')], MeanSquaredError(), 'a.z')",
        "Graph([Input('x', 4)], [5], MeanSquaredError(), 'a.z')",
        "Graph([], [], MeanSquaredError(), 'a.z')",
        "Graph([Input('x', 4)], [node('a', Dense(4, 2), 'x')], MeanSquaredError(), 5)",
        "node('a', Dense(4, 2), 'x')",
        "from_text('4-3-2-1')",
    ],
)
def test_what_is_no_network_is_not_rebuilt(text):
    with pytest.raises(harness.UsageError, match="Cannot rebuild the network"):
        network_of(text)


def test_a_chain_of_matrices_is_drawn_neuron_by_neuron_and_nothing_else():
    three = stages(from_text("4-3-2-1"))
    assert [(s.matrix, s.bias, s.width, s.output) for s in three] == [
        ("W1", "b1", 3, "a1"), ("W2", "b2", 2, "a2"), ("W3", "b3", 1, "a3"),
    ]  # fmt: skip
    (stage,) = stages(Network([Dense(3, 2, bias=False), Tanh(), Relu()], MeanSquaredError()))
    assert (stage.bias, stage.width) == (None, 2)
    named = [node("fc1", Dense(4, 3), "x"), node("act", Tanh(), "fc1.z")]
    assert [s.output for s in stages(Graph([Input("x", 4)], named, MeanSquaredError(), "act.a"))] == ["act.a"]
    assert stages(GRAPH) is None
    tied = [node("a", Dense(4, 4), "x"), node("b", Dense(4, 4), "a.z", W="a.W")]
    assert stages(Graph([Input("x", 4)], tied, MeanSquaredError(), "b.z")) is None


def test_every_node_has_a_box_of_its_own_right_of_what_it_reads():
    drawn = boxes(GRAPH, [])
    assert [box.name for box in drawn.boxes] == ["x", "k", *(each.name for each in GRAPH.nodes), "loss"]
    place = {box.name: (box.x, box.y) for box in drawn.boxes}
    for each in GRAPH.nodes:
        for read in each.reads:
            giver = GRAPH.tensors[read].node or read
            assert place[giver][0] + WIDTH < place[each.name][0]
    for i, a in enumerate(drawn.boxes):
        assert 0 <= a.y <= drawn.height - HEIGHT
        assert not any(b.x == a.x and abs(b.y - a.y) < HEIGHT for b in drawn.boxes[i + 1 :])
    assert len(drawn.arrows) == sum(len(each.reads) for each in GRAPH.nodes) + 1


def test_no_arrow_crosses_a_box():
    drawn = boxes(GRAPH, [])
    for arrow in drawn.arrows:
        for start, y, end in re.findall(r"(?<= )(\d+) (\d+)H(\d+)", arrow.path):
            crossed = [b.name for b in drawn.boxes if b.x < int(end) and b.x + WIDTH > int(start)]
            inside = [b.name for b in drawn.boxes if b.name in crossed and b.y < int(y) < b.y + HEIGHT]
            assert inside == []
    assert sum("H" in arrow.path for arrow in drawn.arrows) == 2  # act1.a past fc2, emb.e as far as cat


def test_a_shared_weight_and_the_gravest_row_stand_at_their_nodes():
    wrong = Row("rounding", "fc2.dW", "torch", 1, "FAULT", used=7.0)
    right = Row("rounding", "fc2.z", "torch", 1, "ok", used=0.5)
    drawn = boxes(GRAPH, [right, wrong])
    assert [box.name for box in drawn.boxes if box.shared] == ["again"]
    assert {box.name: box.row.gradient for box in drawn.boxes if box.row} == {"fc2": "fc2.dW"}
    told = nodes_of(GRAPH, [right, wrong])
    at = dict(zip(told.anchors, told.rows, strict=True))
    assert "W 6×6, shared: fc2.W" in at["node-again"][4]
    assert at["node-fc2"][-3:] == ["7 ×", "fc2.dW", "✗ FAULT"]


def test_nodes_of_one_prefix_are_a_block_with_its_gravest_row_which_unfolds_to_what_is_in_it():
    network = named("gpt:layers=2,heads=2,width=4,context=3,tokens=5")
    wrong = Row("rounding", "h0.attn.scores.ds", "torch", 1, "FAULT", used=7.0)
    whole = boxes(network, [wrong, Row("rounding", "h0.ln1.h", "torch", 1, "ok", used=0.5)])
    assert [box.name for box in whole.boxes] == ["i", "wte", "wpe", "h0", "h1", "ln", "logits", "loss"]
    folded = {box.name: (box.kind, box.lines, box.row) for box in whole.boxes if box.kind == "block"}
    assert folded == {"h0": ("block", ["14 nodes", "7 × FAULT"], wrong), "h1": ("block", ["14 nodes", ""], None)}
    h0, h1 = whole.blocks
    assert (h0.row, h1.row) == (wrong, None)
    shown = ["wpe.s", "h0.ln1", "h0.attn", "h0.res1", "h0.ln2", "h0.mlp", "h0.res2", "h0.res2.s ▸"]
    assert [box.name for box in h0.boxes] == shown
    assert [block.name for block in h0.blocks] == ["h0.attn", "h0.mlp"]
    inside = {name for block in (whole, h0, h1, *h0.blocks, *h1.blocks) for name in (box.name for box in block.boxes)}
    assert {node.name for node in network.nodes} <= inside


def test_parts_that_read_of_each_other_are_no_blocks():
    nodes = [node("a.fc", Dense(4, 4), "x"), node("b.act", Tanh(), "a.fc.z"), node("a.out", Dense(4, 2), "b.act.a")]
    drawn = boxes(Graph([Input("x", 4)], nodes, MeanSquaredError(), "a.out.z"), [])
    assert [box.name for box in drawn.boxes] == ["x", "a.fc", "b.act", "a.out", "loss"]


def test_boxes_lead_to_rows_that_are_there_without_javascript():
    drawn = boxes(GRAPH, [])
    parts = environment().get_template("parts.html.j2").module
    picture, told = parts.boxes(drawn), parts.table(nodes_of(GRAPH, [])) + parts.table(links_of(GRAPH, []))
    targets = re.findall(r'href="#([^"]+)"', picture)
    assert len(targets) == len(GRAPH.nodes) + 3
    assert all(f'id="{target}"' in told for target in targets)


def test_headings_are_numbered_as_sections_are_listed():
    text = page(harness.run("2-1", against=["hand"], data="random", steps=1))
    found = re.findall(r'<h2 id="([\w-]+)-h" tabindex="-1">(\d) ([^<]+)</h2>', text)
    of_a_run = [section for section in SECTIONS if section.of_run]
    assert found == [(section.id, str(number), section.title) for number, section in enumerate(of_a_run, 1)]
    assert [section.id for section in SECTIONS if section not in of_a_run] == ["runs"]  # of a sweep
    files = {path.stem for path in Path(sections.__file__).parent.glob("*.py")}
    assert len(files - {"__init__", "section"}) == len(SECTIONS)


def test_the_page_of_a_graph_explains_its_derivatives():
    nodes = [node("fc", Dense(2, 2), "x"), node("skip", Add(), "x", "fc.z"), node("out", Dense(2, 1), "skip.s")]
    network = Graph([Input("x", 2)], nodes, MeanSquaredError(), "out.z")
    rng = np.random.default_rng(0)
    run = harness.run(network, data=(rng.normal(size=(5, 2)), rng.normal(size=(5, 1))), against=["hand"], steps=2)
    explorer = RunSubject(run).explorer
    assert explorer.missing is None
    cell = explorer.cells["out.W[1,1]"][-1]
    assert cell.ways[1].value == pytest.approx(cell.total, rel=1e-12)
    cells = gzip.decompress(base64.b64decode(re.search(r'id="cells">([^<]*)<', page(run))[1])).decode()
    written = "".join(html for steps in json.loads(cells).values() for html in steps)
    assert 'data-weight="out.W[1,1]"' in written


def test_a_name_that_would_be_markup_or_a_formula_is_refused():
    with pytest.raises(ValueError, match="letters, digits and underscores"):
        node("<img src=x onerror=hacked=1>", Dense(2, 2), "x")
