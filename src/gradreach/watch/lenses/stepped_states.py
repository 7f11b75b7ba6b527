"""Recurrent modules that are called step by step, and whether each step begins from the same state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.recurrence import SteppedState
from gradreach.watch.lens import Lens, ModuleCall, WatchedStep
from gradreach.watch.tensors import is_dense_and_real, tensors_of

FEWEST_CALLS = 4
"""Calls of one pass from which they are the steps of a sequence: twins and triplets are called two or three times."""


@dataclass(slots=True)
class _StepByStep:
    """A module, its calls so far, the state that the last one was given, and how often that was the one before's."""

    module: nn.Module
    state: tuple[Tensor, ...]
    calls: int = 1
    same: int = 0


class SteppedStates(Lens):
    """Collects torch's cells, and its layers over one step, and whether their calls begin from the same state."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._stepped: dict[int, _StepByStep] = {}

    def called(self, call: ModuleCall) -> None:
        """Take in one call."""
        if not call.of_model or not _is_one_step(call):
            return
        given = tensors_of(_given(call, 1, "hx"))
        state = tuple(tensor.detach() for tensor in given if is_dense_and_real(tensor))
        seen = self._stepped.get(id(call.module))
        if seen is None:
            self._stepped[id(call.module)] = _StepByStep(call.module, state)
        else:
            seen.calls += 1
            if seen.same == seen.calls - 2:  # one that differed is enough
                seen.same += len(state) == len(given) and _are_equal(state, seen.state)
                seen.state = state

    def look(self, look: Look) -> Look:
        """The look's `stepped_states`."""
        found = tuple(
            SteppedState(
                self.step.models.path(seen.module),
                type(seen.module).__name__,
                seen.calls,
                seen.same,
                bool(seen.state),
            )
            for seen in self._stepped.values()
            if seen.calls >= FEWEST_CALLS
        )
        self._stepped.clear()
        return replace(look, stepped_states=found)


def _given(call: ModuleCall, place: int, name: str) -> Any:
    return call.args[place] if len(call.args) > place else call.kwargs.get(name)


def _is_one_step(call: ModuleCall) -> bool:
    if isinstance(call.module, nn.RNNCellBase):
        return True
    x = _given(call, 0, "input")
    if not isinstance(call.module, nn.RNNBase) or not isinstance(x, Tensor) or x.dim() != 3:
        return False
    return x.shape[1 if call.module.batch_first else 0] == 1


@torch.no_grad()
def _are_equal(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and a.device == b.device and (a.data_ptr() == b.data_ptr() or torch.equal(a, b))
        for a, b in zip(one, other, strict=True)
    )
