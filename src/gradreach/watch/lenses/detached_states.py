"""Recurrent states that come back to the module that made them without their history, in one and the same step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.recurrence import DetachedState
from gradreach.watch.graph import maker, mark, nearest
from gradreach.watch.lens import Lens, ModuleCall, WatchedStep
from gradreach.watch.models import parameters_of
from gradreach.watch.tensors import is_dense_and_real, tensors_of

MOST_COMPARED = 16
"""Hand-overs of one module whose values are compared where the memory differs; of later ones the memory tells."""

MOST_OPERATIONS = 64
"""Operations between a call's output and the next call's input within which the one is seen to feed the other."""


@dataclass(slots=True)
class _Stepped:
    """A module that is called step by step: its last output without history, how often it came back, and how."""

    module: nn.Module
    calls: int = 0
    cut: int = 0
    joined: int = 0
    last: tuple[Tensor, ...] = ()


class DetachedStates(Lens):
    """Collects the modules that take one step a call: torch's cells, its layers over one step, and any module of one's
    own that takes an input and a state, each of two axes."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._stepped: dict[int, _Stepped] = {}

    def called(self, call: ModuleCall) -> None:
        """Take in one call."""
        given = [t for t in tensors_of(*call.args, *call.kwargs.values()) if is_dense_and_real(t)]
        if not call.of_model or not _is_one_step(call.module, given):
            return
        seen = self._stepped.setdefault(id(call.module), _Stepped(call.module))
        if seen.last:
            joined = any(maker(t) is not None and self._came_from(t, seen) for t in given)
            seen.joined += joined
            seen.cut += not joined and any(_is_value(t, seen) for t in given if not t.requires_grad)
        outputs = [t for t in tensors_of(call.output) if is_dense_and_real(t) and t.dim() >= 2 and maker(t) is not None]
        for tensor in outputs:
            mark(maker(tensor), (self, id(call.module)), seen.calls)
        seen.calls += 1
        seen.last = tuple(t.detach() for t in outputs)

    def look(self, look: Look) -> Look:
        """The look's `detached_states`: the modules whose state came back without its history at some hand-over."""
        found = tuple(
            DetachedState(
                self.step.models.path(seen.module), type(seen.module).__name__, seen.calls, seen.cut, seen.joined
            )
            for seen in self._stepped.values()
            if seen.cut
        )
        self._stepped.clear()
        return replace(look, detached_states=found)

    def _came_from(self, tensor: Tensor, seen: _Stepped) -> bool:
        """Whether a tensor was computed from what the call before put out."""
        number = nearest(maker(tensor), (self, id(seen.module)), MOST_OPERATIONS)
        return number is not None and number == seen.calls - 1


def _is_one_step(module: nn.Module, given: list[Tensor]) -> bool:
    if isinstance(module, nn.RNNCellBase):
        return True
    if isinstance(module, nn.RNNBase):
        return given[0].dim() == 3 and given[0].shape[1 if module.batch_first else 0] == 1 if given else False
    has_parameters = next(parameters_of(module), None) is not None
    return has_parameters and len(given) >= 2 and all(tensor.dim() == 2 for tensor in given)


@torch.no_grad()
def _is_value(tensor: Tensor, seen: _Stepped) -> bool:
    """Whether a tensor holds the very numbers that the call before put out."""
    for last in seen.last:
        if last.shape == tensor.shape and last.dtype == tensor.dtype and last.device == tensor.device:
            if last.data_ptr() == tensor.data_ptr():
                return True
            if seen.calls <= MOST_COMPARED and torch.equal(last, tensor):
                return True
    return False
