"""The graph of a step by numbers: what feeds each operation, and an order from the loss to the leaves."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from gradreach.watch.graph import Graph, Node, is_leaf, operation


class Output(NamedTuple):
    """One output of an operation, by the operation's number."""

    node: int
    number: int


class Use(NamedTuple):
    """An operation that takes an output, and as which of its operands."""

    node: int
    operand: int


class Topology:
    """A whole graph, its operations numbered as in `Graph.nodes`.

    `feeds` are the operands of each, None where no gradient goes; `uses` those that take its outputs; `order` begins at
    the loss; `heights` are the longest ways to a leaf.
    """

    def __init__(self, graph: Graph) -> None:
        self.nodes: tuple[Node, ...] = graph.nodes
        self.numbers = {node: number for number, node in enumerate(graph.nodes)}
        self.names = [operation(node) for node in graph.nodes]
        self.feeds: list[list[Output | None]] = [
            [Output(self.numbers[fed], output) if fed in self.numbers else None for fed, output in node.next_functions]
            for node in graph.nodes
        ]
        self.uses: list[list[Use]] = [[] for _ in graph.nodes]
        for number, feeds in enumerate(self.feeds):
            for operand, fed in enumerate(feeds):
                if fed is not None:
                    self.uses[fed.node].append(Use(number, operand))
        self.order = self._sorted()
        self.heights = self._heights(())

    def is_leaf(self, number: int) -> bool:
        """Whether an operation stands for a leaf."""
        return not self.feeds[number] and is_leaf(self.nodes[number])

    def longest_path(self, without: Collection[int] = ()) -> list[Output]:
        """The longest way towards the leaves that goes through none of these."""
        heights = self._heights(without) if without else self.heights
        start = max(self.order, key=lambda number: heights[number], default=None)
        path = [] if start is None or not heights[start] else [Output(start, 0)]
        while path:
            following = [fed for fed in self.feeds[path[-1].node] if fed is not None and heights[fed.node]]
            if not following:
                break
            path.append(max(following, key=lambda fed: heights[fed.node]))
        return path

    def before(self, numbers: Iterable[int], floor: int = 0) -> set[int]:
        """These and all that feed them, as far as they stand higher than `floor`."""
        found = list(numbers)
        seen = set(found)
        for number in found:  # grows while it is walked
            for fed in self.feeds[number]:
                if fed is not None and fed.node not in seen and self.heights[fed.node] > floor:
                    seen.add(fed.node)
                    found.append(fed.node)
        return seen

    def between(self, first: Iterable[int], last: Iterable[int]) -> set[int]:
        """All that follow from some operations and feed others, both among them."""
        first = set(first)
        leading = self.before(last, min((self.heights[number] for number in first), default=0))
        found = list(first)
        for number in found:  # grows while it is walked
            new = {use.node for use in self.uses[number] if use.node in leading} - first
            first |= new
            found += new
        return first

    def _sorted(self) -> list[int]:
        waiting = [len(uses) for uses in self.uses]
        ready = [number for number, uses in enumerate(waiting) if not uses]
        for number in ready:  # grows while it is walked
            for fed in self.feeds[number]:
                if fed is not None:
                    waiting[fed.node] -= 1
                    if not waiting[fed.node]:
                        ready.append(fed.node)
        return ready

    def _heights(self, without: Collection[int]) -> list[int]:
        """The number of operations on the longest way from each to a leaf, itself included; 0 for those left out."""
        heights = [0] * len(self.nodes)
        for number in reversed(self.order):
            if number not in without:
                below = (heights[fed.node] for fed in self.feeds[number] if fed is not None)
                heights[number] = 1 + max(below, default=0)
        return heights
