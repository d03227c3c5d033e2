"""Formulas of paths as MathML, each factor tagged with the step of the path that it belongs to.

``∂O31/∂O2k`` becomes a fraction inside ``<mrow data-into="3">``, 3 being the level that the step leads into, so that
the page can show which column of a table is which factor of the formula.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape

from latex2mathml.converter import convert

from harness.usage import visible

RATIO = re.compile(r"∂([^/·()\s]+)/∂([^/·()\s]+)")
SHORT = re.compile(r"[A-Za-zα-ω][\d,]*[a-z]?'*|[Lw]")
"""A name of a chain: one letter, and indices, the last of which may be a letter that a sum runs over."""
TOKEN = re.compile(r"∂[^/·()\s]+/∂[^/·()\s]+|Σ_\S+|[·()+=]")


def mathml(terms: Sequence[str], left: str, levels: Mapping[str, int], *, joined: str, label: str) -> str:
    """``left = term joined term ...`` as one block of MathML.

    Args:
        terms: as `harness.explaining.symbols` writes them.
        left: a ratio, ``∂L/∂w``.
        levels: of each node's name, the level it stands on.
        joined: the sign between two terms.
        label: the formula in words, for who cannot see it.
    """
    parts = [_ratio(left, {}), _sign("=")]
    for position, term in enumerate(terms):
        parts += [_sign(joined)] if position else []
        parts += [_token(token, levels) for token in TOKEN.findall(term)]
    return f'<math display="block" aria-label="{escape(label)}">{"".join(parts)}</math>'


def symbol(name: str) -> str:
    """One variable, ``w_21^(1)``, ``b_1^(2)``, ``O21``, as inline MathML."""
    found = re.fullmatch(r"([wb])_([\d,]+)\^\((\d+)\)", name)
    if found is None and not SHORT.fullmatch(name):
        return f"<math>{_written(name)}</math>"
    return convert(f"{found[1]}_{{{found[2]}}}^{{({found[3]})}}" if found else _latex(name))


def _token(token: str, levels: Mapping[str, int]) -> str:
    if token.startswith("∂"):
        return _ratio(token, levels)
    if token.startswith("Σ"):
        return _bare(rf"\sum_{{{token[2:]}}}")
    return _sign(token)


def _ratio(text: str, levels: Mapping[str, int]) -> str:
    found = RATIO.fullmatch(text)
    if found is None:
        return ""
    of, by = found.groups()
    into = f' data-into="{levels[of]}"' if of in levels else ""
    if not (SHORT.fullmatch(of) and SHORT.fullmatch(by)):
        return f"<mrow{into}><mfrac>{_differential(of)}{_differential(by)}</mfrac></mrow>"
    fraction = rf"\frac{{\partial {_latex(of)}}}{{\partial {_latex(by)}}}"
    return f"<mrow{into}>{_bare(fraction)}</mrow>"


def _differential(node: str) -> str:
    return f"<mrow><mi>&#x02202;</mi>{_written(node)}</mrow>"


def _written(node: str) -> str:
    """A name of a graph as it is: somebody chose it, and it may hold anything."""
    return f'<mi mathvariant="normal">{escape(visible(node))}</mi>'


def _latex(node: str) -> str:
    """``O2k`` -> O_{2k}."""
    return f"{node[0]}_{{{node[1:]}}}" if len(node) > 1 else node


def _sign(text: str) -> str:
    shown = {"·": "&#x22C5;"}.get(text, text)
    return f'<mo stretchy="{"true" if text in "()" else "false"}">{shown}</mo>'


@cache
def _bare(latex: str) -> str:
    """The content of one formula, without the element around it."""
    return re.sub(r"^<math[^>]*>|</math>$", "", convert(latex))
