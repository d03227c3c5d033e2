"""Networks by name on images: ten steps in lockstep within every bound, and a mistake of a person's located in them."""

import numpy as np
import pytest

import harness
from impls.hand import MaxPool2d
from impls.hand.named import named
from tests.helpers.evident import checked


# JAX compiles resnet-tiny for half a minute; what it is made of is tried with JAX in `test_lockstep`.
@pytest.mark.parametrize(("name", "against"), [("lenet", None), ("resnet-tiny:width=4", ["hand", "torch"])])
def test_a_network_of_images_trains_in_lockstep(name, against):
    run = harness.run(name, "digits", steps=10, batch=8, optimizer="momentum(lr=0.05)", against=against)
    assert (run.verdict, run.exit) == ("PASS", 0), run.reason
    assert {row.verdict for row in run.rows if row.check == "rounding"} == {"ok"}


def digits(network, rows):
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, 64)), rng.integers(0, 10, rows)


def padding_left_on(t, network):
    layer = next(each.layer for each in network.nodes if each.name == "c3")
    bare = type(layer)(layer.inputs, layer.outputs, layer.kernel)
    return bare.dx(t["c3.dz"], t["c3.W"], np.pad(t["s2.s"], ((0, 0), (0, 0), (2, 2), (2, 2))))[:, :, :4, :4]


MISTAKES = {
    "padding left on": ("lenet", "s2.ds", "padding forgotten", padding_left_on),
    "the way past a block forgotten": (
        "resnet-tiny", "relu.da", "part overwritten", lambda t, network: +t["relu.da:b1.first.conv.dx"],
    ),
    "statistics held constant": (
        "resnet-tiny", "b2.past.conv.dz", "statistics held constant",
        lambda t, network: t["b2.past.bn.dh"] * (
            t["b2.past.bn.g"] / np.sqrt(t["b2.past.conv.z"].var(axis=(0, 2, 3)) + 1e-5)
        )[:, None, None],
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_it_is_located_and_named_from_the_gradients_of_the_weights(mistake):
    name, at, cause, line = MISTAKES[mistake]
    network = named(name)
    planted = {at: lambda t: line(t, network)}
    check = checked(planted, network=network, data=digits(network, 8), only=network.gradients)
    assert check.wrong == [at]
    assert cause in {found.cause for found in check.diagnoses[0].causes}


def test_options_and_names_that_do_not_exist_are_told():
    assert any(isinstance(each.layer, MaxPool2d) for each in named("lenet:max_pool=true").nodes)
    for wrong, said in (("lenet:pool=max", "lenet:max_pool=false"), ("lennet", "did you mean lenet")):
        with pytest.raises(ValueError, match=said):
            named(wrong)
