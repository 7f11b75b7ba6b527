"""Looks whose update is still to come: they are written when the weights have moved, or nothing is to be waited for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from gradreach.record.look import Look
from gradreach.record.sinks.sink import Sink
from gradreach.watch.backward_sites import BackwardSites
from gradreach.watch.stepped import Stepped
from gradreach.watch.uncleared import Uncleared
from gradreach.watch.update import Update


@dataclass(slots=True)
class _Pending:
    """A look with what is still to be seen of it."""

    update: Update
    uncleared: Uncleared
    stepped: Stepped | None
    has_update: bool = False

    @property
    def is_whole(self) -> bool:
        return self.has_update and self.uncleared.is_over

    def told(self) -> Look:
        look = self.uncleared.told(self.update.look)
        return look if self.stepped is None else self.stepped.told(look)


class PendingLooks:
    """The looks that are not written yet, each with its update and its gradients. They are written in their order."""

    def __init__(self, sink: Sink, sites: BackwardSites) -> None:
        self._sink = sink
        self._sites = sites
        self._looks: list[_Pending] = []

    def __bool__(self) -> bool:
        return bool(self._looks)

    def add(self, update: Update, uncleared: Uncleared, stepped: Stepped | None) -> None:
        """Take in a look, with the weights and the gradients as they stood at its end; `stepped` hears of the steps
        that follow, where it may listen."""
        self._looks.append(_Pending(update, uncleared, stepped))

    def release(self) -> None:
        """Hear of no more steps: the run is over."""
        for each in self._looks:
            if each.stepped is not None:
                each.stepped.release()

    def charge(self, step: int, seconds: float) -> None:
        """Say what the look at this step cost."""
        for each in self._looks[-1:]:
            if each.update.look.step == step:
                each.update.look = replace(each.update.look, seconds=seconds)

    def rescaled(self) -> None:
        """The script clips the gradients as they stand, or divides them by a loss scale."""
        for each in self._looks:
            each.uncleared.is_rescaled = True

    def clips_by_value(self, threshold: float, parameters: Sequence[Tensor]) -> None:
        """The script is about to limit each element of these gradients."""
        for each in self._looks:
            if each.stepped is not None and not each.has_update:
                each.stepped.clips_by_value(threshold, parameters)

    def settle(self, site: int | None) -> None:
        """Write the looks of which all is known by now, at a backward pass from `site` or, with None, at the run's end.

        Parameters that a step did not train are left out of its site's norm from here on.
        """
        for each in self._looks:
            if not each.has_update and each.update.settled(site):
                each.has_update = True
                has_moved = each.update.look.update is not None
                if has_moved:
                    self._sites.leave_out(each.update.look.site, each.update.idle)
                if each.stepped is not None:
                    each.stepped.end(before_pass=site is not None, has_moved=has_moved)
            if not each.uncleared.is_over:
                each.uncleared.before_pass(site)
        written = 0
        while written < len(self._looks) and self._looks[written].is_whole:
            self._sink.write(self._looks[written].told())
            written += 1
        if written:
            del self._looks[:written]
            self._sink.flush()
