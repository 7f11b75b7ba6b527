"""The end of a run that was asked to stop."""

from __future__ import annotations


class StopRun(SystemExit):
    """Ends the script after the asked number of backward passes."""
