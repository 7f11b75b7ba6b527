"""The code of a module's class that is the script's own, and of the script's functions that it may call."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from torch import nn

from gradreach.watch.frames import is_library_file

MOST_CODES = 2_000


def codes_of(kind: type[nn.Module]) -> frozenset[CodeType]:
    """The code of its methods, of the functions of their files, and of what stands within these."""
    found: set[CodeType] = set()
    files: dict[int, dict[str, Any]] = {}
    for each in kind.__mro__:
        for function in _functions(vars(each).values()):
            files[id(function.__globals__)] = function.__globals__
            found.update(_with_inner(function.__code__))
    for names in files.values():
        for function in _functions(list(names.values())):
            found.update(_with_inner(function.__code__))
            if len(found) > MOST_CODES:
                break
    return frozenset(found)


def _functions(values: Any) -> Iterator[FunctionType]:
    """The script's own functions among these values, without what decorates them."""
    for value in values:
        function = getattr(value, "__func__", value) if isinstance(value, (staticmethod, classmethod)) else value
        for _ in range(4):
            if not isinstance(function, FunctionType):
                break
            if not is_library_file(function.__code__.co_filename):
                yield function
            function = vars(function).get("__wrapped__")


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    """A code object, and those of the functions that are made in it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _with_inner(each)
