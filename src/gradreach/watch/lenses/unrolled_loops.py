"""Through time: loops and scans that no module shows, in a container's own forward or in a plain function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from math import prod

from gradreach.record.kinds import SCAN
from gradreach.record.look import Look
from gradreach.record.seen.recurrence import TimeLook
from gradreach.watch.flat_units import flat_units
from gradreach.watch.graph_loops import GraphLoop, graph_loops, shape_of, size_of
from gradreach.watch.graph_scans import GraphScan, graph_scans
from gradreach.watch.lens import BackwardPass, Lens, WatchedStep
from gradreach.watch.lenses.loops import MOST_STATES, Loops
from gradreach.watch.lenses.recurrent_layers import RecurrentLayers
from gradreach.watch.models import modules_of
from gradreach.watch.seldom import may_be_found, was_found
from gradreach.watch.state_gradients import StateGradients
from gradreach.watch.state_look import LoopPlace, look_at_states, look_from
from gradreach.watch.topology import Output, Topology

MOST_SCANS = 8
MOST_NUMBERS = 50_000_000
"""Numbers in all the states that are followed: of a longer loop the last ones are."""


class UnrolledLoops(Lens):
    """Finds the loops when the graph is whole."""

    after = (RecurrentLayers, Loops)

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._looks: list[TimeLook] = []

    def before_backward(self, backward: BackwardPass) -> None:
        """Find the loops and the scans, and take the gradients at their states by extra passes over the graph."""
        if not backward.graph.whole or not self.step.may_pass_again(backward):
            return
        if may_be_found(self.step.carried, UnrolledLoops):
            self._find(backward)
        was_found(self.step.carried, UnrolledLoops, found=bool(self._looks))

    def look(self, look: Look) -> Look:
        """What the loops add to the look's `time`."""
        return replace(look, time=(*look.time, *self._looks))

    def _find(self, backward: BackwardPass) -> None:
        topology = Topology(backward.graph)
        for loop in graph_loops(topology, backward.graph):
            if not self._is_followed(topology, loop.nodes):
                self._look_at_loop(topology, loop, backward)
        for scan in islice(graph_scans(topology), MOST_SCANS):
            if not self._is_followed(topology, [scan.states.node]) and scan.log_factors.numel() <= MOST_NUMBERS:
                self._look_at_scan(topology, scan, backward)

    def _look_at_loop(self, topology: Topology, loop: GraphLoop, backward: BackwardPass) -> None:
        gradients = StateGradients(topology, loop.states[-_most_states(topology, loop) :])
        adjoints = gradients.adjoints(backward.losses, backward.weights)
        if adjoints is not None:
            parts = [part for state in loop.states for part in state if part is not None]
            shapes = [shape_of(topology, part) for part in loop.states[0] if part is not None]
            place = self._place(topology, parts, loop.kind, len(loop.states), shapes)
            self.step.unrolled.append((place.batch, place.steps))
            flat = flat_units(topology, gradients.states)
            self._looks.append(replace(look_at_states(place, gradients, *adjoints, self.step.scale), saturated=flat))

    def _look_at_scan(self, topology: Topology, scan: GraphScan, backward: BackwardPass) -> None:
        found = scan.errors(topology, backward.losses, backward.weights)
        if found is not None:
            found = replace(found, errors=found.errors / self.step.scale)
            place = self._place(topology, [scan.states], SCAN, scan.steps, [found.errors.shape[1:]])
            self._looks.append(look_from(place, found.adjoints(), found.sizes(), found.carried))

    def _is_followed(self, topology: Topology, nodes: Iterable[int]) -> bool:
        """Whether another lens follows a module whose calls made one of these operations."""
        followed = {id(part) for module in self.step.recurrent for _, part in modules_of(module)}
        return self.step.spans.are_of(followed, [topology.nodes[number]._sequence_nr() for number in nodes])

    def _place(
        self, topology: Topology, parts: Sequence[Output], kind: str, steps: int, shapes: Sequence[Sequence[int]]
    ) -> LoopPlace:
        """The innermost module in whose forward all states were made; none where the script itself made them."""
        module = self.step.spans.module_of(*(topology.nodes[part.node]._sequence_nr() for part in parts))
        path = "" if module is None else self.step.models.path(module)
        return LoopPlace(
            module=path,
            kind=kind,
            steps=steps,
            batch=prod(shapes[0][:-1]),
            hidden=sum(shape[-1] for shape in shapes),
            layer=sum(look.module == path for look in self._looks),
        )


def _most_states(topology: Topology, loop: GraphLoop) -> int:
    """Of how many states the gradients are taken, for the memory that they take."""
    return min(MOST_STATES, max(MOST_NUMBERS // size_of(topology, loop.states[0]), 1))
