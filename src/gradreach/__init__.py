"""How far does your gradient reach, how far does your data need it to, and what closes the difference?"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradreach import nn as nn
    from gradreach.observation.watch import Watch, diagnose, observe
    from gradreach.recurrence import theory
    from gradreach.recurrence.custom.step import Cell
    from gradreach.recurrence.feedforward import depth_spectrum
    from gradreach.recurrence.reach import reach
    from gradreach.recurrence.spectrum import spectrum
    from gradreach.remedies import init
    from gradreach.report.report import Report

__all__ = [
    "Cell",
    "Report",
    "Watch",
    "depth_spectrum",
    "diagnose",
    "init",
    "nn",
    "observe",
    "reach",
    "spectrum",
    "theory",
]

_HOMES = {
    "Cell": "gradreach.recurrence.custom.step",
    "Report": "gradreach.report.report",
    "Watch": "gradreach.observation.watch",
    "diagnose": "gradreach.observation.watch",
    "observe": "gradreach.observation.watch",
    "depth_spectrum": "gradreach.recurrence.feedforward",
    "reach": "gradreach.recurrence.reach",
    "spectrum": "gradreach.recurrence.spectrum",
}

_MODULES = {"init": "gradreach.remedies.init", "nn": "gradreach.nn", "theory": "gradreach.recurrence.theory"}


def __getattr__(name: str) -> Any:
    """Public names are imported where they are first used: torch is slow to import, and a reader needs none."""
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name not in _HOMES:
        raise AttributeError(f"module 'gradreach' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
