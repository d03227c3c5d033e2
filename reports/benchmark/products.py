"""The count of products: how many times the multiply-adds of a plain step a fully checked step has.

A plain step has those of three passes. A checked one has those of all its passes, in the working dtype and in float64,
and of the products on bounded numbers: of values, of magnitudes, of bounds. One in float64 counts as two in float32.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np

from harness.arithmetic.rules import dot_products
from harness.arithmetic.rules.dot_products import Product
from harness.candidates.implementation import Participant
from harness.lockstep.judging import judged
from harness.lockstep.session import Session


def counted(session: Session, number: int) -> float:
    """Take a step of a run and count."""
    total = 0.0
    made, differentiated = dot_products._of_products, Participant.differentiate
    network, rows = session.network, session.batches.size

    seen: dict[int, Any] = {}  # what is given a second time was known, and is not computed again

    def counting(product: Product, terms: int) -> Product:
        def one(a: Any, b: Any) -> Any:
            nonlocal total
            result = product(a, b)
            if id(result) not in seen:
                seen[id(result)] = result
                total += np.size(result) * terms * result.dtype.itemsize / 4
            return result

        return one

    def of_products(of_values: Product, product: Product, terms: int, x: Any, y: Any, **more: Any) -> Any:
        return made(counting(of_values, terms), counting(product, terms), terms, x, y, **more)

    def differentiate(self: Participant, point: Any, **more: Any) -> Any:
        nonlocal total
        total += network.multiply_adds(rows) * (2 if point.dtype == "float64" else 1)
        return differentiated(self, point, **more)

    with (
        patch.object(dot_products, "_of_products", of_products),
        patch.object(Participant, "differentiate", differentiate),
    ):
        judged(session.step(number))
    return total / (3 * network.multiply_adds(rows))
