"""Whether the terminal shows the field's symbols."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

from gradreach.doctor.check import Check, Diagnosis


def terminal(environment: Mapping[str, str] = os.environ) -> Diagnosis:
    """Whether stdout shows the field's symbols, and whether it is a terminal."""
    encoding = sys.stdout.encoding or "unknown"
    at = f"{shutil.get_terminal_size().columns} columns" if sys.stdout.isatty() else "no terminal, so no colour"
    text = f"{encoding}, {at}{', NO_COLOR is set' if environment.get('NO_COLOR') else ''}"
    if not encoding.lower().startswith("utf"):
        return Diagnosis(
            "warning", f"{text}: symbols such as λ are spelt out", "set PYTHONIOENCODING=utf-8 to see them"
        )
    return Diagnosis("ok", text)


CHECK = Check("terminal", 11, terminal)
