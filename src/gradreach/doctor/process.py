"""A check in a process of its own, which may hang or crash without harm to this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any


class Timeout(Exception):
    """The process had not ended within its limit."""


class NoAnswer(Exception):
    """The process ended without an answer; the message is the last line of what it said."""


def answer_of(module: str, limit: float) -> dict[str, Any]:
    """What `python -m module` prints as its last line of JSON within `limit` seconds.

    Raises Timeout past the limit, NoAnswer where no answer came.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-W", "ignore", "-m", module]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=limit, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise Timeout(f"no answer within {limit:g} s") from None
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise NoAnswer(said[-1])
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer
