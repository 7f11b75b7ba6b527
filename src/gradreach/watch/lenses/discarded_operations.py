"""Statements that make a new tensor by an operation that changes nothing, and throw it away."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from gradreach.record.look import Look
from gradreach.record.seen.loop import DiscardedOperation
from gradreach.watch.frames import is_library_file, line_of, variables_of
from gradreach.watch.graph import maker, mark
from gradreach.watch.lens import BackwardPass, Lens, WatchedStep
from gradreach.watch.models import modules_of
from gradreach.watch.module_hooks import is_transformed
from gradreach.watch.operation_listener import OperationListener
from gradreach.watch.script_codes import codes_of
from gradreach.watch.thrown_away import (
    RESHAPING,
    ThrownAway,
    Variables,
    instruction_at,
    thrown_away,
    tries_around,
)
from gradreach.watch.ways import has_run_before, runs_next, ways

MOST_SEEN = 64


@dataclass(frozen=True, slots=True)
class _Ran:
    """One run of such a statement in a forward pass; what it worked on is marked in the graph, unless it `is_free` of
    one and is read later."""

    told: DiscardedOperation
    is_free: bool


class DiscardedOperations(Lens):
    """Listens to the operations of forward passes in whose code such a statement stands; in the functions that call
    backward it asks their bytecode whether one must have run.

    A statement in a `try` of its own may be there to raise.
    """

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._listener: OperationListener | None = None
        self._root: nn.Module | None = None
        self._wanted: dict[type[nn.Module], frozenset[CodeType]] = {}
        self._ran: list[_Ran] = []
        self._mark = object()
        self._found: Sequence[DiscardedOperation] = ()

    def entering(self, module: nn.Module) -> None:
        """Listen from here on, where the code of a module within holds such a statement."""
        if self._root is not None or self.step.is_recording or len(self._ran) >= MOST_SEEN:
            return
        wanted: set[CodeType] = set()
        for _, each in modules_of(module):
            wanted |= self._in_class(type(each))
        if wanted:
            self._root = module
            codes, own_work = frozenset(wanted), self.step.own_work
            self._listener = OperationListener(codes, own_work, self._heard, is_in_shadow=self.step.is_shadow)
            self._listener.begin()

    def ended(self, module: nn.Module) -> None:
        """Listen no more."""
        if module is self._root:
            self._end()

    def before_backward(self, backward: BackwardPass) -> None:
        """Keep those on what goes to the loss, or is read later and has no graph; and look at the calling functions."""
        self._end()
        nodes = backward.graph.nodes
        keys = (key for node in nodes for key in node.metadata if isinstance(key, tuple))
        reaching = {key[1] for key in keys if key[0] is self._mark}
        found = [each.told for at, each in enumerate(self._ran) if each.is_free or at in reaching]
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if not is_library_file(frame.f_code.co_filename):
                found += _in_function(frame, backward)
            frame = frame.f_back
        self._found = tuple(dict.fromkeys(found))

    def look(self, look: Look) -> Look:
        """The look's `discarded_operations`."""
        return replace(look, discarded_operations=tuple(self._found))

    def _end(self) -> None:
        if self._listener is not None:
            self._listener.end()
        self._listener = self._root = None

    def _in_class(self, kind: type[nn.Module]) -> frozenset[CodeType]:
        if kind not in self._wanted:
            self._wanted[kind] = frozenset(code for code in codes_of(kind) if thrown_away(code))
        return self._wanted[kind]

    def _heard(self, frame: FrameType, place: int, given: Sequence[Tensor], made: Sequence[Tensor]) -> None:
        """An operation whose result is thrown away has run."""
        statement, code = thrown_away(frame.f_code)[place], frame.f_code
        if not torch.is_grad_enabled() or is_transformed() or len(self._ran) >= MOST_SEEN or tries_around(code, place):
            return
        variables = _variables(frame)
        subject, name = statement.subject(variables), statement.source(variables)
        sources = [variables(name)] if name else given
        if name and type(sources[0]) is not Parameter and not ways(code).is_read_after(place, name):
            return
        nodes = [node for each in sources if (node := maker(each)) is not None]
        for node in nodes:
            mark(node, (self._mark, len(self._ran)), True)
        fits = statement.operation in RESHAPING or any(y.shape == x.shape for y in made for x in (*sources, *given))
        line = line_of(code.co_filename, statement.number)
        told = DiscardedOperation(line, statement.text, statement.operation, subject, fits)
        self._ran.append(_Ran(told, is_free=bool(name) and not nodes))


def _in_function(frame: FrameType, backward: BackwardPass) -> Iterator[DiscardedOperation]:
    """The statements of a running function that must have run on a variable before backward, or must run after it."""
    code, statements = frame.f_code, thrown_away(frame.f_code)
    if not statements:
        return
    variables = _variables(frame)
    for statement in statements.values():
        at = instruction_at(code, frame.f_lasti)
        subject = statement.subject(variables)
        name = statement.source(variables)
        if not subject or tries_around(code, statement.offset) - tries_around(code, at):
            continue
        if code.co_name == "<module>" and not ways(code).repeats(statement.offset):  # shown by the notebook that it was
            continue
        idle = _idles(statement, code, at, name, variables(name), backward)
        if idle is not None:
            line = line_of(code.co_filename, statement.number)
            yield DiscardedOperation(line, statement.text, statement.operation, subject, is_idle=idle)


def _idles(
    statement: ThrownAway, code: CodeType, at: int, name: str, value: Tensor, backward: BackwardPass
) -> bool | None:
    """Whether nothing on the way to the loss need read what such a statement left as it was; None where the statement
    need not run on it, or nothing reads it later."""
    through, place = ways(code), statement.offset
    before = has_run_before(code, place, at, name)
    if not before and not runs_next(code, place, at, name):
        return None
    if type(value) is Parameter:
        return False
    if not through.is_read_after(place, name):
        return None
    if statement.operation == "detach":
        leads = maker(value) in backward.graph.nodes and not any(value is loss for loss in backward.losses)
        return False if before and leads and through.is_read_after(place, name, before=at) else None
    return not (before and through.is_read_after(place, name, before=at))


def _variables(frame: FrameType) -> Variables:
    """The variables of a frame by their names."""
    own, of_file = variables_of(frame), frame.f_globals

    def value(name: str) -> Any:
        return own[name] if name in own else of_file.get(name)

    return value
