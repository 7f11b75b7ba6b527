"""How numbers and strings read in a sentence, on a terminal, on a page and in a figure alike."""

from __future__ import annotations

import math
import os
import re
from itertools import accumulate

_ASCII = {
    "γλ": "gamma*lambda",
    "γ": "gamma",
    "λ": "lambda",
    "ρ": "rho",
    "π": "pi",
    "δ": "delta",
    "μ": "mu",
    "ε": "epsilon",
    "α": "alpha",
    "θ": "theta",
    "∇": "grad ",
    "\u0302": "^",
    "≪": "<<",
    "≫": ">>",
    "⟹": "=>",
    "σ": "sigma",
    "Σ": "sum",
    "Π": "prod",
    "β": "beta",
    "η": "eta",
    "Δ": "d",
    "∂": "d",
    "ℓ": "lag",
    "‖": "||",
    "×": "x",
    "·": "*",
    "÷": "/",
    "½": "1/2",
    "−": "-",
    "–": "-",
    "—": "-",
    "…": "...",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "∝": "~",
    "≈": "~",
    "←": "<-",
    "±": "+-",
    "√": "sqrt",
    "∞": "inf",
    "⊗": "(x)",
    "²": "^2",
    "ᵀ": "^T",
    "⁺": "+",
    "₀": "_0",
    "₁": "_1",
    "₂": "_2",
    "\u00a0": " ",
    "′": "'",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "✓": "+",
    "✗": "x",
    "│": "|",
    "─": "-",
}


def figure(value: int | float | None, digits: int = 3) -> str:
    """A figure to `digits` significant digits, without trailing zeros; a dash where there is none."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("inf" if value > 0 else "−inf")
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size >= 6 or size < -3:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"
    text = f"{value:.{max(digits - 1 - size, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: int | float | None, digits: int | None = None) -> str:
    """A share of a whole in percent, to `digits` digits, by default two, and three under 10 %.

    What is above 0 never reads as 0 %.
    """
    if share is None or not math.isfinite(share):
        return "–"
    return f"{figure(100 * share, digits or (3 if share >= 0.9995 or share < 0.1 else 2))} %"


def capital(sentence: str) -> str:
    """`sentence` with a capital at its start, unless that is a symbol: "r(ℓ) falls" and "c_t carries" stay."""
    return sentence if sentence[1:2] in ("(", "_", "^") else sentence[:1].upper() + sentence[1:]


def clauses(sentence: str, most: int) -> str:
    """As many whole clauses from the start of a sentence as fit into `most` characters; empty where not one does."""
    kept = list(accumulate(re.split(r"(?=[:;,] )", sentence)))
    return next((text for text in reversed(kept) if len(text) <= most), "")


def count(number: int, noun: str, many: str = "") -> str:
    """`1 step`, `2 steps`; `many` is the plural of a noun that takes no s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {many or f'{noun}s'}"


def shortened(name: str, most: int) -> str:
    """`name` with its middle left out where it is longer than `most` characters; the end of a dotted path says most.

    It is cut at a dot, slash or space where one is near. For names alone: of a sentence the end is `cut`.
    """
    if len(name) <= most:
        return name
    front, back = name[: (most - 1) // 3], name[(most - 1) // 3 + 1 - most :]
    part = re.search(r"[./ ]", back[: len(back) // 2])
    ends = [found.end() for found in re.finditer(r"[./ ]", front)]
    front = front[: ends[-1]] if ends and 2 * ends[-1] >= len(front) else front
    return f"{front}…{back[part.start() :] if part else back}"


def cut(sentence: str, most: int) -> str:
    """`sentence` with its end left out where it is longer than `most` characters, between two words and never in code.

    A first word that is longer than that stays whole.
    """
    if len(sentence) <= most:
        return sentence
    kept = ""
    for word in sentence.split(" "):
        if kept and len(kept) + len(word) + 3 > most:
            break
        kept = f"{kept} {word}" if kept else word
    if kept.count("`") % 2:
        kept = kept[: kept.rindex("`")].rstrip() or sentence
    return f"{kept.rstrip(' ,;:.')} …"


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def to_ascii(text: str) -> str:
    """`text` for a log that holds nothing but ASCII: the field's symbols spelt out, the rest a question mark."""
    for symbol, spelt in _ASCII.items():
        text = text.replace(symbol, spelt)
    return text.encode("ascii", "replace").decode()


def printable(text: str) -> str:
    """`text` without its colours, and with no control character that could steer a terminal; newlines and no-break
    spaces stay."""
    plain = _COLOURS.sub("", text)
    return "".join(char if char.isprintable() or char in "\n\u00a0" else "?" for char in plain)


def local(text: str) -> str:
    """`text` with the paths in it that lie under the current folder relative to it."""
    try:
        here = os.getcwd()
    except FileNotFoundError:
        return text
    return re.sub(rf"(?<![\w./-]){re.escape(here)}/(?=\S)", "", text) if here != os.sep else text


def safe(text: str, ascii_only: bool = False) -> str:
    """`text` fit to be shown: paths as seen from here, nothing that steers a terminal, in ASCII where that is asked."""
    text = printable(local(text))
    return to_ascii(text) if ascii_only else text
