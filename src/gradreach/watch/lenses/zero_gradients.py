"""The parameters whose gradient was exactly 0, and the operation at which it became so.

Every step that is looked at asks for them. Where one was seen, the next look hooks into the operations of the graph:
the first on the way back that gets a gradient and passes nothing but zeros on is the place. A run without such a
parameter pays for one norm of each gradient.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.engine.norms import each_norm, to_host, values
from gradreach.record.look import Look
from gradreach.record.seen.zero_gradient import ZeroCause, ZeroGradient
from gradreach.watch.graph import Graph, Node, trainable
from gradreach.watch.graph import operation as name_of
from gradreach.watch.lens import BackwardPass, Lens, WatchedStep
from gradreach.watch.lenses.stopped_gradient import Stop, explained_later, operation_of
from gradreach.watch.module_spans import next_number
from gradreach.watch.tensors import is_dense_and_real, is_measurable

MOST_NODES = 20_000
"""Operations of a graph beyond which none is hooked into: a Python call each, in the script's own backward pass."""

_CLARITY: dict[ZeroCause, int] = {"derivative": 2, "unknown": 0}
"""Of several places that cut one parameter off, the one whose reason says most is told."""

MOST_BEFORE = 64
"""Operations that are gone through to find the module that a value came from."""


@dataclass(slots=True)
class _Operation:
    """One node of the graph without the node: nothing of the script's graph may outlive it here.

    `edges` are the places of the nodes that its gradient goes to, None where none is asked for. `leaf` is the parameter
    that it gathers a gradient for. `is_derivative` says that the node belongs to a derivative that the script takes
    itself, with `create_graph`. `got` says whether a gradient other than 0 arrived; `stops` why nothing else left by an
    edge.
    """

    number: int
    edges: tuple[int | None, ...]
    leaf: Tensor | None
    is_derivative: bool = False
    got: bool = False
    stops: dict[int, Stop] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a gradient became 0: why, in which module's forward, behind which one."""

    stop: Stop
    module: nn.Module | None = None
    behind: nn.Module | None = None


_NOT_FOUND = Stop("", "untraced")


class ZeroGradients(Lens):
    """Asks every gradient, and where the look before saw zeros, every operation."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._is_tracing = bool(step.carried.get(ZeroGradients)) and next_number() is not None
        self._operations: list[_Operation] = []
        self._handles: list[Any] = []

    def before_backward(self, backward: BackwardPass) -> None:
        """Hook into the operations, where the look before saw zeros."""
        graph = backward.graph
        derives = any("BackwardBackward" in name_of(node) for node in graph.nodes)
        if (self._is_tracing or derives) and graph.whole and len(graph.nodes) <= MOST_NODES:
            self._operations = _operations(graph)
            for node, operation in zip(graph.nodes, self._operations, strict=True):
                passes = self.step.own_work.hook(self._watcher(node, operation))
                self._handles.append(node.register_hook(passes))

    def look(self, look: Look) -> Look:
        """The look's `zero_gradient`."""
        for handle in self._handles:
            handle.remove()
        trained = [leaf for leaf in trainable(self.step.leaves) if leaf.requires_grad and is_dense_and_real(leaf)]
        zero = self._zero(trained)
        self.step.carried[ZeroGradients] = bool(zero)
        groups: dict[_Place, list[Tensor]] = {}
        for parameter, place in zip(zero, self._places(zero), strict=True):
            groups.setdefault(place, []).append(parameter)
        elements = sum(leaf.numel() for leaf in trained)
        for place, silenced in self._silent_terms(trained).items():
            told = {id(p) for other, cut in groups.items() if other.stop.why == "derivative" for p in cut}
            groups.setdefault(place, []).extend(p for p in silenced if id(p) not in told)
        found = tuple(self._found(place, cut, elements) for place, cut in groups.items())
        self._operations = []
        return replace(look, zero_gradient=found)

    def _watcher(self, node: Node, operation: _Operation) -> Callable[..., None]:
        """A hook that takes down what a node got and sent on; it holds nothing of the node's but what explains it."""
        may_read = not self.step.is_stored_elsewhere and operation.leaf is None
        explain = explained_later(node) if may_read else None

        @torch.no_grad()
        def passes(sent: Sequence[Tensor | None], got: Sequence[Tensor | None]) -> None:
            nonlocal explain
            if self.step.is_recording:  # a lens's own pass comes here too, before the script's
                size = max(map(_size, got), default=0.0)
                operation.got = operation.got or size != 0.0
                dtype = next((gradient.dtype for gradient in got if gradient is not None), None)
                for edge, gradient in enumerate(sent if size != 0.0 else ()):
                    if operation.edges[edge] is not None and _size(gradient) == 0.0:
                        operation.stops[edge] = (
                            Stop(name, "empty")
                            if gradient is not None and not gradient.numel()
                            else explain(edge, size, dtype)
                            if explain is not None
                            else Stop(name, "unknown")
                        )
                explain = None

        name = operation_of(name_of(node))
        return passes

    def _zero(self, trained: Sequence[Tensor]) -> list[Tensor]:
        """The parameters that this pass gave nothing but zeros; untraced, those that hold nothing else."""
        if (given := self.step.gradients) is not None:
            return [leaf for leaf in trained if (gradient := given.get(id(leaf))) is None or not _any(gradient)]
        if self._operations:
            reached = {id(each.leaf) for each in self._operations if each.leaf is not None and each.got}
            return [leaf for leaf in trained if id(leaf) not in reached]
        held = [g for g in trained if g.grad is not None and g.grad.numel() and is_measurable(g.grad)]
        norms = to_host(each_norm([leaf.grad for leaf in held if leaf.grad is not None]))
        return [leaf for leaf, norm in zip(held, norms, strict=True) if norm == 0.0 and not _any(leaf.grad)]

    def _places(self, zero: Sequence[Tensor]) -> Iterator[_Place]:
        """Of each such parameter the place that its gradient did not pass; where there are several, the clearest."""
        users = self._users()
        leaves = {id(each.leaf): place for place, each in enumerate(self._operations) if each.leaf is not None}
        for parameter in zero:
            stops = list(self._stops(leaves.get(id(parameter)), users))
            if not stops:
                yield _Place(_NOT_FOUND)
                continue
            counted = Counter((stop.why, stop.operation) for _, _, stop in stops)
            clearest = max(
                stops, key=lambda each: (_CLARITY.get(each[2].why, 1), counted[each[2].why, each[2].operation])
            )
            yield self._place(*clearest)

    def _users(self) -> dict[int, list[tuple[int, int]]]:
        """Of each operation those that send it their gradient, each with the number of the edge."""
        users: dict[int, list[tuple[int, int]]] = {}
        for place, operation in enumerate(self._operations):
            for edge, target in enumerate(operation.edges):
                if target is not None:
                    users.setdefault(target, []).append((place, edge))
        return users

    def _stops(self, leaf: int | None, users: dict[int, list[tuple[int, int]]]) -> Iterator[tuple[int, int, Stop]]:
        """Every operation that got a gradient and sent nothing towards this leaf, with its edge and its reason."""
        pending = [] if leaf is None else [leaf]
        seen = set(pending)
        for place in pending:  # grows while it is walked, towards the loss
            for user, edge in users.get(place, ()):
                operation = self._operations[user]
                if edge in operation.stops:
                    yield user, edge, operation.stops[edge]
                elif not operation.got and user not in seen:
                    seen.add(user)
                    pending.append(user)

    def _silent_terms(self, trained: Sequence[Tensor]) -> dict[_Place, list[Tensor]]:
        """Terms of the loss made of derivatives that give no parameter a gradient, though they lead to some."""
        if not any(operation.is_derivative for operation in self._operations):
            return {}
        users = self._users()
        wanted = {id(leaf) for leaf in trained}
        alive = [place for place, each in enumerate(self._operations) if each.got and id(each.leaf) in wanted]
        seen = set(alive)
        for place in alive:  # grows while it is walked, towards the loss
            for user, edge in users.get(place, ()):
                if user not in seen and self._operations[user].got and edge not in self._operations[user].stops:
                    seen.add(user)
                    alive.append(user)
        silent: dict[_Place, list[Tensor]] = {}
        for place, operation in enumerate(self._operations):
            if operation.got and place not in seen and any(user in seen for user, _ in users.get(place, ())):
                below = self._below(place)
                leads_to = [leaf for each in below if (leaf := self._operations[each].leaf) is not None]
                leads_to = [leaf for leaf in leads_to if id(leaf) in wanted]
                stops = (stop for each in below for stop in self._operations[each].stops.values())
                stop = next((stop for stop in stops if stop.why == "derivative"), None)
                if leads_to and stop is not None:
                    silent.setdefault(_Place(stop), []).extend(leads_to)
        return silent

    def _below(self, place: int) -> list[int]:
        """An operation and all that its gradient would go to, were it not 0."""
        found = [place]
        seen = {place}
        for each in found:
            for target in self._operations[each].edges:
                if target is not None and target not in seen:
                    seen.add(target)
                    found.append(target)
        return found

    def _place(self, place: int, edge: int, stop: Stop) -> _Place:
        operation = self._operations[place]
        if stop.why == "factor":
            others = (target for other, target in enumerate(operation.edges) if other != edge)
            stop = replace(stop, why="input" if self._is_leaf(operation.edges[edge]) else stop.why)
            if stop.why == "factor" and any(map(self._is_leaf, others)):
                stop = replace(stop, why="weights")
        behind = self._module_before(operation.edges[edge])
        module = self.step.spans.module_of(operation.number)
        return _Place(stop, module, None if behind is module else behind)

    def _is_leaf(self, place: int | None) -> bool:
        """Whether this is a parameter, as it is or only laid out differently."""
        for _ in range(4):
            if place is None:
                return False
            operation = self._operations[place]
            if operation.leaf is not None:
                return True
            if len(operation.edges) != 1:
                return False
            place = operation.edges[0]
        return False

    def _module_before(self, place: int | None) -> nn.Module | None:
        """The module without parts whose output an operation works on."""
        pending = [] if place is None else [place]
        for each in pending:
            operation = self._operations[each]
            module = self.step.spans.module_of(operation.number)
            if module is not None and not module._modules:
                return module
            if len(pending) < MOST_BEFORE:
                pending += [target for target in operation.edges if target is not None]
        return None

    def _found(self, place: _Place, parameters: Sequence[Tensor], of: int) -> ZeroGradient:
        models = self.step.models
        names = models.parameter_names()
        cut = {id(parameter) for parameter in parameters}
        bare = (f"a tensor of shape {tuple(p.shape)}" for p in parameters if id(p) not in names)
        return ZeroGradient(
            parameters=(*(name for number, name in names.items() if number in cut), *bare),
            elements=sum(p.numel() for p in parameters),
            of=of,
            operation=place.stop.operation,
            why=place.stop.why,
            share=place.stop.share,
            module="" if place.module is None else models.path(place.module),
            kind="" if place.module is None else type(place.module).__name__,
            behind="" if place.behind is None else models.path(place.behind),
        )


def _operations(graph: Graph) -> list[_Operation]:
    places = {node: place for place, node in enumerate(graph.nodes)}
    return [
        _Operation(
            node._sequence_nr(),
            tuple(None if parent is None else places[parent] for parent, _ in node.next_functions),
            getattr(node, "variable", None),
            "BackwardBackward" in name_of(node),
        )
        for node in graph.nodes
    ]


def _size(gradient: Tensor | None) -> float:
    """The largest size of a value; 0 where there is no gradient, infinite where one is not a number."""
    if gradient is None or not gradient.numel() or not is_measurable(gradient):
        return 0.0
    size = float(torch.linalg.vector_norm(values(gradient), torch.inf))
    return torch.inf if size != size else size


def _any(gradient: Tensor | None) -> bool:
    return gradient is not None and bool(values(gradient).any())
