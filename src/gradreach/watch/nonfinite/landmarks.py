"""Where between the models and the loss an operation can have an infinite slope, and what it was given at each step.

The graph's values are gone when a backward pass has ended, and with them the reason why a gradient is not finite. So a
look notes the way from the loss to each operation with a singular point; the steps after it follow these ways, and keep
what the nodes there saved until their pass is over. Inside a model a replay answers the same question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from gradreach.watch.graph import Node
from gradreach.watch.nonfinite.graph_reading import IsReturned, consumers_of, is_hidden
from gradreach.watch.nonfinite.operations import EXPONENTIALS, Ground, key_of
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.nonfinite.singular_points import FINITE_AT_THE_POINT, SAVED, singular

MOST_LANDMARKS = 8
MOST_HOPS = 96
"""What is followed at each step, at some 0.4 µs a hop, and 2 µs a landmark."""

ABSORBING = (*EXPONENTIALS, "logaddexp", "logsumexp", "softmax", "sigmoid", "tanh", "max", "amax", "maximum")
"""Operations that make a finite value of an infinite one; on the way back it meets a slope of 0, and 0 · ∞ is NaN."""

FAR = 8
"""Operations from a value on among which one that absorbs it is looked for."""

MOST_NUMBERS = 1 << 18
"""A value of more numbers is not kept to the end of the pass: it would raise the script's peak memory."""


@dataclass(frozen=True, slots=True)
class _Stop:
    """A landmark: its place among the nodes of its way, its name, the names of what it saves, the saved numbers that
    are the same at each step, and whether its values are chosen among."""

    number: int
    name: str
    tensors: tuple[str, ...]
    constants: dict[str, object]
    is_hidden: bool


@dataclass(frozen=True, slots=True)
class _Way:
    """Hops from the loss: each leads from a node met before, by its number, along one of its edges."""

    hops: tuple[tuple[int, int], ...]
    stops: tuple[_Stop, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """What one landmark saved on the step under way."""

    name: str
    is_hidden: bool
    saved: dict[str, object]

    def ground(self) -> Ground | None:
        """Whether it stands at a singular point."""
        return singular(self.name, self.saved, is_hidden=self.is_hidden)


class Landmarks:
    """The landmarks of each line that calls backward, and what they saved on the step under way, nearest the loss
    first."""

    def __init__(self) -> None:
        self.kept: list[Kept] = []
        self._ways: dict[int, _Way] = {}

    def learn(self, site: int, losses: Sequence[Tensor], returned: IsReturned) -> None:
        """Note the ways from the loss of a whole graph, up to the nodes that the models `returned`."""
        if len(losses) == 1 and losses[0].grad_fn is not None and not returned(losses[0].grad_fn):
            self._ways[site] = _way(losses[0].grad_fn, returned)

    def are_known(self, site: int) -> bool:
        """Whether this line has any."""
        way = self._ways.get(site)
        return way is not None and bool(way.stops)

    def hold(self, site: int, losses: Sequence[Tensor]) -> None:
        """Keep what the landmarks of a whole graph saved."""
        self.kept.clear()
        way = self._ways.get(site)
        if way is None or not way.stops or len(losses) != 1 or losses[0].grad_fn is None:
            return
        nodes: list[Node | None] = [losses[0].grad_fn]
        for start, edge in way.hops:
            node = nodes[start]
            edges = () if node is None else node.next_functions
            nodes.append(edges[edge][0] if edge < len(edges) else None)
        for stop in way.stops:
            node = nodes[stop.number]
            if node is not None and node.name() == stop.name:
                self.kept.append(Kept(stop.name, stop.is_hidden, {**stop.constants, **_saved(node, stop)}))

    def drop(self) -> None:
        """Let go of what was kept: the step is over."""
        self.kept.clear()


def _saved(node: Node, stop: _Stop) -> dict[str, object]:
    found = {}
    for name in stop.tensors:
        value = saved_value(node, name)
        if value is not None and value.numel() <= MOST_NUMBERS:
            found[name] = value
    return found


def _way(start: Node, returned: IsReturned) -> _Way:
    nodes, hops, seen = [start], [(0, 0)], {start}
    for number, node in enumerate(nodes):  # grows while it is walked: breadth first
        for edge, (parent, _) in enumerate(node.next_functions):
            if parent is None or parent in seen or returned(parent) or hasattr(parent, "variable"):
                continue
            if len(nodes) > 8 * MOST_HOPS:
                break
            seen.add(parent)
            nodes.append(parent)
            hops.append((number, edge))
    consumers = consumers_of(nodes)
    stops = [_stop(number, node, consumers) for number, node in enumerate(nodes)]
    return _trimmed(hops, [stop for stop in stops if stop is not None][:MOST_LANDMARKS])


def _stop(number: int, node: Node, consumers: dict[Node, list[Node]]) -> _Stop | None:
    """A node as a landmark; None where its slope cannot be infinite while the loss is finite."""
    name, key = node.name(), key_of(node.name())
    if key not in SAVED:
        return None
    values = {attribute: saved_value(node, attribute) for attribute in SAVED[key]}
    hidden = is_hidden(node, consumers)
    if not hidden and not _may_hide_its_slope(key, node, values) and not _is_absorbed(node, consumers):
        return None
    tensors = tuple(attribute for attribute, value in values.items() if isinstance(value, Tensor))
    constants = {k: v for k, v in values.items() if not isinstance(v, Tensor)}
    return _Stop(number, name, tensors, constants, hidden) if tensors else None


def _is_absorbed(node: Node, consumers: dict[Node, list[Node]]) -> bool:
    """Whether an infinity that this node makes may come to something finite on its way to the loss."""
    near = {node}
    for _ in range(FAR):
        near = {use for each in near for use in consumers.get(each, ())}
        if any(key_of(use.name()) in ABSORBING for use in near):
            return True
    return False


def _may_hide_its_slope(key: str, node: Node, values: dict[str, object]) -> bool:
    """Whether the value may be finite where the slope is not: of a root at 0; not of a logarithm, unless its value is
    left out."""
    if key == "div":
        return len(node.next_functions) > 1 and node.next_functions[1][0] is not None
    if key == "pow":
        power = values["exponent"]
        return isinstance(power, Tensor) or (isinstance(power, (int, float)) and 0 < power < 1)
    return key in FINITE_AT_THE_POINT


def _trimmed(hops: Sequence[tuple[int, int]], stops: Sequence[_Stop]) -> _Way:
    """The hops that lead to a stop alone, numbered anew."""
    needed: set[int] = set()
    kept = []
    for stop in stops:
        way, at = set[int](), stop.number
        while at not in needed and at:
            way.add(at)
            at = hops[at][0]
        if len(needed | way) <= MOST_HOPS:
            needed |= way
            kept.append(stop)
    order = [0, *sorted(needed)]
    anew = {old: new for new, old in enumerate(order)}
    return _Way(
        tuple((anew[hops[old][0]], hops[old][1]) for old in order[1:]),
        tuple(replace(stop, number=anew[stop.number]) for stop in kept),
    )
