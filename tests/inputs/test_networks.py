"""Networks from TOML: the same as in Python or as layer sizes; what does not belong is refused with its place."""

import json
import os
from itertools import pairwise

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import harness
from harness.cli.commands import harness as command
from harness.inputs.networks import LARGEST_FILE
from harness.inputs.toml_reader import KINDS
from harness.rendering.tables import render
from impls.hand import Dense, Elu, Huber, LeakyRelu, Network, Penalised, Scaled, SumSquaredError, Tanh, from_text
from impls.hand.notation import ACTIVATIONS, LOSSES, describe

EVERY_KEY = """
loss = { kind = "scaled", by = 16384, loss = { kind = "huber", delta = 0.5 } }

[[layers]]
kind = "dense"
inputs = 4
outputs = 3
bias = false

[[layers]]
kind = "leaky_relu"
slope = 1

[[layers]]
kind = "dense"
inputs = 3
outputs = 1

[[layers]]
kind = "elu"
"""
HUBER = 'loss = "huber"\n'
FIRST = HUBER + 'layers = ["dense(inputs=4, outputs=3)", '
LAYERS = 'layers = ["dense(inputs=4, outputs=3)"]\n'


def typed(*words):
    return CliRunner().invoke(command, ["run", "--steps", "2", *map(str, words)])


@pytest.fixture
def file(tmp_path):
    """Write content to net.toml, and give its path."""

    def write(content):
        path = tmp_path / "net.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_a_file_makes_what_the_constructors_make(file):
    python = Network([Dense(4, 3, bias=False), LeakyRelu(1), Dense(3, 1), Elu()], Scaled(Huber(0.5), 16384))
    network = harness.load_network(file(EVERY_KEY))
    assert repr(network) == repr(python)
    assert type(network.layers[1].slope) is float
    assert network.weights == python.weights


PARAMETERS = {"leaky-relu": "slope=0.3", "elu": "alpha=0.7", "softplus": "threshold=20"}
LOSS_PARAMETERS = {"huber": "delta=0.1", "binary-cross-entropy": "clamp='torch'"}
PAIRS = [
    *((kind, "sum-squared-error") for kind in ACTIVATIONS),
    *((f"{kind}({given})", "sum-squared-error") for kind, given in PARAMETERS.items()),
    *(("tanh", loss) for loss in LOSSES),
    *(("tanh", f"{loss}({given})") for loss, given in LOSS_PARAMETERS.items()),
]


def as_table(text):
    kind, _, given = text.rstrip(")").partition("(")
    return f'{{ kind = "{kind}"{given and ", " + given} }}'


@pytest.mark.parametrize(("activation", "loss"), PAIRS)
def test_a_file_prints_what_layer_sizes_print(activation, loss):
    sized = from_text("4-3-3", activation=activation, output_activation=activation, loss=loss)
    for form in (as_table, json.dumps):
        listed = harness.from_toml(
            f"loss = {form(loss)}\nlayers = [{{ kind = 'dense', inputs = 4, outputs = 3 }}, {form(activation)}, "
            f"'dense(inputs=3, outputs=3)', {form(activation)}]"
        )
        assert repr(listed) == repr(sized)
        assert describe(listed) == describe(sized)
        assert listed.loss.formula("O2", 3) == sized.loss.formula("O2", 3)


def test_a_run_of_a_file_is_the_run_of_the_same_network_in_python(file):
    path = file(EVERY_KEY)
    listed, python = (
        harness.run(network, against=["hand"], steps=2) for network in (str(path), harness.load_network(path))
    )
    assert render(listed, "table") == render(python, "table")
    assert listed.head.network == repr(harness.load_network(path))
    assert listed.steps == python.steps
    assert harness.run(path, against=["hand"], steps=1).head.network == listed.head.network


def test_a_file_is_trained_from_the_command_line(file):
    done = typed(file(EVERY_KEY), "--against", "torch")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(
        "4-3-1 leaky-relu(slope=1.0) then elu, layer 1 without bias · L = mean over samples of r^2/2"
    )
    assert "PASS  hand and torch agree up to rounding" in done.stdout
    assert harness.load_network(file(EVERY_KEY)).weights.keys() == {"W1", "W2", "b2"}


NUMBER = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
ACTIVATION = st.one_of(
    st.sampled_from([kind() for kind in ACTIVATIONS.values()]),
    st.builds(LeakyRelu, NUMBER), st.builds(Elu, POSITIVE), st.builds(ACTIVATIONS["softplus"], st.none() | NUMBER),
)  # fmt: skip
LOSS = st.one_of(
    st.sampled_from([kind() for kind in LOSSES.values()]),
    st.builds(Huber, POSITIVE), st.builds(LOSSES["binary-cross-entropy"], st.sampled_from([None, "torch"])),
)  # fmt: skip


@st.composite
def networks(draw):
    sizes = draw(st.lists(st.integers(1, 9), min_size=2, max_size=5))
    layers = []
    for inputs, outputs in pairwise(sizes):
        layers.append(Dense(inputs, outputs, bias=draw(st.booleans())))
        layers += draw(st.lists(ACTIVATION, max_size=1))
    loss = draw(LOSS | st.builds(Scaled, LOSS, POSITIVE))
    penalised = st.builds(Penalised, st.just(loss), POSITIVE, POSITIVE | st.just(0.0), *[st.booleans()] * 3)
    return Network(layers, draw(st.just(loss) | penalised))


@settings(deadline=None, max_examples=200)
@given(networks())
def test_a_network_written_as_toml_is_read_back_the_same(network):
    assert repr(harness.from_toml(harness.to_toml(network))) == repr(network)


def test_every_kind_of_layer_and_loss_has_a_name_and_is_written():
    needed = {"dense": [4, 3]}
    for kind, make in KINDS["layer"].items():
        part = make(*needed.get(kind, []))
        layers = [part] if kind == "dense" else [Dense(4, 3), part]
        assert f'kind = "{kind}"' in harness.to_toml(Network(layers, SumSquaredError()))
    for kind in LOSSES:
        assert f'"{kind}"' in harness.to_toml(Network([Dense(4, 3)], LOSSES[kind]()))


ONE_LOSS = {
    "text": 'loss = "sum-squared-error(by=0.5, l2=0.01, half=True)"\n',
    "table": 'loss = {kind = "sum-squared-error", by = 0.5, l2 = 0.01, half = true}\n',
    "scaled": 'loss = {kind = "sum-squared-error", by = 0.5, l2 = 0.01, half = true}\n',
}


@pytest.mark.parametrize("written", ONE_LOSS.values(), ids=ONE_LOSS)
def test_a_loss_is_scaled_and_has_a_penalty_in_text_and_as_a_table(written):
    network = harness.from_toml(written + LAYERS)
    assert repr(network.loss) == "Penalised(loss=Scaled(loss=SumSquaredError(), by=0.5), l2=0.01, half=True)"
    assert 'loss = { kind = "sum-squared-error", by = 0.5, l2 = 0.01, half = true }' in harness.to_toml(network)


def test_a_penalty_is_given_beside_layer_sizes():
    network = harness.load_network("4-3-1", loss="huber(delta=2)", l2=0.01, l1=0.5)
    assert repr(network.loss) == "Penalised(loss=Huber(delta=2.0), l2=0.01, l1=0.5)"
    with pytest.raises(ValueError, match="l2 would have two values"):
        harness.load_network("4-3-1", loss="huber(l2=0.01)", l2=0.01)


def test_a_layer_of_ones_own_has_no_name_to_be_written_by():
    class Mine(Tanh):
        pass

    with pytest.raises(harness.UsageError, match=r"^Cannot write the layer Mine\(\) as TOML, because .*; use one of"):
        harness.to_toml(Network([Dense(2, 1), Mine()], SumSquaredError()))


HUGE = f"0x1{'0' * 5000}"
REFUSED = {
    "an unknown key": (FIRST + '{kind = "leaky-relu", slop = 1}]', " at layers[1].slop: ", "mean slope?"),
    "an unknown key in brackets": (FIRST + '"leaky-relu(slop=1)"]', " at layers[1].slop: ", "mean slope?"),
    "an unknown key at the top": ('lss = "huber"\n' + LAYERS, " at lss: ", "mean loss?"),
    "an unknown table": (HUBER + LAYERS + "[optimizer]\nlr = 1", " at optimizer: ", "choose one of layers, loss"),
    "an unknown key in a nested loss": (
        LAYERS + 'loss = {kind = "scaled", by = 2, loss = {kind = "huber", delt = 1}}', " at loss.loss.delt: ", "delta",
    ),
    "a key where none belongs": (FIRST + '{kind = "tanh", a = 1}]', " at layers[1].a, ", "leave it out"),
    "kind in brackets": (FIRST + '"elu(kind=1)"]', " at layers[1].kind: ", "choose one of alpha"),
    "an unknown kind": (FIRST + '{kind = "tahn"}]', " at layers[1].kind: ", "mean tanh?"),
    "an unknown text": (FIRST + '"tahn"]', " at layers[1]: ", "mean tanh?"),
    "an unknown loss": (LAYERS + 'loss = "hubr"', " at loss: ", "mean huber?"),
    "a loss as layer": (FIRST + '"huber"]', " at layers[1]: ", "choose one of dense, "),
    "no kind": (FIRST + '{knd = "tanh"}]', " at layers[1], ", "kind is missing"),
    "no parameter": (HUBER + 'layers = [{kind = "dense", inputs = 4}]', " at layers[0], ", "outputs is missing"),
    "no loss": (LAYERS, "net.toml, ", "loss is missing"),
    "no layers": (HUBER, "net.toml, ", "layers is missing"),
    "empty layers": (HUBER + "layers = []", "net.toml: ", "begin with Dense"),
    "an empty file": ("", "net.toml, ", "layers is missing"),
    "a number as kind": (FIRST + "{kind = 3}]", " at layers[1].kind, ", "expected str, got int"),
    "a number as layer": (FIRST + "3]", " at layers[1], ", "expected str | table, got int"),
    "a table as layers": (HUBER + '[layers]\nkind = "dense"', " at layers, ", "expected array, got table"),
    "a text as number": (FIRST + '{kind = "elu", alpha = "1"}]', " at layers[1].alpha, ", "expected float, got str"),
    "a text as optional number": (
        FIRST + '{kind = "softplus", threshold = "1"}]', " at layers[1].threshold, ", "expected float, got str",
    ),
    "a float as size": (HUBER + 'layers = ["dense(inputs=4.0, outputs=3)"]', " at layers[0].inputs, ", "got float"),
    "a bool as size": (HUBER + 'layers = ["dense(inputs=True, outputs=3)"]', " at layers[0].inputs, ", "got bool"),
    "a date as size": (
        HUBER + 'layers = [{kind = "dense", inputs = 1979-05-27, outputs = 1}]', " at layers[0].inputs, ", "got date",
    ),
    "a number as bool": (
        HUBER + 'layers = ["dense(inputs=4, outputs=3, bias=1)"]', " at layers[0].bias, ", "expected bool, got int",
    ),
    "a size of 0": (HUBER + 'layers = ["dense(inputs=0, outputs=3)"]', " at layers[0]: ", "inputs=0"),
    "an endless size": (
        HUBER + f'layers = [{{kind = "dense", inputs = 4, outputs = {HUGE}}}]', " at layers[0].outputs, ",
        "up to 1000000",
    ),
    "an endless number": (FIRST + f'{{kind = "elu", alpha = {HUGE}}}]', " at layers[1].alpha, ", "out of range"),
    "a number out of its range": (FIRST + '{kind = "elu", alpha = -1}]', " at layers[1]: ", "above 0"),
    "NaN": (FIRST + '{kind = "leaky-relu", slope = nan}]', " at layers[1]: ", "a finite number"),
    "an unknown choice": (
        LAYERS + 'loss = {kind = "binary-cross-entropy", clamp = "trch"}', " at loss: ", "one of None, 'torch'",
    ),
    "a penalty of nothing": (LAYERS + 'loss = {kind = "huber", l2 = 0}', " at loss: ", "give one above 0"),
    "a penalty of text": (LAYERS + 'loss = {kind = "huber", l2 = "0"}', " at loss.l2, ", "expected float, got str"),
    "a half of nothing": (LAYERS + 'loss = "huber(l1=1, half=True)"', " at loss: ", "leave half out"),
    "a penalty scaled": (
        LAYERS + 'loss = {kind = "scaled", by = 2, loss = "huber(l2=1)"}', " at loss: ", "a penalty is added to the",
    ),
    "a loss scaled twice": (
        LAYERS + 'loss = {kind = "scaled", by = 2, loss = {kind = "scaled", by = 3, loss = "huber"}}',
        " at loss: ", "scale Huber(delta=1.0) by the product",
    ),
    "sizes that do not fit": (FIRST + '"dense(inputs=2, outputs=1)"]', ": cannot connect layers[1], ", "inputs 3"),
    "an activation first": (HUBER + 'layers = ["tanh"]', "begins with layers[0], Tanh(), ", "begin with Dense"),
    "positions in brackets": (HUBER + 'layers = ["dense(4, 3)"]', " at layers[0]: ", "name(parameter=value, ...)"),
    "code in brackets": (FIRST + '"elu(alpha=print(1))"]', " at layers[1]: ", "brackets do not hold parameters"),
    "no value": (HUBER + "layers = [\n  {kind = }\n]", "not TOML: ", "line 3, column 11"),
    "a key twice": (HUBER + HUBER, "not TOML: ", "line 2"),
    "an open bracket": (HUBER + "layers = [", "not TOML: ", "end of document"),
    "a number of 5000 digits": (f"loss = {'9' * 5000}", "net.toml, ", "fewer digits"),
    "nested arrays": (f"loss = {'[' * 5000}", "net.toml, ", "nested too deeply"),
    "nested tables": (
        LAYERS + "".join(f'[loss{".loss" * k}]\nkind = "scaled"\nby = 2\n' for k in range(500)), "net.toml, ",
        "nested too deeply",
    ),
    "text in Latin-1": (b'loss = "h\xfcber"', "net.toml, ", "byte 9 is not text in UTF-8"),
    "text in UTF-16": (HUBER.encode("utf-16"), "net.toml, ", "not text in UTF-8"),
    "NUL": (b"\x00\x01", "not TOML: ", "line 1, column 1"),
    "a huge file": (b"#" * (LARGEST_FILE + 1), "net.toml, ", "more than 1,000,000 bytes"),
    "a hostile key": (HUBER + LAYERS + '"a\\n\\u001b[31mPASS" = 1', " at 'a\\n\\x1b[31mPASS': ", "layers, loss"),
    "a hostile kind": (FIRST + '"a\\n\\u001b[31mPASS"]', " at layers[1]: ", "'a\\n\\x1b[31mPASS'"),
    "hostile brackets": (FIRST + '"elu(\\n\\u001b[31mPASS)"]', " at layers[1]: ", "\\n\\x1b[31mPASS"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused_with_its_place(what, file):
    content, place, said = REFUSED[what]
    path = file(content)
    done = typed(path, "--against", "hand")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"harness run: Cannot read {path}")
    assert place in done.stderr
    assert said in done.stderr
    assert ", because " in done.stderr
    assert "; " in done.stderr
    assert done.stderr.endswith(".\n")
    assert done.stderr.count("\n") == 1
    with pytest.raises(harness.UsageError, match="Cannot read"):
        harness.run(str(path), against=["hand"], steps=1)


def test_a_byte_order_mark_and_other_line_ends_are_no_matter(file):
    content = b"\xef\xbb\xbf" + (HUBER + LAYERS + "").replace("\n", "\r\n").encode()
    assert repr(harness.load_network(file(content))) == "Network([Dense(4, 3)], Huber(delta=1.0))"


@pytest.mark.parametrize("name", ["missing.toml", "directory.toml", "file.toml/net.toml", "a\0b.toml"])
def test_a_file_that_cannot_be_read_is_said(name, tmp_path):
    (tmp_path / "directory.toml").mkdir()
    (tmp_path / "file.toml").write_text("")
    with pytest.raises(harness.UsageError, match=r"(?s)^Cannot read .*, because .*; give a TOML file "):
        harness.load_network(tmp_path / name)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="has no endless file")  # noqa: PTH110
def test_an_endless_file_is_not_read_to_its_end(tmp_path):
    (tmp_path / "net.toml").symlink_to("/dev/zero")
    with pytest.raises(harness.UsageError, match="it is no ordinary file"):
        harness.load_network(tmp_path / "net.toml")
    (tmp_path / "long.toml").write_text("#" * 1_000_001)
    with pytest.raises(harness.UsageError, match="more than 1,000,000 bytes"):
        harness.load_network(tmp_path / "long.toml")


@pytest.mark.parametrize("option", ["activation", "output-activation", "loss"])
def test_what_a_file_says_is_not_said_twice(option, file):
    path = file(EVERY_KEY)
    done = typed(path, f"--{option}", "tanh")
    assert done.exit_code == 2
    assert f"Cannot use {option.replace('-', '_')}='tanh' with {path}, because the file itself says" in done.stderr


def test_layer_sizes_are_still_layer_sizes():
    assert repr(harness.load_network("4-2", activation="tanh")) == repr(from_text("4-2", activation="tanh"))
    with pytest.raises(harness.UsageError, match=r"A file must end in \.toml"):
        harness.load_network("net.tml")
    with pytest.raises(harness.UsageError, match="4-3-2-1") as wrong:
        harness.load_network("4-3-")
    assert "toml" not in str(wrong.value)
