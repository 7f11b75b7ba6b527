"""What a look tells of a recurrence whose gradients were taken from the script's own graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from gradreach.engine.look import kept_map
from gradreach.engine.reach_curve import curve, factor, horizon
from gradreach.engine.reach_map import table
from gradreach.record.seen.recurrence import TimeLook
from gradreach.watch.state_gradients import Parts, StateGradients

MOST_ANCHORS = 8


@dataclass(frozen=True, slots=True)
class LoopPlace:
    """What is known of a recurrence before its gradients are: its place, the steps of the whole loop, its sizes."""

    module: str
    kind: str
    steps: int
    batch: int
    hidden: int
    layer: int = 0


def look_at_states(
    place: LoopPlace, gradients: StateGradients, deltas: Sequence[Parts], errors: Sequence[Parts], scale: float
) -> TimeLook:
    """The reach of the last states of a recurrence, from the errors at up to MOST_ANCHORS of them."""

    def carried(t: int) -> list[float]:
        return [_size(each) / scale for each in gradients.carried(t, errors[t])]

    return look_from(
        place, [_size(delta) / scale for delta in deltas], [_size(error) / scale for error in errors], carried
    )


def look_from(
    place: LoopPlace, adjoint: Sequence[float], errors: Sequence[float], carried: Callable[[int], Sequence[float]]
) -> TimeLook:
    """A look from the sizes of δ_t and e_t, and of δ_{t→k} at the states before an anchor t, the nearest first."""
    carrying = [t for t, size in enumerate(errors) if size > 0.0]
    anchors = _spread(carrying, MOST_ANCHORS)
    rows = {t: [errors[t], *carried(t)] for t in anchors}
    reach = table(list(rows.values()), tuple(rows))
    r = curve(reach)
    map_rows, map_columns, cells = kept_map(reach, len(errors))
    sampled = "" if len(anchors) == len(carrying) else f"{len(anchors)} of the steps with a local error"
    if len(errors) < place.steps:
        sampled = f"the last {len(errors)} of {place.steps} steps"
    return TimeLook(
        module=place.module,
        kind=place.kind,
        layer=place.layer,
        direction="forward",
        T=len(errors),
        batch=place.batch,
        hidden=place.hidden,
        horizon=horizon(r),
        factor=factor(r),
        reach=r,
        lag_share=(),
        truncation_bias=(),
        adjoint=tuple(adjoint),
        local_error=tuple(errors),
        anchors=len(anchors),
        exact=True,
        sampled=sampled,
        log10_map=cells,
        map_rows=map_rows,
        map_columns=map_columns,
    )


def _size(parts: Parts) -> float:
    """Batch mean of the 2-norm over a state's last axis, all parts of the state together."""
    squares = [
        part.detach().abs().double().square().reshape(-1, part.shape[-1] if part.dim() else 1).sum(-1)
        for part in parts
        if part is not None
    ]
    if not squares:
        return 0.0
    rows = max(square.numel() for square in squares)
    whole = torch.stack([square if square.numel() == rows else square.sum().expand(rows) for square in squares])
    return float(whole.sum(0).sqrt().mean())


def _spread(values: Sequence[int], most: int) -> list[int]:
    if len(values) <= most:
        return list(values)
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]
