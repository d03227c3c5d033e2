"""Small chains for tests, and the names and sizes of the learner's."""

import numpy as np

import harness
from tests.helpers.deferred import Deferred

torch = Deferred("torch")

SMALL = {"rows": 16, "hidden": 20}
DTYPES = ["float32", "float64"]
NAMES = [
    "logprobs",
    "probs",
    "counts_sum_inv",
    "counts_sum",
    "counts",
    "norm_logits",
    "logit_maxes",
    "logits",
    "h",
    "W2",
    "b2",
    "hpreact",
    "bngain",
    "bnbias",
    "bnraw",
    "bnvar_inv",
    "bnvar",
    "bndiff2",
    "bndiff",
    "bnmeani",
    "hprebn",
    "embcat",
    "W1",
    "b1",
    "emb",
    "C",
]


def small(forward, backward, **options):
    """The check of a chain of x (5, 3) and w (3, 3)."""
    rng = np.random.default_rng(0)
    inputs = {"x": torch.tensor(rng.normal(size=(5, 3))), "w": torch.tensor(rng.normal(size=(3, 3)))}
    return harness.check_chain(forward, backward, inputs=inputs | options)
