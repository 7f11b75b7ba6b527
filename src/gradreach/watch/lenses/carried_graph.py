"""How much of the graph behind a loss was made before the look before, and so before an update."""

from __future__ import annotations

from dataclasses import replace

from gradreach.record.look import Look
from gradreach.record.seen.loop import GraphLook
from gradreach.watch.graph import is_leaf
from gradreach.watch.lens import BackwardPass, Lens, WatchedStep
from gradreach.watch.module_spans import next_number


class CarriedGraph(Lens):
    """Compares the numbers that autograd gave to the operations with the one that it had come to at each look before.

    Looks at other lines do not count: two losses may share a forward pass.
    """

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._numbers: list[int] = []
        self._is_whole = True

    def before_backward(self, backward: BackwardPass) -> None:
        """Take the numbers of the graph's operations."""
        if next_number() is not None:
            self._numbers = [node._sequence_nr() for node in backward.graph.nodes if not is_leaf(node)]
            self._is_whole = backward.graph.whole

    def look(self, look: Look) -> Look:
        """The look's `graph`."""
        number = next_number()
        if number is None or not self._numbers:
            return look
        ends: dict[int, list[tuple[int, int]]] = self.step.carried.setdefault(CarriedGraph, {})
        before = ends.setdefault(look.site, [])
        older = sum(each < before[-1][1] for each in self._numbers) if before else 0
        oldest = min(self._numbers)
        since = next((step for step, end in before if oldest < end), None)
        before.append((look.step, number))
        made = GraphLook(len(self._numbers), older, since, self._is_whole)
        self._numbers = []
        return replace(look, graph=made)
