"""A recurrence run without a graph, whose segments are run again when the gradient comes back to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from gradreach.remedies.tbptt.allocator import give_back
from gradreach.remedies.tbptt.outside import Outside, unhooked
from gradreach.remedies.tbptt.plan import Plan
from gradreach.remedies.tbptt.recurrence import Recurrence
from gradreach.remedies.tbptt.segment import Segment
from gradreach.remedies.tbptt.surroundings import Surroundings
from gradreach.remedies.tbptt.trees import Form, RestoredBuffers, carries, detached, join, tensors_in

_TIMES = 64
"""How many times on the way back memory is given back to the system, at most: for short segments it would cost most."""


def replayed(
    recurrence: Recurrence,
    sequence: Segment,
    state: Any,
    plan: Plan,
    outside: Outside,
    module: nn.Module | None,
    limited: bool = False,
) -> tuple[Any, Any]:
    """(output, state) as the recurrence gives them; at the backward pass segments are run again as planned.

    Where memory is `limited`, what every pass has freed is given back to the system.
    """
    inputs, tensors = Form.of((sequence.x, state))
    passes = Passes(recurrence, sequence.steps, plan, outside, module, inputs, Surroundings.of(sequence.x), limited)
    results = _Replayed.apply(passes, *tensors, *outside.tensors)  # type: ignore[no-untyped-call]
    assert passes.results is not None
    output, state = passes.results.tree(results)
    return output, state


def _alone(leaf: Any) -> Any:
    return leaf.detach() if isinstance(leaf, Tensor) else leaf


class _Replayed(torch.autograd.Function):
    """All passes as one operation on the tensors of x and state and on those that the step reaches outside."""

    @staticmethod
    def forward(ctx: Any, passes: Passes, *inputs: Tensor) -> Any:
        ctx.passes = passes
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs)
        results, ctx.stops = passes.forward(*passes.inputs.tree(inputs))
        passes.freed()
        each = zip(results, passes.outside.varying, strict=True)
        ctx.mark_non_differentiable(*(leaf for leaf, varying in each if not varying))
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        passes, inputs, wanted = ctx.passes, ctx.saved_tensors, ctx.needs_input_grad[1:]
        passes.freed()
        with RestoredBuffers(passes.module), unhooked(passes.outside.tensors):
            if torch.is_grad_enabled():
                return None, *passes.differentiable(inputs, ctx.stops[0], gradients, wanted)
            return None, *Return.of(passes, inputs, gradients, wanted).through(ctx.stops)


@dataclass(frozen=True, slots=True)
class StateBefore:
    """A step before which the state was kept, and the generators of random numbers."""

    at: int
    state: Any
    draws: tuple[Tensor, ...]


@dataclass(slots=True)
class Passes:
    """How segments are run: without a graph, and all of them with one that can be differentiated again."""

    recurrence: Recurrence
    T: int
    plan: Plan
    outside: Outside
    module: nn.Module | None
    inputs: Form
    surroundings: Surroundings
    limited: bool
    results: Form | None = None
    outputs: int = 0

    def forward(self, x: Any, state: Any) -> tuple[list[Tensor], list[StateBefore]]:
        """The tensors of output and state, and the stops of the first level."""
        stops: list[StateBefore] = []
        whole: list[Tensor] = []
        output: Any = None
        for start, output, after in self._run(x, state, 0, self.T, self.plan.spans[0], stops):
            leaves, state = tree_leaves(output), after
            whole = whole or [leaf.new_empty(self._shape(leaf)) for leaf in leaves]
            for leaf, into in zip(leaves, whole, strict=True):
                self.part_of(into, start, start + leaf.shape[self.recurrence.dim]).copy_(leaf)
        self.results, tensors = Form.of((output, detached(state)))
        self.outputs = len(whole)
        return whole + tensors[len(whole) :], stops

    def _run(self, x: Any, state: Any, start: int, end: int, span: int, stops: list[StateBefore]) -> Iterator[Any]:
        """(start, output, state after) of segments without a graph; at every span of steps a stop is added."""
        # with a graph, as kernels without one may differ in the last bit
        with torch.enable_grad(), self.surroundings.cast():
            for at in range(start, end, self.plan.length):
                if (at - start) % span == 0:
                    stops.append(StateBefore(at, detached(state), self._draws(stops)))
                part = self.segment(x, at, min(at + self.plan.length, end))
                output, state = tree_map(_alone, self.recurrence.run(part, state))
                yield at, output, state

    def _draws(self, stops: Sequence[StateBefore]) -> tuple[Tensor, ...]:
        """The states of the generators, shared with the last stop where nothing was drawn."""
        now = self.surroundings.draws()
        same = stops and all(torch.equal(a, b) for a, b in zip(now, stops[-1].draws, strict=True))
        return stops[-1].draws if same else now

    def stops(self, x: Any, stop: StateBefore, end: int, span: int) -> list[StateBefore]:
        """The stops between one and the next, found by running on from it."""
        stops: list[StateBefore] = []
        last = stop.at + (end - stop.at - 1) // span * span
        with self.surroundings.drawing(stop.draws):
            before = state = detached(stop.state)
            for _, _, after in self._run(x, before, stop.at, last, span, stops):
                state = after
            stops.append(StateBefore(last, detached(state), self._draws(stops)))
        return stops

    def differentiable(
        self, inputs: Sequence[Tensor], stop: StateBefore, gradients: Any, wanted: Sequence[bool]
    ) -> Any:
        """Gradients with a graph, which holds every step."""
        own = [leaf.view_as(leaf) for leaf in inputs[: len(self.inputs.places)]]
        x, state = self.inputs.tree(own)
        sources = [*own, *inputs[len(own) :]]
        outputs = []
        with torch.enable_grad(), self.surroundings.cast(), self.surroundings.drawing(stop.draws):
            for at in range(0, self.T, self.plan.length):
                part = self.segment(x, at, min(at + self.plan.length, self.T))
                output, state = self.recurrence.run(part, state)
                outputs.append(output)
            roots = tensors_in((join(outputs, self.recurrence.dim), state))
        self.outside.check(roots, own)
        return gradients_of(roots, gradients, sources, wanted, again=True)

    def freed(self) -> None:
        """Have the process let go of what a pass has freed."""
        if self.limited:
            give_back()

    def segment(self, x: Any, start: int, stop: int) -> Segment:
        return Segment(x, self.recurrence.dim, self.T).part(start, stop)

    def _shape(self, leaf: Tensor) -> list[int]:
        return [self.T if i == self.recurrence.dim else size for i, size in enumerate(leaf.shape)]

    def part_of(self, leaf: Tensor, start: int, stop: int) -> Tensor:
        """Steps start … stop − 1 of a tensor that has time where x has it."""
        return leaf.narrow(self.recurrence.dim, start, stop - start)


@dataclass(slots=True)
class Return:
    """One way back through all segments: the gradients that have come so far, and those found."""

    passes: Passes
    x: Any
    outputs: Sequence[Tensor | None]
    after: Sequence[Tensor | None]
    outside: Sequence[Tensor]
    wanted: Sequence[bool]
    steps: list[Tensor | None]
    totals: list[Tensor | None]

    @staticmethod
    def of(passes: Passes, inputs: Sequence[Tensor], gradients: Sequence[Any], wanted: Sequence[bool]) -> Return:
        """The way back from gradients of output and state."""
        x = tree_map(Tensor.detach, passes.inputs.tree(inputs)[0])
        n, m, own = passes.outputs, len(tree_leaves(x)), len(passes.inputs.places)
        ends, outside = (gradients[:n], gradients[n:]), inputs[own:]
        return Return(passes, x, *ends, outside, wanted, [None] * m, [None] * len(outside))

    def through(self, stops: Sequence[StateBefore], end: int | None = None, level: int = 0) -> list[Tensor | None]:
        """Gradients of x, state and what lies outside, once all segments from the first stop on were run again."""
        passes, spans = self.passes, self.passes.plan.spans
        end = passes.T if end is None else end
        for stop in reversed(stops):
            if level + 1 == len(spans):
                self._segment(stop, end)
                if stop.at * _TIMES // passes.T != end * _TIMES // passes.T:
                    passes.freed()
            else:
                self.through(passes.stops(self.x, stop, end, spans[level + 1]), end, level + 1)
            end = stop.at
        return [*self.steps, *self.after, *self.totals]

    def _segment(self, stop: StateBefore, end: int) -> None:
        """Run a segment with a graph, and take its gradients to what came before it."""
        passes, m, own = self.passes, len(self.steps), len(self.passes.inputs.places)
        form, tensors = Form.of((passes.segment(self.x, stop.at, end).x, stop.state))
        into_state = self.wanted[m:own] if stop.at == 0 else [carries(leaf) for leaf in tensors[m:]]
        wanted = [*self.wanted[:m], *into_state]
        sources = [leaf.detach().requires_grad_(want) for leaf, want in zip(tensors, wanted, strict=True)]
        with torch.enable_grad(), passes.surroundings.cast(), passes.surroundings.drawing(stop.draws):
            # states are given as copies: a step may change them in place
            x, state = form.tree([*sources[:m], *(leaf.clone() for leaf in sources[m:])])
            roots = tensors_in(passes.recurrence.run(Segment(x, passes.recurrence.dim, end - stop.at), state))
        passes.outside.check(roots, sources)
        outputs = [None if each is None else passes.part_of(each, stop.at, end) for each in self.outputs]
        wanted += self.wanted[own:]
        found = gradients_of(roots, [*outputs, *self.after], [*sources, *self.outside], wanted)
        for i, gradient in enumerate(found[:m]):
            self._place(i, gradient, stop.at, end)
        self.after = found[m : len(sources)]
        for i, gradient in enumerate(found[len(sources) :]):
            self._add(i, gradient)

    def _place(self, i: int, gradient: Tensor | None, start: int, end: int) -> None:
        if gradient is None:
            return
        if (whole := self.steps[i]) is None:
            whole = self.steps[i] = torch.zeros_like(tree_leaves(self.x)[i])
        self.passes.part_of(whole, start, end).copy_(gradient)

    def _add(self, i: int, gradient: Tensor | None) -> None:
        if gradient is None:
            return
        total = self.totals[i]
        if total is None:
            self.totals[i] = gradient.clone()  # what autograd gives may be shared
        else:
            total.add_(gradient)


def gradients_of(
    roots: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    sources: Sequence[Tensor],
    wanted: Sequence[bool],
    again: bool = False,
) -> list[Tensor | None]:
    """The gradients of the wanted sources, by those of the roots; None of the others."""
    pairs = [pair for pair in zip(roots, gradients, strict=True) if pair[0].requires_grad and pair[1] is not None]
    chosen = [source for source, want in zip(sources, wanted, strict=True) if want]
    if not pairs or not chosen:
        return [None] * len(sources)
    ends, into = zip(*pairs, strict=True)
    found = iter(torch.autograd.grad(ends, chosen, into, create_graph=again, allow_unused=True))
    return [next(found) if want else None for want in wanted]
