"""Whether the interpreter is new enough."""

from __future__ import annotations

import platform
import sys

from gradreach.doctor.check import Check, Diagnosis

PYTHON = (3, 11)


def python() -> Diagnosis:
    """The interpreter, and whether it is new enough."""
    text = f"{platform.python_version()}, {sys.executable}, {platform.system()} {platform.machine()}"
    if sys.version_info[:2] < PYTHON:
        return Diagnosis("error", text, f"gradreach needs Python {'.'.join(map(str, PYTHON))} or later")
    return Diagnosis("ok", text)


CHECK = Check("Python", 1, python)
