"""The state's Jacobian of every step, one row at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gradreach.engine.cells.cell import pull
from gradreach.engine.scan import Unroll


@dataclass(frozen=True, slots=True)
class Jacobians:
    """J_t = ∂s_t/∂s_{t−1} for the steps t = 1 … `steps` of one row, s the carried state: h, or (h, c) for an LSTM.

    `at(t)` makes J_t in float64, (S, S). Under a shortcut over s steps the state is the delay line
    (h_t, h_{t−1}, … h_{t−s+1}) and its first `shown` entries are h_t; else `shown` is the whole state.
    """

    steps: int
    size: int
    shown: int
    at: Callable[[int], Float[Tensor, "S S"]]


def jacobians(run: Unroll, row: int = 0) -> Jacobians:
    """The Jacobians of one row of a run, in the recurrence's own order, without the steps at which it is not active."""
    active = run.active
    steps = list(range(run.x.shape[0])) if active is None else active[:, row].nonzero().flatten().tolist()
    P = run.h.shape[-1]
    S = P + (0 if run.c is None else run.c.shape[-1])
    skip = run.remedies.skip
    weights = run.weights.each(lambda w: w.double())
    eye = torch.eye(S, dtype=torch.float64, device=run.h.device)

    def cell(t: int) -> Tensor:
        at = run.slopes.each(lambda s: s[steps[t - 1], row].double().expand(S, *s.shape[2:]))
        dc = None if run.c is None else eye[:, P:]
        _, dh, dc = pull(run.cell, weights, at, eye[:, :P], dc)
        return dh if dc is None else torch.cat([dh, dc], dim=1)

    if skip == 0:
        return Jacobians(len(steps), S, S, cell)

    def delayed(t: int) -> Tensor:
        return _delay_line(cell(t), P, skip, 0.5 if t >= skip else 0.0)

    return Jacobians(len(steps), S + P * (skip - 1), P, delayed)


def _delay_line(J: Tensor, P: int, skip: int, share: float) -> Tensor:
    """The Jacobian of (h_t, …, h_{t−skip+1}, c_t), c_t where there is one, from that of the cell alone."""
    S, line = J.shape[0], P * skip
    whole = J.new_zeros(line + S - P, line + S - P)
    whole[P:line, : line - P] = torch.eye(line - P, dtype=J.dtype, device=J.device)
    whole[:P, :P] = (1 - share) * J[:P, :P]
    whole[:P, line - P : line] += share * torch.eye(P, dtype=J.dtype, device=J.device)
    whole[:P, line:] = (1 - share) * J[:P, P:]
    whole[line:, :P], whole[line:, line:] = J[P:, :P], J[P:, P:]
    return whole
