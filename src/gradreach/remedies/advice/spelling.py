"""How a script's own modules and parameters are spelt in Python."""

from __future__ import annotations

import math

from gradreach.record.kinds import gates, is_cell, keeping_gate, numbered

MOST = 10.0
"""A learning rate is changed by this factor at most at a time: what a larger one does cannot be foretold."""


def expression(path: str) -> str:
    """A dotted path as Python: `model.0.weight` reads `model[0].weight`."""
    head, *rest = path.split(".")
    return (head or "layer") + "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in rest)


def parameter(name: str, module: str, kind: str, layer: int | None, direction: str | None) -> str:
    """`name` (weight_hh, bias_hh …) of one layer and direction as the module itself calls it, in Python.

    It is empty for kinds of whose parameters nothing is known.
    """
    if is_cell(kind):
        return f"{expression(module)}.{name}"
    if not numbered(kind):
        return ""
    return f"{expression(module)}.{name}_l{layer or 0}{'_reverse' if direction == 'reverse' else ''}"


def opened(kind: str, bias: str, steps: int) -> str:
    """The gate that keeps the state, one of the blocks of `bias`, held open at the start for about so many steps.

    Odds of n leave n / (n + 1) of the state at a step, 1/e of it after n. Raises ValueError for a kind that has
    no such gate.
    """
    gate = keeping_gate(kind)
    if gate is None:
        raise ValueError(f"kind: expected one with a gate that keeps the state, got {kind}; ask `keeping_gate` first")
    block = f"{bias}.data.chunk({gates(kind)})[{gate.block}]"
    value = math.copysign(max(abs(gate.open_at), math.log(max(steps, 1) / gate.odds)), gate.open_at)
    return f"{block}.fill_({value:.2})  # the {gate.name} gate, before training"


def times(factor: float) -> str:
    """A factor of the learning rate, in digits, no larger than MOST."""
    return f"{min(factor, MOST):.2g}"
