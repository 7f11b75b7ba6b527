"""How a script's own modules and parameters are spelt in Python."""

from __future__ import annotations

from gradreach.record.kinds import numbered


def expression(path: str) -> str:
    """A dotted path as Python: `model.0.weight` reads `model[0].weight`."""
    head, *rest = path.split(".")
    return (head or "layer") + "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in rest)


def parameter(name: str, module: str, kind: str, layer: int | None, direction: str | None) -> str:
    """`name` (weight_hh, bias_hh …) of one layer and direction as the module itself calls it, in Python.

    It is empty for kinds of whose parameters nothing is known.
    """
    if kind in ("RNNCell", "GRUCell", "LSTMCell"):
        return f"{expression(module)}.{name}"
    if not numbered(kind):
        return ""
    return f"{expression(module)}.{name}_l{layer or 0}{'_reverse' if direction == 'reverse' else ''}"


def gates(kind: str) -> int:
    """The number of gates whose weights share one matrix, block under block: 4 for an LSTM, 3 for a GRU, else 1."""
    return 4 if kind.upper().startswith("LSTM") else 3 if kind.upper().startswith("GRU") else 1


def opened(gate: str, bias: str, blocks: int) -> str:
    """The gate that keeps the state, which is the second of the `blocks` of `bias`, held open at the start."""
    return f"{bias}.data.chunk({blocks})[1].fill_(1.0)  # the {gate} gate, before training"
