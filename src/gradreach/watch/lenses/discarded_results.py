"""Calls of modules whose results are thrown away, on what the loss is computed from."""

from __future__ import annotations

import sys
import weakref
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.loop import DiscardedResult
from gradreach.watch.frames import name_in_script
from gradreach.watch.graph import maker, mark
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.module_hooks import others_listen
from gradreach.watch.module_spans import next_number
from gradreach.watch.module_state import Part, has_hooks, state_of
from gradreach.watch.tensors import tensors_of
from gradreach.watch.unread_result import UnreadResult, unread_result

MOST_CALLS = 64


@dataclass(frozen=True, slots=True)
class _Entered:
    """A call that is under way: who throws its result away, the module's state before, the next operation's number."""

    unread: UnreadResult
    state: tuple[Part, ...]
    begin: int


@dataclass(frozen=True, slots=True)
class _Returned:
    """A call that is over, without holding anything of it: the operations from `begin` up to `end` were its own."""

    module: weakref.ref[nn.Module]
    unread: UnreadResult
    fits: bool
    begin: int
    end: int
    outputs: Sequence[weakref.ref[Tensor]]


class DiscardedResults(Lens):
    """Looks at each call whether the calling code reads its result, and in the graph whether anything else does.

    A call that leaves something behind in its module, that the script listens to by hooks, or part of which goes to the
    loss by another way, was made for that.
    """

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._under_way: list[tuple[nn.Module, _Entered | None]] = []
        self._returned: list[_Returned] = []
        self._mark = object()
        self._unused: Sequence[_Returned] = ()

    def entering(self, module: nn.Module) -> None:
        """Note what becomes of the result of this call."""
        unread = unread_result() if len(self._returned) < MOST_CALLS and not self.step.is_recording else None
        begin = next_number()
        if unread is None or begin is None or has_hooks(module) or others_listen():
            self._under_way.append((module, None))
        else:
            self._under_way.append((module, _Entered(unread, state_of(module), begin)))

    def called(self, call: ModuleCall) -> None:
        """Take in a call whose result nothing reads."""
        entered = None
        while self._under_way:  # others raised and never came back
            module, entered = self._under_way.pop()
            if module is call.module:
                break
        if entered is None or state_of(call.module) != entered.state:
            return
        given = [x for x in tensors_of(call.args, call.kwargs) if maker(x) is not None]
        made = [y for y in tensors_of(call.output) if maker(y) is not None and y.dim()]
        sources = {maker(x) for x in given}
        if not given or not made or any(maker(y) in sources for y in made):  # it was given back, or changed in place
            return
        for x in given:
            mark(maker(x), (self._mark, len(self._returned)), True)
        fits = any(y.shape == x.shape for y in made for x in given)
        refs = [] if entered.unread.name else [weakref.ref(y) for y in made]
        end = next_number() or 0
        self._returned.append(_Returned(weakref.ref(call.module), entered.unread, fits, entered.begin, end, refs))

    def before_backward(self, backward: BackwardPass) -> None:
        """Keep those from which nothing goes to the loss and nothing is kept, and whose input goes there."""
        if not self._returned or not backward.graph.whole:
            return
        nodes = backward.graph.nodes
        keys = (key for node in nodes for key in node.metadata if isinstance(key, tuple))
        reaching = {key[1] for key in keys if key[0] is self._mark}
        numbers = sorted(node._sequence_nr() for node in nodes)
        self._unused = [
            each
            for at, each in enumerate(self._returned)
            if at in reaching
            and bisect_left(numbers, each.begin) == bisect_left(numbers, each.end)
            and all(output() is None for output in each.outputs)
        ]

    def look(self, look: Look) -> Look:
        """The look's `discarded`."""
        found = ((module, each) for each in self._unused if (module := each.module()) is not None)
        told = (
            DiscardedResult(self._name(m), type(m).__name__, each.unread.line, each.unread.name, each.fits)
            for m, each in found
        )
        return replace(look, discarded=tuple(dict.fromkeys(told)))

    def _name(self, module: nn.Module) -> str:
        """The path of a module; of one that is part of no model what the script calls it."""
        path, kind = self.step.models.path(module), type(module).__name__
        return name_in_script(module, sys._getframe(1)) if path == kind else path
