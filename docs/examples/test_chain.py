"""A test of the learner's chain, which finds two mistakes."""

from chain import backward, forward, inputs

import harness


def test_my_chain():
    harness.assert_chain_matches(forward, backward, inputs=inputs())
