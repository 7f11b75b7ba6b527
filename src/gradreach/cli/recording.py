"""The recording that a command names, read and judged by the project's settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradreach.cli.arguments import in_force
from gradreach.cli.output import UNREADABLE, complain, unknown_rule

if TYPE_CHECKING:
    from gradreach.report.report import Report


def load(folder: Path, ignore: Sequence[str] | None) -> Report | int:
    """The report of a recording, or the exit code where there is none to be had."""
    from gradreach.record.store import Unreadable, read
    from gradreach.report.report import Report
    from gradreach.rules.registry import RULES

    codes = [code.upper() for code in ignore or ()]
    for code in codes:
        if code not in RULES:
            return unknown_rule(code)
    settings = in_force()
    try:
        return Report.of(read(folder), [*settings.ignore, *codes], settings.thresholds)
    except Unreadable as error:
        complain(str(error))
        return UNREADABLE
