"""What the running frames tell: where the script called from, and what it calls its models."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from functools import lru_cache
from types import CodeType, FrameType
from typing import TypeGuard

import torch
from torch import nn

_SEES_ALL = frozenset(("locals", "vars", "eval", "exec", "dir"))
"""Functions by which a variable may be read without its name."""


def caller(frame: FrameType | None) -> FrameType | None:
    """The innermost frame that belongs to no library, or the innermost of all where there is none."""
    innermost = frame
    while frame is not None and _is_library(frame):
        frame = frame.f_back
    return frame or innermost


def is_by_torch(frame: FrameType | None) -> bool:
    """Whether torch itself made the call that a frame belongs to, and no line of the script did so directly."""
    while frame is not None and _is_library(frame):
        if frame.f_code.co_filename.startswith(_TORCH):
            return True
        frame = frame.f_back
    return False


def variables_of(frame: FrameType) -> dict[str, object]:
    """The local variables of a running frame by their names, as they are now.

    Before Python 3.13 a function's frame keeps what it has told, and so keeps alive what the script lets go of: that is
    taken away again, but where the function may hold it itself.
    """
    told, code = dict(frame.f_locals), frame.f_code
    if sys.version_info < (3, 13) and code.co_flags & inspect.CO_OPTIMIZED and not reads_without_names(code):
        frame.f_locals.clear()
    return told


def reads_without_names(code: CodeType) -> bool:
    """Whether a function may read its variables all at once."""
    return bool(_SEES_ALL.intersection(code.co_names))


def place(frame: FrameType | None) -> str:
    """Where a frame stands, as `line_of` tells it."""
    return line_of(frame.f_code.co_filename, frame.f_lineno) if frame is not None else "unknown"


def line_of(file: str, number: int) -> str:
    """A line as `file:line`, that of a notebook's cell as `cell [7], line 4`."""
    cell = _cells().get(file)
    return f"{file}:{number}" if cell is None else f"cell [{cell}], line {number}"


def _cells() -> Mapping[str, int]:
    """The number of each cell that IPython ran, by the name of the file that it was compiled under."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    cells = getattr(getattr(shell, "compile", None), "_filename_map", None)
    return cells if isinstance(cells, Mapping) else {}


def name_in_script(module: nn.Module, frame: FrameType | None) -> str:
    """What the script calls a module: a variable of the running frames, or an attribute of their objects.

    Falls back on the class's name in small letters.
    """
    while frame is not None:
        if not _is_library(frame):
            variables = variables_of(frame)
            name = _held_by(module, variables) or _held_by_attribute(module, variables)
            if name:
                return name
        frame = frame.f_back
    main = sys.modules.get("__main__")
    return _held_by(module, vars(main) if main else {}) or type(module).__name__.lower()


@lru_cache(maxsize=4096)
def is_library_file(file: str) -> bool:
    """Whether a file is none of the script's own: a package's, torch's, the watch's, or no file at all."""
    is_no_file = file.startswith("<") and not file.startswith("<ipython-input")
    is_installed = "site-packages" in file and not file.startswith(_TRAINED)
    return is_no_file or is_installed or file.startswith((_TORCH, *_OURS))


def _is_library(frame: FrameType) -> bool:
    return is_library_file(frame.f_code.co_filename)


def _held_by(module: nn.Module, variables: dict[str, object]) -> str:
    for name, value in variables.items():
        if (
            type(name) is str
            and name != "self"
            and name[:1] != "_"
            and (value is module or _compiled_from(value) is module)
        ):
            return name
    return ""


def _compiled_from(value: object) -> nn.Module | None:
    return value._modules.get("_orig_mod") if _is_module(value) else None


def _is_module(value: object) -> TypeGuard[nn.Module]:
    """By the class itself: a stand-in that tells another class would be asked for it, and load what it stands for."""
    return issubclass(type(value), nn.Module)


def _attributes(value: object) -> dict[str, object]:
    """An object's own attributes, without a call of its class's methods."""
    try:
        inside = object.__getattribute__(value, "__dict__")
    except Exception:
        return {}
    return {**inside, **(value._modules if _is_module(value) else {})} if type(inside) is dict else {}


def _held_by_attribute(module: nn.Module, variables: dict[str, object]) -> str:
    for value in variables.values():
        name = "" if issubclass(type(value), type(sys)) else _held_by(module, _attributes(value))
        if name:
            return name
    return ""


_TORCH = torch.__path__[0]
_OURS = (__file__.rpartition("/")[0] + "/", __file__.rpartition("/watch/")[0] + "/observing.py")
_TRAINED = tuple(f"{__file__.rpartition('/watch/')[0]}/{folder}/" for folder in ("demo", "tasks"))
"""What trains among our own files is watched as a script is, wherever it is installed."""
