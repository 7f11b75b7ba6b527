"""How far does your gradient reach, how far does your data need it to, and what closes the difference?"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradreach import nn as nn
    from gradreach import tasks as tasks
    from gradreach.nn.swap import swap
    from gradreach.observation.watch import Watch, diagnose, observe
    from gradreach.recurrence import theory
    from gradreach.recurrence.custom.step import Cell
    from gradreach.recurrence.feedforward import depth_spectrum
    from gradreach.recurrence.reach import reach
    from gradreach.recurrence.spectrum import spectrum
    from gradreach.remedies import clip, init
    from gradreach.remedies.bptt import bptt
    from gradreach.remedies.clip import Clip
    from gradreach.remedies.guard import GaveUp, Guard
    from gradreach.remedies.omega import Omega
    from gradreach.remedies.orthogonal import orthogonal
    from gradreach.remedies.tbptt import tbptt
    from gradreach.remedies.truncation import truncation_bias
    from gradreach.report.report import Report
    from gradreach.score.dependency import dependency

__all__ = [
    "Cell",
    "Clip",
    "GaveUp",
    "Guard",
    "Omega",
    "Report",
    "Watch",
    "bptt",
    "clip",
    "dependency",
    "depth_spectrum",
    "diagnose",
    "init",
    "nn",
    "observe",
    "orthogonal",
    "reach",
    "spectrum",
    "swap",
    "tasks",
    "tbptt",
    "theory",
    "truncation_bias",
]

_HOMES = {
    "Cell": "gradreach.recurrence.custom.step",
    "Clip": "gradreach.remedies.clip",
    "GaveUp": "gradreach.remedies.guard",
    "Guard": "gradreach.remedies.guard",
    "Omega": "gradreach.remedies.omega",
    "Report": "gradreach.report.report",
    "Watch": "gradreach.observation.watch",
    "bptt": "gradreach.remedies.bptt",
    "dependency": "gradreach.score.dependency",
    "depth_spectrum": "gradreach.recurrence.feedforward",
    "diagnose": "gradreach.observation.watch",
    "observe": "gradreach.observation.watch",
    "orthogonal": "gradreach.remedies.orthogonal",
    "reach": "gradreach.recurrence.reach",
    "spectrum": "gradreach.recurrence.spectrum",
    "swap": "gradreach.nn.swap",
    "tbptt": "gradreach.remedies.tbptt",
    "truncation_bias": "gradreach.remedies.truncation",
}

_MODULES = {
    "clip": "gradreach.remedies.clip",
    "init": "gradreach.remedies.init",
    "nn": "gradreach.nn",
    "tasks": "gradreach.tasks",
    "theory": "gradreach.recurrence.theory",
}


def __getattr__(name: str) -> Any:
    """Public names are imported where they are first used: torch is slow to import, and a reader needs none."""
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name not in _HOMES:
        raise AttributeError(f"module 'gradreach' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
