"""Hears of the operations of one forward pass that are thrown away where they stand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import CodeType, FrameType
from typing import Any, no_type_check

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.modules import module as torch_module
from torch.overrides import TorchFunctionMode

from gradreach.watch.own_work import OwnWork
from gradreach.watch.tensors import tensors_of
from gradreach.watch.thrown_away import instruction_at, thrown_away
from gradreach.watch.tracebacks import without_ours

_TORCH = torch.__path__[0]

Heard = Callable[[FrameType, int, Sequence[Tensor], Sequence[Tensor]], None]
"""The running frame, the place of the statement in its code, and the tensors that it was given and made."""


class OperationListener(TorchFunctionMode):
    """Calls `heard` for each statement of some code objects that throws a new tensor away, once it has run.

    It says nothing of what gives back, or changes in place, what it is given, nor of tensors of the script's own
    classes. What runs as own work it does not hear, but where it `is_in_shadow`, in a run of ours of the script's code.
    """

    def __init__(
        self, codes: frozenset[CodeType], own_work: OwnWork, heard: Heard, *, is_in_shadow: bool = False
    ) -> None:
        super().__init__()
        self._is_in_shadow = is_in_shadow
        self._codes, self._own_work, self._heard = codes, own_work, heard
        self._is_listening = False

    def begin(self) -> None:
        """Listen, until `end`."""
        self._is_listening = True
        torch.overrides._push_mode(self)

    def end(self) -> None:
        """Listen no more; what the script put on top of this stays where it is."""
        self._is_listening = False
        above = []
        while torch._C._len_torch_function_stack():
            top = torch.overrides._pop_mode()
            if top is self:
                break
            above.append(top)
        for mode in reversed(above):
            torch.overrides._push_mode(mode)

    @no_type_check  # a checker of types would put its own frame between this and the script's
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        statement = None
        if self._is_listening and (self._is_in_shadow or not self._own_work.is_running):
            with self._own_work:
                statement = self._statement(sys._getframe(1), func)
        if statement is None:
            return _call(func, args, kwargs)
        given = tensors_of(args, kwargs)
        before = [_version(each) for each in given]
        result = _call(func, args, kwargs)
        with self._own_work:
            made = tensors_of(result)
            plain = all(type(each) in (Tensor, Parameter) for each in (*given, *made))
            changed = before != [_version(each) for each in given]
            returned = any(one is other for one in made for other in given)
            if given and made and plain and not changed and not returned:
                self._heard(*statement, given, made)
        return result

    def _statement(self, frame: FrameType | None, func: Any) -> tuple[FrameType, int] | None:
        """The running frame whose statement this operation is, and its place there."""
        while frame is not None and frame.f_code.co_filename.startswith(_TORCH):
            if frame.f_code.co_filename == torch_module.__file__:
                return None
            frame = frame.f_back
        if frame is None or frame.f_code not in self._codes:
            return None
        place = instruction_at(frame.f_code, frame.f_lasti)
        found = thrown_away(frame.f_code).get(place)
        if found is None:
            return None
        is_sign = not found.operation.isidentifier()
        return (frame, place) if is_sign or getattr(func, "__name__", "") == found.operation else None


def _call(func: Any, args: Any, kwargs: Any) -> Any:
    try:
        return func(*args, **kwargs)
    except BaseException as error:
        error.__traceback__ = without_ours(error.__traceback__)
        raise


def _version(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version
