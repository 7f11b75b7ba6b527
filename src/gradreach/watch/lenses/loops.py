"""Recurrences that a script writes itself: a module called many times in one pass, its calls joined through the graph.

No stock layer tells the engine how such a step works, so δ_{t→k} is taken from the script's own autograd graph, before
the script's backward pass uses it up. These passes accumulate into no `.grad`.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.recurrence import TimeLook
from gradreach.watch.flat_units import flat_units
from gradreach.watch.graph import maker, mark, nearest
from gradreach.watch.graph_loops import loop_through, shape_of
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.lenses.recurrent_layers import RecurrentLayers
from gradreach.watch.models import modules_of, parameters_of
from gradreach.watch.samples.local_errors import LocalErrors
from gradreach.watch.state_gradients import Parts, State, StateGradients
from gradreach.watch.state_look import LoopPlace, look_at_states
from gradreach.watch.tensors import is_dense_and_real, tensors_of, unscaled
from gradreach.watch.topology import Output, Topology

FEWEST_CALLS = 3
MOST_CALLS = 50_000
MOST_STATES = 256
"""Of a longer loop the last states are looked at: each further one costs a pass over all before it."""

MOST_KEPT = 8
"""Entries of a list or dict in a module's attribute up to which it is taken for a state."""

_OF_TORCH = frozenset(vars(nn.Module()))
"""Attributes that every module has."""

MOST_OPERATIONS = 64
"""Operations between a call's output and the next call's input within which the one is seen to feed the other."""

_Refs = tuple["weakref.ref[Tensor]", ...]


@dataclass(frozen=True)
class _LoopCall:
    """One call of a module: what it was given and gave back, and the tensors of the graph that its attributes hold."""

    inputs: _Refs
    outputs: _Refs
    kept: _Refs


@dataclass(frozen=True)
class _Loop:
    """A module's calls as one sequence: the state tensors of each step, in the order of time."""

    module: nn.Module
    states: tuple[tuple[Tensor, ...], ...]


@dataclass(frozen=True)
class _LoopErrors:
    """States and local errors (B, T, H) at the last T of a loop's `steps`."""

    module: nn.Module
    states: Tensor
    errors: Tensor
    steps: int


class Loops(Lens):
    """Collects the calls of modules with parameters, by weak reference: no memory is held."""

    after = (RecurrentLayers,)

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._calls: dict[int, tuple[nn.Module, list[_LoopCall]]] = {}
        self._count = 0
        self._looks: list[TimeLook] = []
        self._errors: list[_LoopErrors] = []
        self._seen: set[int] = set()

    def called(self, call: ModuleCall) -> None:
        """Take in one call."""
        self._count += 1
        if self._count <= MOST_CALLS:
            module = call.module
            calls = self._calls.setdefault(id(module), (module, []))[1]
            for tensor in tensors_of(call.output):
                node = maker(tensor)
                if node is not None and is_dense_and_real(tensor):
                    mark(node, (self, id(module)), len(calls))
            inputs = _references(*call.args, *call.kwargs.values())
            calls.append(_LoopCall(inputs, _references(call.output), _references(*_attributes(module))))

    def before_backward(self, backward: BackwardPass) -> None:
        """Find the recurrences, and take their reach by extra passes over the script's graph, which stays as it was."""
        if not self.step.may_pass_again(backward):
            return
        if not (found := self._find(self.step.recurrent) if backward.graph.whole else []):
            return
        topology = Topology(backward.graph)
        for loop in found:
            self.step.recurrent.append(loop.module)
            states = loop.states[-MOST_STATES:]
            outputs = _without_constants([_outputs(topology, state) for state in states])
            if any(part is not None for state in outputs for part in state):
                self._measure(loop, StateGradients(topology, outputs), backward)

    def look(self, look: Look) -> Look:
        """What the loops add to the look's `time`."""
        return replace(look, time=(*look.time, *self._looks))

    def local_errors(self) -> Sequence[LocalErrors]:
        """The errors that reached the states of the last loop, where its data are sequences.

        The state of the last step may be known by no call that takes it: then the data have one step more.
        """
        if not self._errors:
            return ()
        found = self._errors[-1]
        B, T = len(found.states), found.steps
        aligned = (self.step.data.aligned(B, steps, batch_first=True) for steps in (T, T + 1) if steps != B)
        data = [x[:, :T] for each in aligned for x in each]
        if not data:
            return ()
        path = self.step.models.path(found.module)
        return [LocalErrors(path, data[0], found.errors, found.states, (data[0],))]

    def let_go(self) -> None:
        """Let go of the states and errors."""
        self._errors.clear()

    def _find(self, taken: Sequence[nn.Module]) -> list[_Loop]:
        """The recurrences among the calls, outermost module first; none inside a module of `taken` or of another."""
        repeated = [(module, calls) for module, calls in self._calls.values() if len(calls) >= FEWEST_CALLS]
        repeated = [(m, calls) for m, calls in repeated if next(parameters_of(m), None) is not None]
        covered = {id(part) for module in taken for _, part in modules_of(module)}
        found: list[_Loop] = []
        for states_of in (_handed_on, self._fed_back, _kept_in_attributes):
            for module, calls in sorted(repeated, key=lambda item: -sum(1 for _ in modules_of(item[0]))):
                if id(module) in covered or _same_tensors(found, calls):
                    continue
                if states_of is _kept_in_attributes and any(id(part) in covered for _, part in modules_of(module)):
                    continue
                states = states_of(module, calls)
                if len(states) >= FEWEST_CALLS:
                    found.append(_Loop(module, states))
                    covered |= {id(part) for _, part in modules_of(module)}
        return found

    def _measure(self, loop: _Loop, gradients: StateGradients, backward: BackwardPass) -> None:
        """The gradients at a loop's states. Where the calls show but a part of the state, as an LSTM's h without its c,
        the look is at the whole of it, as the graph has it."""
        adjoints = gradients.adjoints(backward.losses, backward.weights)
        if adjoints is None:
            return
        states = loop.states[-MOST_STATES:]
        self._errors += _stacked(loop, states, adjoints[1], self.step.scale)
        shapes = [tuple(tensor.shape) for tensor in states[0]]
        if not gradients.is_cut() and (whole := loop_through(gradients, backward.graph)) is not None:
            if whole.nodes & self._seen:
                return  # another part of the same step, which the loop calls as well
            self._seen |= whole.nodes
            shapes = [shape_of(gradients.topology, part) for part in whole.states[0] if part is not None]
            gradients = StateGradients(gradients.topology, whole.states[-MOST_STATES:])
            adjoints = gradients.adjoints(backward.losses, backward.weights) or adjoints
        place = LoopPlace(
            module=self.step.models.path(loop.module),
            kind=type(loop.module).__name__,
            steps=max(len(gradients.states), len(loop.states)),
            batch=prod(shapes[0][:-1]),
            hidden=sum(shape[-1] if shape else 1 for shape in shapes),
        )
        flat = flat_units(gradients.topology, gradients.states)
        self._looks.append(replace(look_at_states(place, gradients, *adjoints, self.step.scale), saturated=flat))
        self.step.recurs = True

    def _fed_back(self, module: nn.Module, calls: Sequence[_LoopCall]) -> tuple[tuple[Tensor, ...], ...]:
        """States that pass through other operations: inputs of each call that came from the call before."""
        states = []
        for index, call in enumerate(calls):
            fed = [
                t
                for t in _alive(call.inputs)
                if (node := maker(t)) is not None
                and index > 0
                and nearest(node, (self, id(module)), MOST_OPERATIONS) == index - 1
            ]
            if fed:
                states.append((fed[0],))
        return tuple(states) if len(states) >= len(calls) - 1 else ()


def _outputs(topology: Topology, state: Sequence[Tensor]) -> State:
    """A state's parts in the graph."""
    numbers = [topology.numbers.get(maker(tensor)) for tensor in state]
    return tuple(
        None if number is None else Output(number, tensor.output_nr)
        for number, tensor in zip(numbers, state, strict=True)
    )


def _without_constants(states: Sequence[State]) -> list[State]:
    """The states without what is handed on as it is from first to last, as what an encoder remembered."""
    constant = set(states[0]).intersection(*states[1:])
    return [tuple(None if part in constant else part for part in state) for state in states]


def _stacked(
    loop: _Loop, states: Sequence[Sequence[Tensor]], errors: Sequence[Parts], scale: float
) -> list[_LoopErrors]:
    """The errors of a loop side by side, where its states are (B, H) at every step."""
    if len({tuple(tensor.shape for tensor in state) for state in states}) > 1 or any(t.dim() != 2 for t in states[0]):
        return []
    h, e = (torch.stack([torch.cat(list(step), -1) for step in each], 1) for each in (states, _filled(states, errors)))
    joined = str(states[0][0].grad_fn).startswith("<CatBackward")  # what goes into step t, with x_t beside h_{t−1}
    steps = len(loop.states) + joined
    return [_LoopErrors(loop.module, h.detach(), unscaled(e, scale), steps)]


def _filled(states: Sequence[Sequence[Tensor]], errors: Sequence[Parts]) -> list[list[Tensor]]:
    return [
        [torch.zeros_like(s) if e is None else e for s, e in zip(state, error, strict=True)]
        for state, error in zip(states, errors, strict=True)
    ]


def _handed_on(_: nn.Module, calls: Sequence[_LoopCall]) -> tuple[tuple[Tensor, ...], ...]:
    """States handed on as they are: outputs of one call that are inputs of the next."""
    handed: set[int] = set()
    for earlier, later in pairwise(calls):
        entering = {id(tensor) for tensor in _alive(later.inputs)}
        now = {i for i, ref in enumerate(earlier.outputs) if (t := ref()) is not None and id(t) in entering}
        handed = handed & now if handed else now
        if not handed:
            return ()
    states = tuple(
        tuple(_alive([call.outputs[i] for i in sorted(handed)])) for call in calls if len(call.outputs) > max(handed)
    )
    return states if all(len(state) == len(handed) for state in states) else ()


def _kept_in_attributes(_: nn.Module, calls: Sequence[_LoopCall]) -> tuple[tuple[Tensor, ...], ...]:
    """States that a module keeps in its attributes from call to call, each of which comes from the one before."""
    states = tuple(tuple(_alive(call.kept)) for call in calls)
    if len({tuple(tensor.shape for tensor in state) for state in states}) != 1 or not states[0]:
        return ()
    if any(one is other for earlier, later in pairwise(states) for one in earlier for other in later):
        return ()  # a weight that was computed once
    for earlier, later in (states[:2], states[-2:]):
        joined = torch.autograd.grad(
            later, earlier, [torch.ones_like(t) for t in later], retain_graph=True, allow_unused=True
        )
        if all(each is None for each in joined):
            return ()
    return states


def _attributes(module: nn.Module) -> list[Any]:
    """The tensors that a module's attributes and buffers hold, alone or in a small container."""
    own = [value for name, value in vars(module).items() if name not in _OF_TORCH]
    values = [*own, *module._buffers.values()]
    return [v for v in values if isinstance(v, Tensor) or (isinstance(v, (list, tuple, dict)) and len(v) <= MOST_KEPT)]


def _same_tensors(found: Sequence[_Loop], calls: Sequence[_LoopCall]) -> bool:
    known = {id(tensor) for loop in found for state in loop.states for tensor in state}
    return any(id(tensor) in known for call in calls for tensor in _alive(call.inputs))


def _references(*values: Any) -> _Refs:
    return tuple(weakref.ref(t) for t in tensors_of(*values) if t.requires_grad and is_dense_and_real(t))


def _alive(references: Sequence[weakref.ref[Tensor]]) -> list[Tensor]:
    return [tensor for ref in references if (tensor := ref()) is not None]
