"""The remedies that are built into the layers, as keyword arguments of every layer.

orthogonal: every gate's (H, H) block of W_hh is orthogonal, from the start and after every optimizer step, so that all
    its singular values stay 1. The weights are brought back to the nearest orthogonal matrix; the optimizer, its
    learning rate and its state are your own.
skip: a shortcut of the state over s steps, h_t = ½ (cell(x_t, h_{t−1}) + h_{t−s}), states counted from h_0 of the call;
    where there is no h_{t−s} the cell alone. An error s steps back passes one factor ½ instead of s Jacobians. The
    mean, not the sum, keeps h_t bounded as the cell bounds it.
clip_state_grad: at every step of the backward pass each row's adjoint δ_k (of h and c together) is scaled down to this
    2-norm where it is larger. Shapes only the gradient.
truncate: k2; every error is carried back over exactly k2 states and no further, while the state goes on. Costs k2
    products over all steps at once. Not together with clip_state_grad.
layer_norm: each gate's W_ih x_t and W_hh h_{t−1} are brought to mean 0 and variance 1 over the units and multiplied by
    the gains gain_ih, gain_hh, before the biases (Ba et al. 2016, equations 20 and 21, without the norm of c).
init: "orthogonal", "identity" or "chrono" (with t_max; see gradreach.remedies.init) in place of torch's own.
forget_bias: the start of the gate that keeps the state (LSTM f, GRU z).
keep_adjoint: after a backward pass `layer.adjoint` holds δ_k = ∂L/∂h_k, (layers · directions, T, B, P), of the latest
    call, in the data's time order and in the order of h_n; else None.
"""

from __future__ import annotations

import math
from typing import Literal, TypedDict

from gradreach.engine.cells.cell import StockCell
from gradreach.engine.scan import Remedies

Init = Literal["", "orthogonal", "identity", "chrono"]


class Options(TypedDict, total=False):
    """The remedies, as keyword arguments of every layer (see the module's own text)."""

    orthogonal: bool
    skip: int
    clip_state_grad: float | None
    truncate: int | None
    layer_norm: bool
    init: Init
    t_max: int | None
    forget_bias: float | None
    keep_adjoint: bool


def remedies_of(options: Options) -> Remedies:
    """What of the options alters the recurrence or its adjoint; ValueError where a number is out of range."""
    skip, clip, truncate = options.get("skip", 0), options.get("clip_state_grad"), options.get("truncate")
    if skip < 0:
        raise ValueError(f"skip: expected a number of steps, 0 for no shortcut, got {skip}")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip_state_grad: expected a 2-norm over 0, or None, got {clip}")
    if truncate is not None and truncate < 1:
        raise ValueError(f"truncate: expected k2 of at least 1 state, or None, got {truncate}")
    if clip is not None and truncate is not None:
        raise ValueError(
            f"clip_state_grad: expected None beside truncate, got {clip} and k2 = {truncate}: "
            "a truncated sweep has no δ_k that could be clipped; give one of them"
        )
    return Remedies(skip, math.inf if clip is None else clip, truncate)


def check_weights_options(cell: StockCell, options: Options, proj_size: int) -> None:
    """Raise ValueError where the options of the weights do not go together, or with the kind of cell."""
    init, t_max, forget_bias = options.get("init", ""), options.get("t_max"), options.get("forget_bias")
    if init not in ("", "orthogonal", "identity", "chrono"):
        raise ValueError(f"init: expected 'orthogonal', 'identity' or 'chrono', got {init!r}")
    if (init == "chrono") != (t_max is not None):
        raise ValueError(f"t_max: goes with init='chrono', got init={init!r}, t_max={t_max}; give both")
    if init == "chrono" and forget_bias is not None:
        raise ValueError(f"forget_bias: init='chrono' sets it already, got {forget_bias}; give one of them")
    if options.get("orthogonal") and proj_size > 0:
        raise ValueError(f"orthogonal: expected proj_size=0, got {proj_size}: W_hh is not square; drop one")
    if not cell.kind.hidden and (options.get("orthogonal") or init in ("orthogonal", "identity")):
        asked = "orthogonal" if options.get("orthogonal") else "init"
        raise ValueError(f"{asked}: expected a kind with a W_hh, got {cell.name}, which has none; leave it out")
