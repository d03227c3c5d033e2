"""What is offered to make a program pass makes it pass; and a wrong program lists what is wrong."""

from functools import partial

import pytest

import harness
from tests.dialects import programs


def scaled(weights, x, y, by, shows=()):
    found = programs.in_rows(weights, x, y)
    return {
        name: by(len(x)) * found[name] if name != "loss" else found[name] for name in (*gradients_in(found), *shows)
    }


def gradients_in(found):
    return [name for name in found if name[:2] in ("dW", "db")]


FACTORS = {
    "1/N": (lambda n: 1 / n, '--loss "mean-squared-error(by=2.0)"'),
    "N": (lambda n: n, '--loss "sum-squared-error(by=N)"'),
    "1/(N + 1)": (lambda n: 1 / (n + 1), None),
}


@pytest.mark.parametrize("name", FACTORS)
def test_a_factor_of_the_gradients_alone_has_the_option_that_makes_it_pass_if_there_is_one(name):
    by, option = FACTORS[name]
    found = harness.check(partial(scaled, by=by), programs.MODEL, batch=16)
    assert (found.verdict, found.option) == ("FAIL", option), str(found)
    if option:
        meant = harness.load_network(programs.MODEL, loss=option.removeprefix("--loss ").strip('"'))
        assert harness.check(partial(scaled, by=by), meant, batch=16).verdict == "PASS"
    shown = harness.check(partial(scaled, by=by, shows=("loss",)), programs.MODEL, batch=16)
    assert (shown.verdict, shown.option) == ("FAIL", None)  # of the loss that is shown it is none


def test_what_is_not_summed_is_wrong_and_no_other_layout_is_offered():
    def unsummed(weights, x, y):
        found = programs.in_columns(weights, x, y)
        return {**found, "db1": found["dz1"], "db2": found["dz2"]}

    found = harness.check(unsummed, programs.MODEL, layout="columns", batch=9)
    assert (found.verdict, found.wrong) == ("FAIL", ["db2", "db1"])
    assert "it is not summed over the 9 samples" in found.reason
    assert not any(finding.kind in ("layout", "not trained") for finding in found.findings)
