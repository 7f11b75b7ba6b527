"""How figures, places and units read in a sentence; the same in the terminal and in HTML."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Mapping

from gradreach.record.schema import DepthLook, Finding, Guarded, Overhead, Run, TimeLook
from gradreach.rules.remedy import numbered

UNITS: dict[str, str] = {
    "factor": "per step",
    "factor_to_horizon": "per step",
    "bound_factor": "per step",
    "growth": "per step",
    "horizon": "steps",
    "lag": "steps",
    "chunk": "steps",
    "k1": "steps",
    "k2": "steps",
    "T": "steps",
    "seconds": "s",
}
"""Units of the figures in a finding's evidence; the rest are counts, norms and ratios, which have none."""

SHARES = ("share", "rate", "saturated", "dead", "bias", "ratio_clipped")
"""Endings of the names of figures that are shares of a whole."""

_LABELS = {
    "lambda": "λ",
    "lambda_": "λ",
    "gamma": "γ",
    "gamma_mean": "mean γ",
    "rho": "ρ",
    "bound_factor": "bound γλ",
    "update_size": "update ‖Δw‖/‖w‖",
    "far_reach": "reach at the farthest lag",
    "looks": "watched steps",
    "lags": "steps back",
    "positions": "errors",
    "rows": "values of each unit",
    "factor": "factor over all lags",
}
_ASCII = {
    "γλ": "gamma*lambda",
    "γ": "gamma",
    "λ": "lambda",
    "ρ": "rho",
    "δ": "delta",
    "σ": "sigma",
    "Σ": "sum",
    "Δ": "d",
    "∂": "d",
    "ℓ": "lag",
    "‖": "||",
    "×": "x",
    "·": "*",
    "−": "-",
    "–": "-",
    "—": "-",
    "…": "...",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "²": "^2",
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


def percent(share: int | float | None) -> str:
    """A share of a whole in percent, to two digits; what is above 0 never reads as 0 %."""
    if share is None or not math.isfinite(share):
        return "–"
    return f"{figure(100 * share, 3 if share >= 0.9995 or share < 0.1 else 2)} %"


def capital(sentence: str) -> str:
    """`sentence` with a capital at its start, unless that is a symbol: "r(ℓ) falls" and "c_t carries" stay."""
    return sentence if sentence[1:2] in ("(", "_", "^") else sentence[:1].upper() + sentence[1:]


def count(number: int, noun: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def evidence(key: str, value: str | int | float | bool | None) -> str:
    """One figure of a finding's evidence with its unit."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and key.endswith(SHARES):
        return percent(value)
    text = figure(value) if isinstance(value, float) else f"{value:,}"
    return f"{text} {UNITS[key]}" if key in UNITS else text


def label(key: str) -> str:
    """The name of a figure as words: `clip_rate` reads `clip rate`, `lambda_` reads `λ`."""
    return _LABELS.get(key, key.replace("_", " ").strip())


def told(where: Mapping[str, str | int | float]) -> dict[str, str | int | float]:
    """What of a place needs saying: no direction but reverse, no layer of a cell, which has only one."""
    layered = "kind" not in where or numbered(str(where["kind"]))
    silent = {"direction": where.get("direction") == "forward", "layer": not layered}
    return {key: value for key, value in where.items() if value != "" and not silent.get(key)}


def place(where: Mapping[str, str | int | float]) -> str:
    """Where a finding stands: "`rnn` layer 0, reverse, step 121"."""
    rest = told(where)
    module = rest.pop("module", None)
    head = f"`{module}`" if module not in (None, "") else ""
    layer = rest.pop("layer", None)
    if layer is not None:
        head = f"{head} layer {layer}".strip()
    bare = ("direction", "kind", "site", "phase")
    parts = [str(value) if key in bare else f"{label(key)} {value}" for key, value in rest.items()]
    return ", ".join([head, *parts] if head else parts)


def of_finding(finding: Finding) -> str:
    """Where a finding stands, or that it concerns the whole run."""
    return place(finding.where) or "the whole run"


def of_layer(seen: TimeLook) -> str:
    """The name of one direction of one recurrent layer: "rnn layer 0", "rnn layer 1 reverse", "cell"."""
    name = seen.module or seen.kind
    if numbered(seen.kind):
        name += f" layer {seen.layer}"
    return f"{name} reverse" if seen.direction == "reverse" else name


def of_module(seen: DepthLook) -> str:
    """The dotted path of a module; the root has none and goes by its kind."""
    return seen.module or seen.kind


def shortened(text: str, most: int) -> str:
    """`text` with its middle left out where it is longer than `most` characters; the end of a dotted path says most."""
    if len(text) <= most:
        return text
    head = (most - 1) // 3
    return f"{text[:head]}…{text[head + 1 - most :]}"


def of_overhead(overhead: Overhead) -> str:
    """What watching cost, beside what it was allowed to; with --every N nothing was said about cost."""
    spent = f"{percent(overhead.measured)} of the wall time"
    if overhead.closing >= 0.1:
        spent += f" and {overhead.closing:.1f} s at the end"
    if overhead.every is None:
        return f"{spent}, budget {percent(overhead.budget)}"
    return f"{spent}; {'every step' if overhead.every == 1 else f'one step in {overhead.every}'} watched, as asked"


def of_guarded(guarded: Guarded) -> str:
    """What the guard did to the training, in one sentence, and the last things it did."""
    if guarded.optimizers == 0:
        return "no optimizer's step was seen, so nothing was guarded"
    limit = guarded.threshold
    if limit is None:
        clipped = "no clipping of its own"
    else:
        share = percent(guarded.clipped / guarded.updates) if guarded.updates else "none"
        clipped = f"threshold {figure(limit)}, {share} of {count(guarded.updates, 'update')} clipped"
    counts = ", ".join(f"{what} {n} ×" for what, n in Counter(deed.what for deed in guarded.deeds).items())
    last = "; ".join(f"step {deed.step} {deed.what}: {deed.why}" for deed in guarded.deeds[-3:])
    return f"{clipped}; {f'{counts}; last: {last}' if counts else 'nothing else was needed'}"


def of_command(run: Run, most: int) -> str:
    """The script and its arguments, as many whole words as fit into `most` characters, the script in any case."""
    script, *rest = (local(word) for word in (run.script, *run.argv))
    kept = [shortened(script, most)]
    for word in rest:
        if len(" ".join([*kept, word])) > most - 2:
            return " ".join([*kept, "…"])
        kept.append(word)
    return " ".join(kept)


def local(text: str) -> str:
    """`text` with the paths in it that lie under the current folder relative to it."""
    try:
        here = os.getcwd()
    except FileNotFoundError:
        return text
    return re.sub(rf"(?<![\w./-]){re.escape(here)}/(?=\S)", "", text) if here != os.sep else text


def to_ascii(text: str) -> str:
    """`text` for a log that holds nothing but ASCII: the field's symbols spelt out, the rest a question mark."""
    for symbol, spelt in _ASCII.items():
        text = text.replace(symbol, spelt)
    return text.encode("ascii", "replace").decode()


def printable(text: str) -> str:
    """`text` without the control characters that could steer a terminal; newlines stay."""
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
