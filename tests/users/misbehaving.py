"""Functions that are no correct backward pass for another reason than their formulas, or not for all data."""

import os
import signal
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np

spec = spec_from_file_location("right_of_users", Path(__file__).parent / "right.py")
right = module_from_spec(spec)
spec.loader.exec_module(right)

NAMES = ("dW1", "db1", "dW2", "db2", "dW3", "db3")
no_function = 3
kept, sums, buffer = {}, {}, np.zeros((3, 2))


def gradients(weights, x, y):
    all_of_it = right.backward(weights, x, y)
    return {name: all_of_it[name] for name in NAMES}


def returns_nothing(weights, x, y):
    gradients(weights, x, y)


def returns_a_list(weights, x, y):
    return list(gradients(weights, x, y).values())


def returns_an_empty_dictionary(weights, x, y):
    return {}


def names_of_another_network(weights, x, y):
    return {"dW7": weights["W1"], "gradient": weights["W2"]}


def sizes_of_another_network(weights, x, y):
    return gradients(weights, x, y) | {"dW1": np.zeros((7, 5)), "db1": np.zeros(5)}


def text(weights, x, y):
    return gradients(weights, x, y) | {"dW1": "large"}


def raises(weights, x, y):
    return {"dW1": x @ y}


def ends_the_program(weights, x, y):
    sys.exit(0)


def takes_other_arguments(a, b):
    return a, b


def one_nan(weights, x, y):
    found = gradients(weights, x, y)
    found["dW2"][1, 0] = np.nan
    return found


def bias_of_shape_1_k(weights, x, y):
    found = gradients(weights, x, y)
    found["db1"] = found["db1"][None, :]
    return found


def transposed(weights, x, y):
    found = gradients(weights, x, y)
    found["dW1"] = found["dW1"].T
    return found


def as_float32(weights, x, y):
    return {name: array.astype(np.float32) for name, array in gradients(weights, x, y).items()}


class Silent(Exception):
    def __str__(self):
        raise ValueError


def raises_silently(weights, x, y):
    raise Silent


def changes_x(weights, x, y):
    x -= 1
    return gradients(weights, x + 1, y)


def takes_weights_away(weights, x, y):
    found = gradients(weights, x, y)
    weights.clear()
    return found


class Unreadable(dict):
    def items(self):
        raise LookupError("not now")


def unreadable(weights, x, y):
    return Unreadable(gradients(weights, x, y))


def masked(weights, x, y):
    found = gradients(weights, x, y)
    found["dW1"] = np.ma.masked_less(found["dW1"], 0)
    return found


def as_lists(weights, x, y):
    return {name: array.tolist() for name, array in gradients(weights, x, y).items()}


async def asynchronous(weights, x, y):
    return gradients(weights, x, y)


def accumulates(weights, x, y):
    for name, gradient in gradients(weights, x, y).items():
        sums[name] = sums.get(name, 0) + gradient
    return dict(sums)


def stale(weights, x, y):
    if not kept:
        kept.update(gradients(weights, x, y))
    return kept


activations = {}


def kept_by_batch_size(weights, x, y):
    """Keeps the activations of the first call with so many rows."""
    a1, a2, a3 = activations.setdefault(len(x), [right.backward(weights, x, y)[name] for name in ("a1", "a2", "a3")])
    dz3 = 2 * (a3 - y) * a3 * (1 - a3)
    dz2 = dz3 @ weights["W3"].T * a2 * (1 - a2)
    dz1 = dz2 @ weights["W2"].T * a1 * (1 - a1)
    found = {"dW3": a2.T @ dz3, "dW2": a1.T @ dz2, "dW1": x.T @ dz1}
    return found | {"db3": dz3.sum(axis=0), "db2": dz2.sum(axis=0), "db1": dz1.sum(axis=0)}


def writes_to_its_first_answer(weights, x, y):
    found = gradients(weights, x, y)
    buffer[...] = found["dW2"] if not buffer.any() else found["dW2"] + 1e-3
    return found | {"dW2": buffer}


def batch_of_150_built_in(weights, x, y):
    return {name: array * (150 / len(x)) for name, array in gradients(weights, x, y).items()}


def contiguous_only(weights, x, y):
    width = weights["W1"].shape[1]
    flat = weights["W1"].base if weights["W1"].base is not None else weights["W1"]
    return gradients(weights | {"W1": flat.ravel()[: 4 * width].reshape(4, width)}, x, y)


def last_layer_only(weights, x, y):
    found = gradients(weights, x, y)
    return {name: found[name] for name in ("dW3", "db3")}


def prints(weights, x, y):
    print("a word on stdout")
    return gradients(weights, x, y)


def never_ends(weights, x, y):
    while True:
        time.sleep(0.01)


def swallows_everything(weights, x, y):
    while True:
        try:
            time.sleep(10)
        except BaseException:
            continue


def ends_the_process(weights, x, y):
    os._exit(0)


def kills_the_process(weights, x, y):
    os.kill(os.getpid(), signal.SIGKILL)


def writes_past_python(weights, x, y):
    os.write(1, b"{not JSON")
    return gradients(weights, x, y)


def cannot_be_interrupted(weights, x, y):
    sum(range(10**12))
