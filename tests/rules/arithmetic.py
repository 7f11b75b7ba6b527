"""Works a formula out again: every relation between figures that stands in it, by decimal arithmetic."""

from __future__ import annotations

import re
from decimal import Context, Decimal, localcontext

_FIGURE = r"\d+(?:\.\d+)?(?:e-?\d+)?(?: %)?"
_GROUP = rf"(?:{_FIGURE}|\({_FIGURE}(?: [×·/−] {_FIGURE})*\))"
_SIDE = rf"{_GROUP}(?:(?: [×·/−] |\^){_GROUP})*"
_RELATION = re.compile(rf"(?<!\S)(?<![×·/−] )(?=({_SIDE}) ([=≤≥<>]) ({_SIDE}))")
_ROUNDING = Decimal("0.015")
"""Three digits are off by 1 in 200 at most; a few of them stand in one relation."""

_POWER = Decimal("0.07")
"""A power is shown to two digits, off by 1 in 20 at most, and its base so that the power is off by 2 %."""


def figures(formula: str) -> list[float]:
    """Every figure in it, shares as parts of 1."""
    return [float(value(each)) for each in re.findall(rf"(?<![\w.^]){_FIGURE}", formula)]


def relations(formula: str) -> list[str]:
    """Its relations between figures alone: "0.5^7 = 0.0078", "900 / 29 = 31", "31 ≥ 10"."""
    return [" ".join(found.groups()) for found in _RELATION.finditer(formula)]


def holds(relation: str) -> bool:
    """Whether both sides come to what is said, but for the rounding of what is shown."""
    found = _RELATION.match(relation)
    assert found is not None
    left, sign, right = value(found[1]), found[2], value(found[3])
    slack = (_POWER if "^" in relation else _ROUNDING) * max(abs(left), abs(right))
    return {
        "=": abs(left - right) <= slack,
        "≤": left <= right + slack,
        "<": left < right + slack,
        "≥": left >= right - slack,
        ">": left > right - slack,
    }[sign]


def value(side: str) -> Decimal:
    """What one side comes to."""
    with localcontext(Context(prec=30, Emin=-999999, Emax=999999)):
        text = re.sub(_FIGURE, lambda found: f"D('{found[0].removesuffix(' %')}'){_part(found[0])}", side)
        for symbol, operator in {"×": "*", "·": "*", "−": "-", "^": "**"}.items():
            text = text.replace(symbol, operator)
        return Decimal(eval(text, {"__builtins__": {}, "D": Decimal}))


def _part(figure: str) -> str:
    return "/D(100)" if figure.endswith("%") else ""
