"""What the running frames tell: where the script called from, and what it calls its models."""

from __future__ import annotations

import sys
from types import FrameType

import torch
from torch import nn


def caller(frame: FrameType | None) -> FrameType | None:
    """The innermost frame that belongs to no library, or the innermost of all where there is none."""
    innermost = frame
    while frame is not None and _is_library(frame):
        frame = frame.f_back
    return frame or innermost


def place(frame: FrameType | None) -> str:
    """A frame as `file:line`."""
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "unknown"


def name_in_script(module: nn.Module, frame: FrameType | None) -> str:
    """What the script calls a module: a variable of the running frames, or an attribute of their objects.

    Falls back on the class's name in small letters.
    """
    while frame is not None:
        if not _is_library(frame):
            name = _held_by(module, frame.f_locals) or _held_by_attribute(module, frame.f_locals)
            if name:
                return name
        frame = frame.f_back
    main = sys.modules.get("__main__")
    return _held_by(module, vars(main) if main else {}) or type(module).__name__.lower()


def _is_library(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return "site-packages" in file or file.startswith((_TORCH, *_OURS, "<"))


def _held_by(module: nn.Module, variables: dict[str, object]) -> str:
    for name, value in variables.items():
        if name != "self" and name[:1] != "_" and (value is module or _compiled_from(value) is module):
            return name
    return ""


def _compiled_from(value: object) -> nn.Module | None:
    return value._modules.get("_orig_mod") if isinstance(value, nn.Module) else None


def _held_by_attribute(module: nn.Module, variables: dict[str, object]) -> str:
    for value in variables.values():
        inside = getattr(value, "__dict__", None)
        if isinstance(inside, dict) and not isinstance(value, type(sys)):
            owned = {**inside, **(inside["_modules"] if isinstance(value, nn.Module) else {})}
            name = _held_by(module, owned)
            if name:
                return name
    return ""


_TORCH = torch.__path__[0]
_OURS = (__file__.rpartition("/")[0] + "/", __file__.rpartition("/watch/")[0] + "/observing.py")
