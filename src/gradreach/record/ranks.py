"""One record of several ranks': what each of them holds a part of is put together by the number of the step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import hypot

from gradreach.record.schema import Record, Step


def whole(record: Record, record_of_rank: Callable[[int], Record | None]) -> Record:
    """The record with the global norm of each step of which every rank has measured its part; `record_of_rank` gives
    the others', None where there is none."""
    others = {rank: record_of_rank(rank) for rank in record.sharded_over if rank != record.run.rank}
    if not record.sharded_over:
        return record
    silent = sorted(rank for rank, other in others.items() if other is None or not other.sharded_over)
    if silent:
        ranks = ", ".join(map(str, silent))
        told = (
            f"The gradients are sharded over the ranks {', '.join(map(str, record.sharded_over))}, and of rank {ranks} "
            "there is no recording beside this one: no global norm could be put together."
        )
        return replace(record, notes=(*record.notes, told))
    parts = [_parts(other.steps) for other in others.values() if other is not None]
    return replace(record, steps=tuple(_with_norm(step, parts) for step in record.steps))


def _parts(steps: Iterable[Step]) -> dict[int, float]:
    return {step.step: step.part for step in steps if step.part is not None}


def _with_norm(step: Step, others: Iterable[dict[int, float]]) -> Step:
    parts = [step.part, *(parts.get(step.step) for parts in others)]
    known = [part for part in parts if part is not None]
    return replace(step, norm=hypot(*known)) if len(known) == len(parts) else step
