"""The process that a recording comes from: whether it still goes on."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from gradreach.record.schema import Record, Run

CLOCK_SLACK = 60.0
"""Seconds by which a clock that was set meanwhile may make a process look younger than the run in it."""


def still_running(record: Record) -> bool | None:
    """Whether the process that records is still there; None where that cannot be told from here.

    It cannot for a run on another host, on Windows, or by a version that noted no process. A number that another
    process has taken over since is recognised on Linux alone, by that one's later start; a run in a container of the
    same host name, whose numbers are its own, may be taken for one that is gone.
    """
    run = record.run
    if record.outcome.how != "unknown":
        return False
    if not run.pid or run.host != platform.node() or os.name != "posix":
        return None
    try:
        os.kill(run.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is there, and another user's
    return not _is_over_or_another(run)


def _is_over_or_another(run: Run) -> bool:
    """Whether what has this number is a zombie, or began after the run (proc(5): fields 3 and 22 of stat)."""
    with suppress(OSError, ValueError, IndexError):
        after_name = Path(f"/proc/{run.pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        booted = next(
            int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime ")
        )
        began = booted + int(after_name[19]) / os.sysconf("SC_CLK_TCK")
        return after_name[0] in "ZX" or began > datetime.fromisoformat(run.started).timestamp() + CLOCK_SLACK
    return False
