"""Whether the model has skip connections: sums of a value and something computed from it."""

from __future__ import annotations

from dataclasses import replace

from gradreach.record.look import Look
from gradreach.watch.lens import BackwardPass, Lens, WatchedStep


class SkipConnections(Lens):
    """Reads the script's graph."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._found = False

    def before_backward(self, backward: BackwardPass) -> None:
        """Look for a residual sum."""
        self._found = backward.graph.has_skip_connections()

    def look(self, look: Look) -> Look:
        """The look's `skip_connections`."""
        return replace(look, skip_connections=self._found)
