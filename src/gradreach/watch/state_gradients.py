"""The gradients at the states of a recurrence, taken from the script's own graph before its backward pass uses it up.

What counts at a part of a state is what comes from later operations. Where one part of a state is computed from another
of the same step (an LSTM's h from its c), what comes back inside the step is left out: it is in the other part's share,
and would be counted twice. The passes accumulate into no `.grad`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from gradreach.watch.graph import maker
from gradreach.watch.topology import Output, Topology, Use

Parts = tuple[Tensor | None, ...]
"""A gradient for each part of a state, None where none arrives."""


State = tuple[Output | None, ...]
"""The parts of a state, None where the loss does not follow from one."""


class StateGradients:
    """Adjoints and local errors at `states` in the order of time, of which the loss follows from one at least."""

    def __init__(self, topology: Topology, states: Sequence[State]) -> None:
        self.topology = topology
        self.states = states
        self._nodes = [[output.node for output in state if output is not None] for state in states]
        first, last = (next(nodes for nodes in each if nodes) for each in (self._nodes, self._nodes[::-1]))
        self._followed = topology.before(last, self._lowest(first))
        self._inside = [topology.before(nodes, self._lowest(nodes)) for nodes in self._nodes]
        self._outer = [self._uses(t) for t in range(len(states))]

    def is_cut(self) -> bool:
        """Whether all that leads from later steps back to earlier ones goes through the states between them."""
        place = {number: t for t, nodes in enumerate(self._nodes) for number in nodes}
        after = [-1] * len(self.topology.nodes)
        for number in reversed(self.topology.order):
            for fed in self.topology.feeds[number] if number in self._followed else ():
                if fed is not None:
                    t = place.get(fed.node, -1)
                    after[number] = max(after[number], after[fed.node], -1 if number in self._inside[t] else t)
        return all(
            after[number] <= max(after[fed.node], place.get(fed.node, -1))
            for number in self._followed
            for fed in self.topology.feeds[number]
            if fed is not None and max(after[fed.node], place.get(fed.node, -1)) >= 0
        )

    def adjoints(self, losses: Sequence[Tensor], weights: Any) -> tuple[list[Parts], list[Parts]] | None:
        """δ_t and e_t at every state; None where no gradient arrives at any."""
        deltas, errors = self._arriving(losses, weights, len(self.states))
        begun = self._begun(losses, weights)
        deltas, errors = (
            [tuple(map(_plus, *pair)) for pair in zip(each, begun, strict=True)] for each in (deltas, errors)
        )
        if not any(part is not None for delta in deltas for part in delta):
            return None
        return deltas, (self._by_difference(deltas) if self._is_read_between() else errors)

    def carried(self, t: int, error: Parts, back: int | None = None) -> list[Parts]:
        """δ_{t→k} at the states before t, the nearest first, of an error at step t; of the last `back` of them."""
        pairs = zip(self.states[t], error, strict=True)
        sent = [(self._edge(output), part) for output, part in pairs if output is not None and part is not None]
        first = 0 if back is None else t - back
        if not sent or t == first:
            return []
        arriving, _ = self._arriving([edge for edge, _ in sent], [part for _, part in sent], t, first)
        return arriving[::-1]

    def _arriving(self, outputs: Any, weights: Any, end: int, first: int = 0) -> tuple[list[Parts], list[Parts]]:
        """What arrives from outside of each step at the states from `first` up to `end`: all of it, and what comes from
        operations that no later state follows from."""
        got = {t: _Arrivals(len(self.states[t])) for t in range(first, end)}
        handles = [
            self.topology.nodes[use.node].register_hook(got[t].watcher(use.operand, part, error=error))
            for t in got
            for use, part, error in self._outer[t]
        ]
        edges = [self._edge(output) for t in got for output in self.states[t] if output is not None]
        try:
            torch.autograd.grad(outputs, edges, weights, retain_graph=True, allow_unused=True)
        finally:
            for handle in handles:
                handle.remove()
        return [tuple(each.all) for each in got.values()], [tuple(each.errors) for each in got.values()]

    def _begun(self, losses: Sequence[Tensor], weights: Any) -> list[Parts]:
        """What the pass begins with at the states themselves, where it begins there."""
        given = weights if isinstance(weights, (list, tuple)) else [weights] * len(losses)
        begun: dict[Output, Tensor] = {}
        for loss, weight in zip(losses, given, strict=False):
            number = self.topology.numbers.get(maker(loss))
            if number is not None:
                begun[Output(number, loss.output_nr)] = torch.ones_like(loss) if weight is None else weight
        return [tuple(None if part is None else begun.get(part) for part in state) for state in self.states]

    def _by_difference(self, deltas: Sequence[Parts]) -> list[Parts]:
        """e_t = δ_t − (∂h_{t+1}/∂h_t)ᵀ δ_{t+1}; what is lost in rounding counts as no error."""
        errors = []
        for t, delta in enumerate(deltas):
            carried = self.carried(t + 1, deltas[t + 1], 1) if t + 1 < len(deltas) else []
            errors.append(tuple(map(_less, delta, carried[0])) if carried else delta)
        return errors

    def _is_read_between(self) -> bool:
        """Whether something that no later state follows from reads a value between two states: then its gradient
        arrives at a state through an operation that the recurrence goes through as well."""
        states = {number for nodes in self._nodes for number in nodes}
        after: set[int] = set()
        for number in reversed(self.topology.order):
            if number in self._followed:
                fed = (each.node for each in self.topology.feeds[number] if each is not None)
                if any(each in states or each in after for each in fed):
                    after.add(number)
        return any(use.node not in self._followed for n in after - states for use in self.topology.uses[n])

    def _uses(self, t: int) -> list[tuple[Use, int, bool]]:
        """What takes the parts of a state outside of its step: each with the part, and whether no later state follows
        from it."""
        return [
            (use, part, use.node not in self._followed)
            for part, output in enumerate(self.states[t])
            if output is not None
            for use in self.topology.uses[output.node]
            if self.topology.feeds[use.node][use.operand] == output and use.node not in self._inside[t]
        ]

    def _lowest(self, numbers: Sequence[int]) -> int:
        return min((self.topology.heights[number] for number in numbers), default=0)

    def _edge(self, output: Output) -> GradientEdge:
        return GradientEdge(self.topology.nodes[output.node], output.number)


class _Arrivals:
    """What arrives at the parts of one state, and what of it is the state's local error."""

    def __init__(self, parts: int) -> None:
        self.all: list[Tensor | None] = [None] * parts
        self.errors: list[Tensor | None] = [None] * parts

    def watcher(self, operand: int, part: int, *, error: bool) -> Any:
        def passes(sent: Sequence[Tensor | None], _: Sequence[Tensor | None]) -> None:
            gradient = sent[operand]
            if gradient is not None:
                self.all[part] = _plus(self.all[part], gradient)
                if error:
                    self.errors[part] = _plus(self.errors[part], gradient)

        return passes


def _plus(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return one if other is None else other if one is None else one + other


def _less(whole: Tensor | None, carried: Tensor | None) -> Tensor | None:
    if whole is None or carried is None:
        return whole
    rest = whole - carried
    noise = 1e-9 if whole.dtype in (torch.float64, torch.complex128) else 1e-4
    return torch.where(rest.norm() > noise * whole.norm(), rest, torch.zeros_like(rest))
