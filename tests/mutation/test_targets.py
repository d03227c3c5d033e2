"""Targets: which functions can be mutated, how they are named, and what is said where they cannot."""

import numpy as np
import pytest

from harness.mutation.mutants import mutants_of
from harness.mutation.targets import hand_rules, targeted
from harness.usage import UsageError


class Layer:
    def forward(self, z):
        return z

    def backward(self, da):
        return -da


@pytest.mark.parametrize(
    ("thing", "why"),
    [
        (len, "builtin_function_or_method"),
        (np.add, "ufunc"),
        (Layer, "name one of its methods, such as Layer.backward"),
        (lambda x: x + 1, "is a lambda"),
        (3, "of type int"),
    ],
    ids=["builtin", "ufunc", "class", "lambda", "number"],
)
def test_what_cannot_be_mutated_is_refused(thing, why):
    with pytest.raises(UsageError, match=f"Cannot plant mutants in .*{why}"):
        mutants_of(thing)


def test_a_function_without_a_source_is_refused():
    space = {}
    exec("def typed(x):\n    return x + 1\n", space)
    with pytest.raises(UsageError, match="its source cannot be read"):
        mutants_of(space["typed"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("backward", "it names no function; give module:function"),
        ("numpy.linalgg:norm", "there is no module numpy.linalgg"),
        ("impls.hand.layers.dense:Dense.dw", r"has no Dense.dw \(did you mean dW\?\)"),
        ("nowhere.py:backward", "the test does not import nowhere.py"),
    ],
)
def test_a_target_that_does_not_exist_is_refused(text, why):
    with pytest.raises(UsageError, match=why):
        targeted(text)


def test_a_target_is_found_by_module_or_file():
    from impls.hand.layers import dense

    assert targeted("impls.hand.layers.dense:Dense.dW") is dense.Dense.dW
    assert targeted(f"{dense.__file__}:Dense.dW") is dense.Dense.dW


def test_a_decorator_that_hides_its_function_is_told(monkeypatch):
    from impls.hand.layers import dense

    def hidden(function):
        def wrapper(*args):
            return function(*args)

        return wrapper

    monkeypatch.setattr(dense, "step", hidden(dense.Dense.dW), raising=False)
    with pytest.raises(UsageError, match=r"use functools\.wraps in the decorator"):
        targeted("impls.hand.layers.dense:step")


def test_the_hand_codes_rules_are_those_of_every_layer_and_loss_and_what_only_they_use():
    names = {name.rpartition(":")[2] for name in hand_rules()}
    assert {"Dense.dx", "Dense.dW", "Dense.db", "Sigmoid.dz", "sigmoid_vjp", "Scaled.da"} <= names
    assert not {"sigmoid", "softmax", "Sigmoid.forward"} & names  # the forward pass uses them too
