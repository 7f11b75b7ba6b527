"""The script's own tracebacks, without the frames of what watches it."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

_OURS = tuple(str(Path(__file__).parents[1] / folder) + os.sep for folder in ("watch", "report"))
"""What runs between the script's own frames: the wrappings of torch's functions and of the output streams."""


def without_ours(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of ours, which stand between the script's own, and without runpy's."""
    first = last = None
    while trace is not None:
        following = trace.tb_next
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(_OURS) and file != "<frozen runpy>":
            if last is None:
                first = trace
            else:
                last.tb_next = trace
            last = trace
        trace = following
    if last is not None:
        last.tb_next = None
    return first
