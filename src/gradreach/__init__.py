"""How far does your gradient reach, how far does your data need it to, and what closes the difference?"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradreach import tasks as tasks
    from gradreach.engine import theory
    from gradreach.engine.custom.step import Cell
    from gradreach.engine.depth import depth_spectrum
    from gradreach.engine.reach import reach
    from gradreach.engine.spectrum import spectrum
    from gradreach.observing import Watch, diagnose, observe
    from gradreach.remedies import init
    from gradreach.remedies import layers as nn
    from gradreach.remedies.clip import clip
    from gradreach.remedies.clip.clip import Clip
    from gradreach.remedies.guard.guard import GaveUp, Guard
    from gradreach.remedies.layers.swap import swap
    from gradreach.remedies.omega import Omega
    from gradreach.remedies.orthogonal import orthogonal
    from gradreach.remedies.tbptt.bptt import bptt
    from gradreach.remedies.tbptt.tbptt import tbptt
    from gradreach.remedies.tbptt.truncation_bias import truncation_bias
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
    "Cell": "gradreach.engine.custom.step",
    "Clip": "gradreach.remedies.clip.clip",
    "GaveUp": "gradreach.remedies.guard.guard",
    "Guard": "gradreach.remedies.guard.guard",
    "Omega": "gradreach.remedies.omega",
    "Report": "gradreach.report.report",
    "Watch": "gradreach.observing",
    "bptt": "gradreach.remedies.tbptt.bptt",
    "dependency": "gradreach.score.dependency",
    "depth_spectrum": "gradreach.engine.depth",
    "diagnose": "gradreach.observing",
    "observe": "gradreach.observing",
    "orthogonal": "gradreach.remedies.orthogonal",
    "reach": "gradreach.engine.reach",
    "spectrum": "gradreach.engine.spectrum",
    "swap": "gradreach.remedies.layers.swap",
    "tbptt": "gradreach.remedies.tbptt.tbptt",
    "truncation_bias": "gradreach.remedies.tbptt.truncation_bias",
}

_MODULES = {
    "clip": "gradreach.remedies.clip.clip",
    "init": "gradreach.remedies.init",
    "nn": "gradreach.remedies.layers",
    "tasks": "gradreach.tasks",
    "theory": "gradreach.engine.theory",
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
