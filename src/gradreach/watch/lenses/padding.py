"""Padding: steps at an end of the sequences that hold one value, more of them in one row than in another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gradreach.record.look import Look
from gradreach.record.seen.data import Padding
from gradreach.record.seen.recurrence import TimeLook
from gradreach.watch.lens import Lens
from gradreach.watch.lenses.loops import Loops
from gradreach.watch.lenses.recurrent_layers import RecurrentLayers
from gradreach.watch.padding_runs import FEWEST_ROWS, FEWEST_STEPS, runs_at_end


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
            end, start = runs_at_end(rows), runs_at_end(rows.flip(1))
            runs = end if end is not None else start
            if runs is not None:
                padded = runs[runs > 0].double()
                share = float(runs.double().mean()) / seen.T
                rows_padded = len(padded) / len(runs)
                yield Padding(seen.module, seen.T, end is not None, rows_padded, share, float(padded.median()))
                return
