"""Padding: steps at an end of the sequences that hold one value, more of them in one row than in another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from gradreach.record.look import Look
from gradreach.record.seen.data import Padding
from gradreach.record.seen.recurrence import TimeLook
from gradreach.watch.lens import Lens
from gradreach.watch.lenses.loops import Loops
from gradreach.watch.lenses.recurrent_layers import RecurrentLayers

FEWEST_STEPS = 8
FEWEST_ROWS = 4


class PaddedData(Lens):
    """Looks for padding in the data of each recurrence that was followed."""

    after = (RecurrentLayers, Loops)

    def look(self, look: Look) -> Look:
        """The look's `padding`."""
        layers = {seen.module: seen for seen in look.time}
        return replace(look, padding=tuple(found for seen in layers.values() for found in self._of(seen)))

    def _of(self, seen: TimeLook) -> Iterator[Padding]:
        if seen.T < FEWEST_STEPS or seen.batch < FEWEST_ROWS or seen.batch == seen.T:
            return
        for data in self.step.data.aligned(seen.batch, seen.T, batch_first=True):
            rows = data if data.dim() == 3 else data.unsqueeze(-1)
            end, start = _runs(rows), _runs(rows.flip(1))
            runs = end if end is not None else start
            if runs is not None:
                padded = runs[runs > 0].double()
                share = float(runs.double().mean()) / seen.T
                rows_padded = len(padded) / len(runs)
                yield Padding(seen.module, seen.T, end is not None, rows_padded, share, float(padded.median()))
                return


@torch.no_grad()
def _runs(x: Tensor) -> Tensor | None:
    """Of each row (T, f) how many of its last steps hold the value that rows end with most often.

    None where that value stands anywhere else in a row, or as often in every one: then it is no padding.
    """
    values, counts = torch.unique(x[:, -1], dim=0, return_counts=True)
    is_value = (x == values[counts.argmax()]).all(-1)
    runs: Tensor = is_value.flip(1).long().cumprod(1).sum(1)
    elsewhere = is_value.sum(1) != runs
    if bool(elsewhere.any()) or len(runs.unique()) < 2 or int(runs.max()) < 2:
        return None
    return runs
