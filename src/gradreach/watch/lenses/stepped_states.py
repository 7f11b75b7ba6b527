"""Recurrent modules that are called step by step, and whether each step begins from the same state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.recurrence import SteppedState
from gradreach.watch.graph import maker, mark, nearest
from gradreach.watch.lens import Lens, ModuleCall, WatchedStep
from gradreach.watch.tensors import is_dense_and_real, tensors_of

FEWEST_CALLS = 4
"""Calls of one pass from which they are the steps of a sequence: twins and triplets are called two or three times."""

MOST_ANCESTORS = 256
"""So many operations back it is looked for whether what a cell is given was made of what it returned before."""

Place = int | str


@dataclass(slots=True)
class _StepByStep:
    """A module, its calls so far, the state that the last one was given, and how often that was the one before's.

    Of a cell of the script's own also the `place` of the state among the arguments, and the `others` of the last call.
    """

    module: nn.Module
    state: tuple[Tensor, ...]
    calls: int = 1
    same: int = 0
    place: Place | None = None
    others: tuple[Tensor, ...] = ()


class SteppedStates(Lens):
    """Collects cells, torch's and the script's own, and torch's layers over one step, and whether their calls begin
    from the same state."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._stepped: dict[int, _StepByStep] = {}

    def called(self, call: ModuleCall) -> None:
        """Take in one call."""
        if not call.of_model:
            return
        if not _is_one_step(call):
            self._called_own(call)
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

    def _called_own(self, call: ModuleCall) -> None:
        """Take in a call of what may be a cell of the script's own: it is known by its first call."""
        seen = self._stepped.get(id(call.module))
        if seen is None:
            place = _place_of_state(call)
            if place is None:
                return
            seen = self._stepped[id(call.module)] = _StepByStep(call.module, _state_at(call, place), place=place)
        else:
            seen.calls += 1
            state, others = _state_at(call, seen.place), _others(call, seen.place)
            if seen.same == seen.calls - 2 and not self._comes_from_before(call.module, others):
                seen.same += _are_equal(state, seen.state) and not _are_equal(others, seen.others)
        seen.others = tuple(each.detach() for each in _others(call, seen.place))
        for tensor in tensors_of(call.output):
            if (node := maker(tensor)) is not None:
                mark(node, (self, id(call.module)), True)

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
            if seen.calls >= FEWEST_CALLS and not self._wraps_another(seen)
        )
        self._stepped.clear()
        return replace(look, stepped_states=found)

    def _comes_from_before(self, module: nn.Module, tensors: tuple[Tensor, ...]) -> bool:
        """Whether any of these was made of what the module returned before."""
        nodes = (node for each in tensors if (node := maker(each)) is not None)
        return any(nearest(node, (self, id(module)), MOST_ANCESTORS) for node in nodes)

    def _wraps_another(self, seen: _StepByStep) -> bool:
        """Whether a cell of the script's own hands its steps to another that is told of."""
        return seen.place is not None and any(
            id(part) in self._stepped for part in seen.module.modules() if part is not seen.module
        )


def _arguments(call: ModuleCall) -> dict[Place, Any]:
    return dict((*enumerate(call.args), *call.kwargs.items()))


def _given(call: ModuleCall, place: int, name: str) -> Any:
    return call.args[place] if len(call.args) > place else call.kwargs.get(name)


def _is_one_step(call: ModuleCall) -> bool:
    if isinstance(call.module, nn.RNNCellBase):
        return True
    x = _given(call, 0, "input")
    if not isinstance(call.module, nn.RNNBase) or not isinstance(x, Tensor) or x.dim() != 3:
        return False
    return x.shape[1 if call.module.batch_first else 0] == 1


def _place_of_state(call: ModuleCall) -> Place | None:
    """Where a module of the script's own, with weights, is given a state: an argument beside another, which holds
    zeros alone or two tensors and more, and of which the call returns the like."""
    if type(call.module).__module__.startswith("torch.") or next(call.module.parameters(), None) is None:
        return None
    given = _arguments(call)
    if sum(bool(tensors_of(value)) for value in given.values()) < 2:
        return None
    returned = [_shapes(part) for part in _parts(call.output)]
    for place, value in given.items():
        state = tensors_of(value)
        if not state or not all(map(is_dense_and_real, state)) or _shapes(value) not in returned:
            continue
        if len(state) > 1 or not bool(state[0].detach().any()):
            return place
    return None


def _state_at(call: ModuleCall, place: Place | None) -> tuple[Tensor, ...]:
    state = tensors_of(*(value for at, value in _arguments(call).items() if at == place))
    return tuple(each.detach() for each in state if is_dense_and_real(each))


def _others(call: ModuleCall, place: Place | None) -> tuple[Tensor, ...]:
    """The tensors that a call is given beside its state."""
    return tuple(each for at, value in _arguments(call).items() if at != place for each in tensors_of(value))


def _parts(output: Any) -> Iterator[Any]:
    """What a call returns, whole and by its parts."""
    yield output
    if isinstance(output, tuple | list):
        yield from output


def _shapes(value: Any) -> list[torch.Size]:
    return [each.shape for each in tensors_of(value)]


@torch.no_grad()
def _are_equal(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and a.device == b.device and (a.data_ptr() == b.data_ptr() or torch.equal(a, b))
        for a, b in zip(one, other, strict=True)
    )
