"""Whether the code that calls a module reads what the call returns, as its bytecode tells."""

from __future__ import annotations

import dis
import sys
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FrameType

from torch.nn.modules import module as torch_module

from gradreach.watch.frames import is_library_file, place, reads_without_names

_WATCH = __file__.rpartition("/")[0] + "/"


@dataclass(frozen=True, slots=True)
class UnreadResult:
    """A line that calls a module and throws away what it returns; `name` is the variable that takes it, if one does."""

    line: str
    name: str = ""


def unread_result() -> UnreadResult | None:
    """From within a hook of a module's call: that the code which made the call reads nothing of its result, if so.

    None of a library's code, which nobody would change, and of what only further study of the code could tell.
    """
    frame = _caller(sys._getframe(1))
    if frame is None or is_library_file(frame.f_code.co_filename):
        return None
    name = _goes_to(frame.f_code, frame.f_lasti)
    return None if name is None else UnreadResult(place(frame), name)


def _caller(frame: FrameType | None) -> FrameType | None:
    """The frame that calls the module: the first behind that of the call itself which is not ours."""
    while frame is not None and frame.f_code.co_filename != torch_module.__file__:
        frame = frame.f_back
    while frame is not None and frame.f_code.co_filename.startswith((_WATCH, torch_module.__file__)):
        frame = frame.f_back
    return frame


@lru_cache(maxsize=4096)
def _goes_to(code: CodeType, at: int) -> str | None:
    """What becomes of the result of the call at this place: empty where it is thrown away at once, the name of a
    variable that is never read; None of any other."""
    after = [each for each in dis.get_instructions(code) if each.offset > at and each.opname != "EXTENDED_ARG"]
    if not after:
        return None
    if after[0].opname == "POP_TOP":
        return ""
    if not after[0].opname.startswith("STORE_FAST") or reads_without_names(code):
        return None
    name, *loaded = _names(after[0].argval)
    repeats = any(each.opname.startswith("JUMP_BACKWARD") for each in after)
    later = dis.get_instructions(code) if repeats else after[1:]
    read = {other for each in later if "LOAD" in each.opname for other in _names(each.argval)}
    return None if name.startswith("_") or name in read or name in loaded else name


def _names(argument: object) -> tuple[str, ...]:
    """The variables that an instruction is about."""
    return tuple(map(str, argument)) if isinstance(argument, tuple) else (str(argument),)
