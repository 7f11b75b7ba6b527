"""Looks whose update is still to come: they are written when the weights have moved, or nothing is to be waited for."""

from __future__ import annotations

from dataclasses import replace

from gradreach.record.sinks.sink import Sink
from gradreach.watch.backward_sites import BackwardSites
from gradreach.watch.update import Update


class PendingLooks:
    """The looks that are not written yet, each with its update."""

    def __init__(self, sink: Sink, sites: BackwardSites) -> None:
        self._sink = sink
        self._sites = sites
        self._updates: list[Update] = []

    def __bool__(self) -> bool:
        return bool(self._updates)

    def add(self, update: Update) -> None:
        """Take in a look, with the weights as they stood at its end."""
        self._updates.append(update)

    def charge(self, step: int, seconds: float) -> None:
        """Say what the look at this step cost."""
        for update in self._updates:
            if update.look.step == step:
                update.look = replace(update.look, seconds=seconds)

    def settle(self, site: int | None) -> None:
        """Write the looks whose update is known by now, at a backward pass from `site` or, with None, at the run's end.

        Parameters that a step did not train are left out of its site's norm from here on.
        """
        settled = [update for update in self._updates if update.settled(site)]
        for update in settled:
            self._sink.write(update.look)
            if update.look.update is not None:
                self._sites.leave_out(update.look.site, update.idle)
        if settled:
            self._updates = [update for update in self._updates if update not in settled]
            self._sink.flush()
