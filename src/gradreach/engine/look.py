"""All that is seen of a recurrent module's gradient through time on one watched step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from gradreach.engine.adjoint import LayerAdjoint, gradient_error
from gradreach.engine.bounds import bounds
from gradreach.engine.reach_curve import curve, factor, horizon
from gradreach.engine.reach_map import NEGLIGIBLE, ReachMap, choose_anchors, reach_map
from gradreach.engine.replay import Replay
from gradreach.engine.scan import Unroll
from gradreach.record.seen.recurrence import TimeLook

TOLERANCE = 1e-6
"""The relative difference of outputs up to which a replay is exact, or four roundings of the output's dtype if that is
more."""

MAP_COLUMNS = 44
"""The number of steps k at which a look keeps the reach map: the anchors themselves, and others evenly spaced."""


@torch.no_grad()
def look_at(
    module_path: str,
    replay: Replay,
    adjoints: Sequence[LayerAdjoint],
    *,
    max_anchors: int = 16,
    max_rows: int = 4,
    max_lag: int | None = None,
    output: Tensor | PackedSequence | None = None,
    gradients: Mapping[str, Tensor] | None = None,
    kind: str | None = None,
    batch: int | None = None,
) -> list[TimeLook]:
    """One TimeLook for every layer and direction.

    The reach map carries at most max(B, max_anchors · max_rows) states at a time: where fewer steps have a local
    error, more rows, and all of them under a loss on the last step. `output` is the module's own, against which the
    replay is checked, and `gradients` the script's parameter gradients by torch's names; both stay unchecked where
    None. `kind` names the module's class where it is not the cell's kind. The replay may hold some rows of a larger
    `batch`.
    """
    why = _differs(replay, output)
    off = None if gradients is None else gradient_error(adjoints, gradients)
    return [
        _look(module_path, n, replay, adjoint, (max_anchors, max_rows, max_lag), why, off, kind or replay.kind, batch)
        for n, adjoint in enumerate(adjoints)
    ]


@torch.no_grad()
def output_error(replay: Replay, output: Tensor | PackedSequence) -> float:
    """‖replayed − output‖ / ‖output‖, which is 0 where both are 0."""
    theirs = output.data.detach()
    ours = replay.output.data.detach()
    off, size = float((ours - theirs.to(ours)).norm()), float(theirs.double().norm())
    return off / size if size > 0 else off


def _differs(replay: Replay, output: Tensor | PackedSequence | None) -> str:
    if replay.why_inexact or output is None:
        return replay.why_inexact
    error = output_error(replay, output)
    if error <= max(TOLERANCE, 4 * torch.finfo(output.data.dtype).eps):
        return ""
    return f"the replayed output differs from the layer's by {error:.1e}"


def _look(
    path: str,
    n: int,
    replay: Replay,
    adjoint: LayerAdjoint,
    limits: tuple[int, int, int | None],
    why: str,
    off: float | None,
    kind: str,
    batch: int | None,
) -> TimeLook:
    run = replay.unrolls[n]
    T, B, _ = run.x.shape
    B = batch or B
    reach, sampled = _reach(run, adjoint, limits, adjoint.gradients.get("weight_hh" + replay.names[n]), B)
    r = curve(reach)
    limit = bounds(run)
    rows, columns, cells = kept_map(reach, T, reverse=run.reverse)
    return TimeLook(
        module=path,
        kind=kind,
        layer=n // replay.directions,
        direction="reverse" if run.reverse else "forward",
        T=T,
        batch=B,
        hidden=run.h.shape[-1],
        horizon=horizon(r),
        factor=factor(r),
        reach=r,
        lag_share=reach.lag_share,
        truncation_bias=reach.truncation_bias,
        adjoint=_sizes(run, adjoint.delta),
        local_error=_sizes(run, adjoint.local_error),
        anchors=len(reach.anchors),
        exact=not why,
        why_inexact=why,
        sampled=sampled,
        gradient_error=None if off is None or not math.isfinite(off) else off,
        gamma=limit.gamma,
        gamma_mean=limit.gamma_mean,
        lambda_=limit.lambda_,
        rho=limit.rho,
        bound_factor=limit.bound_factor,
        lyapunov=limit.lyapunov,
        saturated=limit.saturated,
        log10_map=cells,
        map_rows=rows,
        map_columns=columns,
        padded=_padded(run, adjoint),
    )


MapRows = tuple[tuple[float | None, ...], ...]


def kept_map(reach: ReachMap, T: int, *, reverse: bool = False) -> tuple[tuple[int, ...], tuple[int, ...], MapRows]:
    """What a look keeps of the reach map: steps t, steps k, and log10 R[t, k] to two decimals, None where it is 0."""
    rows = reach.anchors
    spare = max(MAP_COLUMNS - len(set(rows)), 0)
    even = range(T) if T <= MAP_COLUMNS else (round(j * (T - 1) / max(spare - 1, 1)) for j in range(spare))
    columns = tuple(sorted({*rows, *even}))
    by_lag = (reach.log2_norms * math.log10(2)).tolist()
    cells = tuple(
        tuple(_kept(norms, k - t if reverse else t - k) for k in columns) for t, norms in zip(rows, by_lag, strict=True)
    )
    return rows, columns, cells


def _kept(norms: Sequence[float], lag: int) -> float | None:
    return round(norms[lag], 2) if 0 <= lag < len(norms) and math.isfinite(norms[lag]) else None


def _reach(
    run: Unroll, adjoint: LayerAdjoint, limits: tuple[int, int, int | None], gradient: Tensor | None, batch: int
) -> tuple[ReachMap, str]:
    """The reach map within the limits, and what it leaves out."""
    max_anchors, max_rows, max_lag = limits
    B = run.x.shape[1]
    error, error_c = adjoint.local_error, adjoint.local_error_c
    joint = error if error_c is None else torch.cat([error, error_c], dim=-1)
    anchors, every = choose_anchors(joint, max_anchors)
    held = min(B, max(B, max_anchors * max_rows) // max(1, len(anchors)))
    rows = None if held == B else [round(i * (B - 1) / max(held - 1, 1)) for i in range(held)]
    total = gradient if every and rows is None and run.remedies.clip == math.inf else None
    reach = reach_map(
        run,
        error,
        anchors=anchors,
        rows=rows,
        max_lag=max_lag,
        local_error_c=error_c,
        total=total,
        floor=NEGLIGIBLE,
    )
    steps = "" if every else f"{len(anchors)} of the steps with a local error"
    sample = "" if held == batch else f"{held} of {batch} rows"
    return reach, ", ".join(each for each in (steps, sample) if each)


def _padded(run: Unroll, adjoint: LayerAdjoint) -> float | None:
    """The share of the steps that come after the last one with an error of their row; None where no row has one."""
    carries = adjoint.local_error.ne(0).any(-1)
    if adjoint.local_error_c is not None:
        carries = carries | adjoint.local_error_c.ne(0).any(-1)
    rows = carries.any(0)
    if not bool(rows.any()):
        return None
    T = len(carries)
    after = T - 1 - torch.arange(T, device=carries.device).unsqueeze(1).where(carries, -1).amax(0)
    lengths = torch.full_like(after, T) if run.active is None else run.in_data_order(run.active).sum(0).flatten()
    after = (after - (T - lengths)).clamp(min=0)
    return float(after[rows].sum() / lengths[rows].sum())


def _sizes(run: Unroll, each: Tensor) -> tuple[float, ...]:
    """The mean norm over the rows that are active at each step of the data, or nothing where one is not finite."""
    norms = torch.linalg.vector_norm(each, dim=-1, dtype=torch.float64)
    count: Tensor | int = max(run.x.shape[1], 1)
    active = run.active
    if active is not None:
        count = run.in_data_order(active).sum(1).clamp(min=1)
    sizes = (norms.sum(1) / count).tolist()
    return tuple(sizes) if all(map(math.isfinite, sizes)) else ()
