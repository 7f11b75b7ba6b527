"""How a remedy names the script's own modules and parameters in code."""

from __future__ import annotations

from gradreach.record.schema import Record, Remedy
from gradreach.rules.course import root_of

STOCK = ("RNN_TANH", "RNN_RELU", "RNN", "GRU", "LSTM")
"""Kinds whose layers and directions are numbered: weight_hh_l0, weight_hh_l1_reverse."""

_GATES = {"LSTM": 4, "GRU": 3}


def numbered(kind: str) -> bool:
    """Whether a module of that kind numbers its layers; a cell, or a recurrence of one's own, has only one."""
    return kind.upper() in STOCK


def expression(path: str) -> str:
    """A dotted path as Python: `model.0.weight` reads `model[0].weight`."""
    head, *rest = path.split(".")
    return head + "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in rest)


def recurrent_parameter(name: str, module: str, kind: str, layer: int, direction: str) -> str:
    """`name` (weight_hh, bias_hh …) of one layer and direction as the module itself calls it, in Python.

    Empty for kinds of whose parameters nothing is known.
    """
    if kind.endswith("Cell") and kind.removesuffix("Cell") in STOCK:
        return f"{expression(module or 'layer')}.{name}"
    if not numbered(kind):
        return ""
    return f"{expression(module or 'layer')}.{name}_l{layer}{'_reverse' if direction == 'reverse' else ''}"


def gates(kind: str) -> int:
    """Gates that share one matrix, stacked by rows: 4 for an LSTM, 3 for a GRU, else 1."""
    return next((number for name, number in _GATES.items() if kind.upper().startswith(name)), 1)


def orthogonal(module: str, kind: str, layer: int, direction: str) -> Remedy:
    """Start W_hh orthogonal, each gate's own block where there are several."""
    weight = recurrent_parameter("weight_hh", module, kind, layer, direction)
    if not weight:
        do = f"nn.init.orthogonal_(W)  # W: the matrix of `{module or kind}` that multiplies the state"
    elif gates(kind) > 1:
        do = f"for W in {weight}.data.chunk({gates(kind)}): nn.init.orthogonal_(W)"
    else:
        do = f"nn.init.orthogonal_({weight})"
    return Remedy("orthogonal", do, "‖W_hh‖₂ = 1, W_hh alone neither shrinks nor stretches: only the slopes shrink")


def clip(record: Record, site: int, threshold: str, why: str) -> Remedy:
    """Clip the global norm of the model that a site's backward pass trains, where it is a single one."""
    roots = {root_of(record, seen.module) for look in record.looks if look.site == site for seen in look.depth}
    roots = roots or set(record.models)
    what, note = "parameters", "  # those that step() changes; between backward() and step()"
    if len(roots) == 1:
        what, note = f"{expression(next(iter(roots)) or 'model')}.parameters()", "  # between backward() and step()"
    return Remedy("clip", f"torch.nn.utils.clip_grad_norm_({what}, {threshold}){note}", why)
