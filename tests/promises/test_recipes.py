"""Each recipe of CONTRIBUTING.md does what it says: its blocks of code are what these tests add.

A file that a recipe makes becomes a module of that name; a line that it adds to a table of a file is read with the
names of that file, and added to the table for one test.
"""

import re
import sys
import tomllib
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.arithmetic import Bounded, Context, bounded, profile, profile_of
from harness.arithmetic.bounded import rounded
from harness.arithmetic.rules import elementwise
from harness.cli import commands
from harness.diagnosis.equivalent import activations as equivalent
from harness.evaluation.centre import end_to_end
from harness.faults import catalogue, faults_at
from harness.formats import FORMATS, Format
from harness.inputs import toml_reader
from harness.rendering import run_columns
from impls import hand, registry
from impls.hand import Dense, GraphBuilder, LeakyRelu, MeanSquaredError, Network, Tanh, layers, notation
from reports.page import rendering, sections
from tests.graphs.branching import batch_of, branching, positions
from tests.promises.test_docs import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", TEXT, re.MULTILINE))
BLOCK = re.compile(r"^```(\w+)\n((?:(?!```).*\n)*)```", re.MULTILINE)


def blocks(recipe):
    """The blocks of code of one recipe, in order."""
    found = BLOCK.findall(RECIPES[recipe])
    return [dedent(re.sub(r"^\+", "", code, flags=re.MULTILINE) if kind == "diff" else code) for kind, code in found]


def row_of(block, module):
    """What a row of a table says, read with the names of the module that has the table."""
    ((key, value),) = eval("{" + block + "}", vars(module)).items()
    return key, value


@pytest.fixture
def made(monkeypatch):
    """A file of a recipe as the module that it is: ``made(name, code)``."""

    def make(name, code):
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(code, f"{name}.py", "exec"), vars(module))
        return module

    return make


@pytest.fixture
def gain(made, monkeypatch):
    """The layer of the recipe, listed where it is to be listed; the rows of the frameworks."""
    code, named, *rows = blocks("Add a layer")
    layer = made("impls.hand.layers.gain", code).Gain
    monkeypatch.setattr(layers, "Gain", layer, raising=False)
    monkeypatch.setattr(hand, "Gain", layer, raising=False)
    monkeypatch.setattr(hand, "__all__", [*hand.__all__, "Gain"])
    for table in (notation.LAYERS, toml_reader.KINDS["node layer"]):
        monkeypatch.setitem(table, *row_of(named, notation))
    return layer, rows


def with_gain(layer):
    """A chain and a graph that have it, the graph behind a sum."""
    net = GraphBuilder()
    h = net("act", Tanh(), net("fc", Dense(4, 3), net.input("x", 4)))
    graph = net.loss(MeanSquaredError(), net("scale", layer(3), net("sum", hand.Add(), h, h)))
    return Network([Dense(4, 3), layer(3), Tanh(), Dense(3, 2)], MeanSquaredError()), graph


def test_a_layer_is_a_class(gain, tmp_path):
    layer, _ = gain
    for network in with_gain(layer):
        assert harness.run(network, "random", against=["hand"], steps=3, exact=True).verdict == "PASS"
        assert harness.run(repr_read(network), "random", against=["hand"], steps=1).verdict == "PASS"
        told = harness.explain(f"{next(iter(network.weights))}[1,1]", network, "random", against=["hand"])
        assert {way.outside for way in told.ways} == {None, False}  # None: the exact one, and an estimate
    chain, graph = with_gain(layer)
    assert chain.gradients == ("dW1", "db1", "dg1", "dW2", "db2")
    assert graph.init(0)["scale.g"].min() >= 0.5
    assert graph.multiply_adds(5) - 3 * 5 * 3 == 2 * 5 * 4 * 3
    with pytest.raises(ValueError, match="it multiplies rows of 4 numbers"):
        Network([Dense(2, 3), layer(4)], MeanSquaredError())


def repr_read(network):
    """The network as the text of a record has it, made again."""
    from harness.results.rebuilding import network_of

    again = network_of(repr(network))
    assert repr(again) == repr(network)
    return again


def test_a_layer_has_a_name_in_files(gain, tmp_path):
    path = tmp_path / "net.toml"
    path.write_text(
        'inputs = { x = 2 }\noutput = "scale.s"\nloss = "mean-squared-error"\nnodes = [\n'
        '  { name = "fc", kind = "dense", inputs = 2, outputs = 3, reads = "x" },\n'
        '  { name = "scale", kind = "gain", size = 3, reads = "fc.z" },\n]\n'
    )
    assert harness.run(path, "random", against=["hand"], steps=1).verdict == "PASS"


def test_a_layer_has_a_row_in_each_framework(gain, framework, monkeypatch):
    layer, rows = gain
    place = {"torch": "impls.torch_autograd.operations", "jax": "impls.jax_grad.operations"}
    registry.load(framework)
    operations = sys.modules[place[framework]]
    for network in with_gain(layer):
        assert harness.run(network, "random", against=[framework], steps=1).verdict == "NOT COMPARED"
    monkeypatch.setitem(operations.FORWARD, *row_of(rows[list(place).index(framework)], operations))
    for network in with_gain(layer):
        assert harness.run(network, "random", against=[framework], steps=3).verdict == "PASS"


def test_a_cause_is_named(gain, made, monkeypatch):
    (code,) = blocks("Add a cause")
    family = made("harness.faults.gain", code)
    layer, _ = gain
    for network, at in zip(with_gain(layer), ("dz1", "sum.ds"), strict=True):

        def backward(weights, x, y, network=network, at=at):
            tensors = {**network.given(x), **weights, "y": y}
            for link in network.links:
                read = dict(tensors)
                if link.output == at:
                    read[link.names["g"]] = np.ones(3)
                tensors[link.output] = link(read)
            return {name: tensors[name] for name in (at, *network.gradients, network.gradient[link_read(network, at)])}

        assert cause_of(backward, network) != "gain left out"
        with monkeypatch.context() as listed:
            listed.setattr(catalogue, "FAMILIES", (*catalogue.FAMILIES, family.gain_faults))
            assert "gain left out" in [fault.cause for fault in faults_at(network, network.link[at])]
            assert cause_of(backward, network) == "gain left out"


def link_read(network, at):
    """What the layer of that link gives."""
    return network.link[at].names["s"]


def cause_of(backward, network):
    (diagnosis,) = harness.check(backward, network, batch_of(network, 7)).diagnoses
    return diagnosis.causes[0].cause if diagnosis.causes else None


def test_a_bound_rule_bounds(monkeypatch):
    (code,) = blocks("Add a bound rule")
    monkeypatch.setattr(bounded, "RULES", dict(bounded.RULES))
    context, rng = Context(profile_of("float32")), np.random.default_rng(0)
    x = context.exact(rng.normal(size=1000))
    x = Bounded(x.value, np.abs(rng.normal(size=1000)) * 0.1, context)
    with pytest.raises(TypeError):
        np.clip(x, -0.5, 0.7)
    exec(compile(code, "elementwise.py", "exec"), dict(vars(elementwise)))
    result = np.clip(x, -0.5, 0.7)
    assert (result.bound <= x.bound * (1 + 1e-6) + 1e-6).all()
    for share in (-1, -0.3, 0, 0.6, 1):
        member = np.clip(x.value + share * x.bound, -0.5, np.float32(0.7))
        assert (np.abs(member - result.value) <= result.bound).all()


def test_an_equivalent_formula_is_right(monkeypatch):
    function, row = blocks("Add an equivalent formula")
    network = Network([Dense(4, 3), LeakyRelu(), Dense(3, 2)], MeanSquaredError())

    def backward(weights, x, y):
        activations = network.forward(weights, x)
        z, s = activations["z1"], 0.01
        activations["a1"] = ((1 + s) * z + (1 - s) * np.abs(z)) / 2
        activations["z2"] = activations["a1"] @ weights["W2"] + weights["b2"]
        return {**activations, **network.backward(weights, x, y, activations)}

    def checked():
        return harness.check(backward, network, batch_of(network, 40))

    assert checked().first_wrong == "a1"
    names = {**vars(equivalent), "LeakyRelu": LeakyRelu}
    exec(compile(function, "activations.py", "exec"), names)
    monkeypatch.setitem(equivalent.FORMS, *next(iter(eval("{" + row + "}", names).items())))
    assert checked().verdict == "PASS"
    told = next(row.reason for row in checked().rows if row.gradient == "a1")
    assert "leaky relu(z) = ((1 + slope)·z + (1 − slope)·|z|)/2, which loses digits left of 0" in told


@pytest.fixture
def complex_step(made, register):
    project, code = blocks("Add a framework")
    (entry,) = tomllib.loads(project)["project"]["entry-points"]["harness.implementations"].items()
    name, (module, attribute) = entry[0], entry[1].split(":")
    assert tomllib.loads(project)["tool"]["setuptools"]["py-modules"] == [module]
    register(name, getattr(made(module, code), attribute))
    return name


@pytest.mark.parametrize(
    "make", [lambda: hand.from_text("4-3-2"), branching, positions], ids=["chain", "graph", "axes"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_framework_is_a_package(complex_step, make, dtype):
    network = make()
    run = harness.run(network, batch_of(network, 5), against=[complex_step], steps=2, dtype=dtype)
    assert (run.verdict, {row.against for row in run.rows}) == ("PASS", {"hand", complex_step})
    assert {row.gradient for row in run.rows if row.against == complex_step} >= set(network.gradients)


def test_a_wrong_framework_without_intermediates_is_seen(complex_step, register):
    build = registry.load(complex_step)

    class Wrong(build):
        def differentiate(self, weights, x, y, *, tap=True):
            found = super().differentiate(weights, x, y, tap=tap)
            return type(found)(found.loss, {**found.gradients, "fc2.dW": -found.gradients["fc2.dW"]})

    register("wrong", Wrong)
    network = branching()
    run = harness.run(network, batch_of(network, 5), against=["wrong"], steps=1)
    assert (run.verdict, {row.gradient for row in run.rows if row.verdict == "FAULT"}) == ("FAIL", {"fc2.dW"})


@pytest.fixture(scope="module")
def run():
    return harness.run("4-3-2-1", steps=2, against=["hand"])


def test_a_column_is_shown_everywhere(run, monkeypatch):
    (line,) = blocks("Add a column")
    gradients = run_columns.gradients
    (column,) = eval(f"({line})", vars(run_columns))
    assert "entries" not in run._repr_html_()
    monkeypatch.setattr(run_columns, "gradients", lambda run: (*gradients(run), column))
    header, row = (line.split() for line in str(run).splitlines() if line.startswith(("gradient ", "dW1 4×3")))
    assert (header[-1], row[-1]) == ("entries", "24")  # of both steps
    assert "<th>entries</th>" in run._repr_html_()
    assert re.search(r"<th[^>]*>entries</th>", rendering.page(run))


def test_a_section_is_shown(run, made, monkeypatch):
    (code,) = blocks("Add a section of the page")
    section = made("reports.page.sections.cost", code).SECTION
    assert "multiply-adds" not in rendering.page(run)
    monkeypatch.setattr(rendering, "SECTIONS", (*sections.SECTIONS, section))
    shown = rendering.page(run)
    assert '<a href="#cost">Cost</a>' in shown
    assert f"A pass over 150 rows takes {run.network.multiply_adds(150):,} multiply-adds." in shown


def test_a_command_is_a_function(made, monkeypatch):
    (code,) = blocks("Add a command")
    monkeypatch.setattr(commands.harness, "commands", dict(commands.harness.commands))
    commands.harness.add_command(made("harness.cli.fault_commands", code).causes_command)
    assert "every mistake that has a name" in CliRunner().invoke(commands.harness, ["--help"]).output
    printed = CliRunner().invoke(commands.harness, ["causes"])
    assert (printed.exit_code, printed.output.splitlines()) == (0, list(catalogue.CAUSES))


def test_a_dtype_is_a_row_and_its_constants(monkeypatch):
    row, constants = blocks("Add a dtype")
    name, format_ = next(iter(eval("{" + row + "}", {"Format": Format}).items()))
    table = profile.constants_table()
    (shown,) = tomllib.loads(constants)[name].values()
    assert set(shown) <= set(table["float32"]["exp"])
    monkeypatch.setitem(FORMATS, name, format_)
    monkeypatch.setitem(table, name, dict.fromkeys(table["float32"], shown))
    own = profile_of(name)
    assert (own.u, own.largest) == (2.0**-16, (2 - 2.0**-15) * 2.0**127)
    assert f"{name}: elementary functions within these multiples of u (sampled, rounded up)" in str(own.assumptions())
    network = hand.from_text("4-3-2-1", activation="tanh")
    x, y = batch_of(network, 9)
    given = {name: rounded(a, format_) for name, a in {**network.init(0), "x": x, "y": y}.items()}
    weights = {name: given[name] for name in network.weights}
    tensors = dict(given)
    for link in network.links:  # a program that computes in it: every result is rounded to its digits
        tensors[link.output] = rounded(np.asarray(link(tensors)), format_)
    centre = end_to_end(network, weights, given["x"], given["y"], own).tensors
    for link in network.links:
        bound, off = centre[link.output].bound, np.abs(tensors[link.output] - centre[link.output].value)
        assert (off <= bound).all()
        assert (bound <= 2.0**-6 * (1 + np.abs(centre[link.output].value).max())).all()


def test_every_recipe_is_followed():
    with_code = {recipe for recipe, text in RECIPES.items() if BLOCK.search(text)}
    assert with_code == {recipe for recipe in RECIPES if recipe.startswith("Add ")}
    assert with_code == set(re.findall(r'blocks\("(.*)"\)', Path(__file__).read_text(encoding="utf-8")))
