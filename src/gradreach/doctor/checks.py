"""All checks of `gradreach doctor`, in the order that they are made."""

from __future__ import annotations

from collections.abc import Callable

from gradreach.doctor import learning, system
from gradreach.doctor.check import Seen


def checks() -> dict[str, Callable[[], Seen]]:
    """Each check by its name; of those that need torch only the sentence on it where it is missing."""
    first = {"Python": system.python, "packages": system.packages, "extras": system.extras}
    last = {"disk": system.disk, "terminal": system.terminal, "settings": system.in_force}
    if not learning.is_there():
        return {**first, "torch": learning.without, **last}
    inside = {
        "torch": learning.torch,
        "devices": learning.devices,
        "hooks": learning.hooks,
        "compile": learning.compiling,
        "AMP": learning.mixed_precision,
        "distributed": learning.distributed,
    }
    return {**first, **inside, **last}
