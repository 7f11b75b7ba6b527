"""Loops over time that a script writes itself, found in the graph alone: one short piece that comes again and again.

The states between two repetitions are a cut: everything that leads from later steps back to earlier ones goes through
them. Two things tell time from depth. A step has no parameters to itself, as a layer has; and each takes in something
that the step before did not, an entry of a sequence, while an iteration refines the same value over and over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from gradreach.record.kinds import DECAY_LOOP, LOOP, MATRIX_LOOP
from gradreach.watch.graph import Graph, operation, trainable
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.periods import Repeat, repeats
from gradreach.watch.state_gradients import State, StateGradients
from gradreach.watch.tensors import is_dense
from gradreach.watch.topology import Output, Topology

FEWEST_STEPS = 8
LONGEST_STEP = 256
"""Operations of one step, on the longest way through it, up to which a repetition is seen."""

MOST_LOOPS = 8
MOST_TRIED = 3
"""Repetitions on one path, and states in one repetition, that are tried for a loop."""

MOST_VISITS = 1_000_000
FEWEST_TRIED = 3
"""Operations that are visited in all before no more states are tried; but so many are in any case."""

MOST_STAGES = 3
"""Alike stages of one step, as of the midpoint rule, that are taken for one repetition each at first."""

MOST_PARTS = 8
"""Parts of a state: a loop that hands on more, as one that looks back at all its steps does, is left alone."""

_ADDS = {"AddBackward0", "SubBackward0"}
_GATHERS = {
    *_ADDS, "torch::autograd::CopySlices", "CatBackward0", "ConstantPadNdBackward0", "IndexPutBackward0",
    "MaskedFillBackward0", "ScatterBackward0", "SelectScatterBackward0", "SliceScatterBackward0",
}  # fmt: skip
"""Operations by which a sum or a tensor is put together bit by bit: a chain of nothing else is no recurrence."""

_PICKS = {"SelectBackward0", "SliceBackward0", "UnbindBackward0", "SplitBackward0", "SplitWithSizesBackward0"}
_BY_DATA = {"EmbeddingBackward0", "EmbeddingBagBackward0", "IndexBackward0", "IndexSelectBackward0", "GatherBackward0"}
"""Operations that take out of a parameter what the data name."""

_PRODUCTS = {"MmBackward0", "AddmmBackward0", "BmmBackward0", "BaddbmmBackward0", "LinearBackward0", "MvBackward0"}
_FACTORS = {"MulBackward0", "LerpBackward0", "LerpBackward1", "AddcmulBackward0", "DivBackward0"}
_ENTRYWISE = {
    *_ADDS, *_FACTORS, *(f"{name}Backward0" for name in (
        "Neg", "Rsub", "Tanh", "Sigmoid", "Relu", "LeakyRelu", "Softplus", "Silu", "Gelu", "Elu", "Clamp", "Where",
        "Exp", "Log", "Pow", "Sqrt", "ToCopy", "Unsqueeze", "Squeeze", "Alias", "Clone", "View", "UnsafeView",
        "NativeDropout",
    )), "RsubBackward1", "SqueezeBackward1", "PowBackward1", "ClampBackward1",
}  # fmt: skip
"""Operations in which no entry of the state meets another."""

_SHARED = -2

_Sign = tuple[Any, ...]
"""How an operation uses a value: its name and as which operand, and the value's operation, number and shape."""


@dataclass(frozen=True)
class GraphLoop:
    """One loop: the parts of its states in the order of time, all its operations, and the trained leaves that it uses.

    `kind` is one of the loops in `gradreach.record.kinds`. `takes_in` says that each step takes in something new.
    """

    states: tuple[State, ...]
    nodes: frozenset[int]
    leaves: frozenset[int]
    kind: str
    takes_in: bool


def graph_loops(topology: Topology, graph: Graph, *, of_any_kind: bool = False) -> list[GraphLoop]:
    """The loops over time in a graph, the one nearest the loss first, or those `of_any_kind`, iterations too; one loop
    that runs several times counts once."""
    found: dict[object, GraphLoop] = {}
    taken: set[int] = set()
    leaves = {id(leaf) for leaf in trainable(graph.leaves)}
    tries = iter(range(max(FEWEST_TRIED, MOST_VISITS // max(len(topology.nodes), 1))))
    for _ in range(MOST_LOOPS):
        path = topology.longest_path(taken)
        repeated = _repeated(topology, path)
        if not repeated:
            break
        loops = (_loop(topology, path, repeat, leaves, tries) for repeat in repeated)
        loop = next((each for each in loops if each is not None and (each.takes_in or of_any_kind)), None)
        if loop is None:
            taken |= {output.node for output in path[repeated[0].start :][: repeated[0].length]}
        else:
            taken |= loop.nodes
            found.setdefault((loop.leaves, _pattern(topology, loop)), loop)
    return list(found.values())


def loop_through(gradients: StateGradients, graph: Graph) -> GraphLoop | None:
    """The loop in a graph that goes through most of these states."""
    nodes = {output.node for state in gradients.states for output in state if output is not None}
    loops = graph_loops(gradients.topology, graph, of_any_kind=True)
    return next((loop for loop in loops if 2 * len(loop.nodes & nodes) > len(nodes)), None)


def _repeated(topology: Topology, path: Sequence[Output]) -> list[Repeat]:
    kinds: dict[object, int] = {}
    labels = [kinds.setdefault(_label(topology, each), len(kinds)) for each in path]
    return repeats(labels, FEWEST_STEPS, LONGEST_STEP)[:MOST_TRIED]


def _loop(
    topology: Topology, path: Sequence[Output], repeat: Repeat, leaves: set[int], tries: Iterator[int]
) -> GraphLoop | None:
    """What comes again and again on a path, if it is a loop over time."""
    chains = list(_chains(topology, path, repeat))
    apart = ([chain[phase::every] for chain in chains for phase in range(every)] for every in range(1, MOST_STAGES + 1))
    cuts = (_smallest(topology, (chain for chain in each if next(tries, None) is not None)) for each in apart)
    states = next((each for each in cuts if each is not None), None)
    sides = None if states is None else _Sides(topology, states, leaves)
    if states is None or sides is None or sides.has_own_parameters():
        return None
    kind = _kind(topology, states, leaves)
    return GraphLoop(states.cut, frozenset(states.inside), sides.leaves(), kind, sides.takes_in())


def _smallest(topology: Topology, chains: Iterable[list[Output]]) -> _States | None:
    """Of the cuts along several chains the one with the smallest state, the first that is one value alone; of several
    the one nearest the loss."""
    cuts: list[_States] = []
    for chain in chains:
        states = _States(topology, chain)
        if states.cut:
            cuts.append(states)
            if len(states.cut[0]) == 1:
                break
    heights = topology.heights
    return min(cuts, key=lambda each: (size_of(topology, each.cut[0]), -heights[each.chain[-1].node]), default=None)


def _label(topology: Topology, output: Output) -> tuple[Any, ...]:
    """What must be the same at each repetition: the operation, and the leaves that it works with."""
    feeds = (fed for fed in topology.feeds[output.node] if fed is not None)
    leaves = (leaf for fed in feeds for leaf in _straight_down(topology, fed.node) if topology.is_leaf(leaf))
    return topology.names[output.node], output.number, *leaves


def _chains(topology: Topology, path: Sequence[Output], repeat: Repeat) -> Iterator[list[Output]]:
    """What may be the states of a repetition, in the order of time: first what most operations take."""
    middle = repeat.start + repeat.period * (repeat.times // 2)
    places = range(repeat.period)
    if all(topology.names[path[middle + place].node] in _GATHERS for place in places):
        return
    users = [-len(topology.uses[path[middle + place].node]) for place in places]
    for place in sorted(places, key=lambda each: users[each])[:MOST_TRIED]:
        chain = [path[k] for k in reversed(repeat.places(place))]
        shapes = Counter(shape_of(topology, output) for output in chain)
        shape, times = shapes.most_common(1)[0]
        if shape and times >= len(chain) - 1:
            yield [output for output in chain if shape_of(topology, output) == shape]


class _States:
    """The states along a chain of outputs, each of which follows from the one before it.

    `after[n]` is the last state that operation n follows from, -1 for none; `inside` are the operations that follow
    from a state and lead to a later one, and the chain itself. `cut` are the parts of each state, none where there is
    no cut of a few parts that is the same at every step.
    """

    def __init__(self, topology: Topology, chain: Sequence[Output]) -> None:
        self._topology = topology
        self.chain = chain
        self.place = {output.node: t for t, output in enumerate(chain)}
        self.after = self._after()
        leading = topology.before([chain[-1].node], topology.heights[chain[0].node])
        self.inside = {number for number in leading if self.after[number] >= 0} | set(self.place)
        self.cut = self._cut()

    def follows(self, number: int) -> int:
        """The last state that an operation is or follows from."""
        return max(self.after[number], self.place.get(number, -1))

    def _after(self) -> list[int]:
        after = [-1] * len(self._topology.nodes)
        for number in reversed(self._topology.order):
            for fed in self._topology.feeds[number]:
                if fed is not None:
                    after[number] = max(after[number], after[fed.node], self.place.get(fed.node, -1))
        return after

    def _cut(self) -> tuple[State, ...]:
        """The chain itself, and what else crosses from later operations to earlier ones at each state."""
        crossing: list[dict[Output, _Sign]] = [{} for _ in self.chain]
        for number in self.inside:
            for fed, sign in self._signed(number):
                span = range(self.after[fed.node] + 1, self.after[number] + 1) if self.follows(fed.node) >= 0 else ()
                if len(span) > MOST_PARTS:
                    return ()
                for t in span:
                    if fed != self.chain[t]:
                        crossing[t][fed] = sign
        self._begin_and_end(crossing)
        states = [self._state(output, parts) for output, parts in zip(self.chain, crossing, strict=True)]
        usual = states[len(states) // 2].keys()
        if len(usual) > MOST_PARTS or len(self.chain) < FEWEST_STEPS or any(not key[2] for key in usual):
            return ()
        first = next((t + 1 for t in reversed(range(len(states) - 1)) if states[t].keys() != usual), 0)
        kept = states[first:] if len(states) - first >= FEWEST_STEPS else ()
        return tuple(tuple(map(state.get, usual)) for state in kept)

    def _begin_and_end(self, crossing: list[dict[Output, _Sign]]) -> None:
        """The further parts of the first state, which follow from none, and of the last, which no later step takes.
        They are used as those of the states beside are."""
        last = len(self.chain) - 1
        begin, end = (set(crossing[t].values()) for t in (1, -2))
        for number in self.inside if begin else ():
            if self.after[number] == 0:
                parts = ((fed, sign) for fed, sign in self._signed(number) if self.follows(fed.node) < 0)
                crossing[0].update((fed, sign) for fed, sign in parts if sign in begin)
        for number in range(len(self.after)) if end else ():
            if self.after[number] == last:
                parts = ((fed, sign) for fed, sign in self._signed(number) if 0 <= self.after[fed.node] < last)
                crossing[-1].update((fed, sign) for fed, sign in parts if sign in end and fed not in self.chain)

    def _signed(self, number: int) -> Iterator[tuple[Output, _Sign]]:
        """What an operation takes, each with what such a use looks like at any step."""
        names = self._topology.names
        for operand, fed in enumerate(self._topology.feeds[number]):
            if fed is not None:
                part = (names[fed.node], fed.number, shape_of(self._topology, fed))
                yield fed, (names[number], operand, *part)

    def _state(self, output: Output, parts: dict[Output, _Sign]) -> dict[tuple[Any, ...], Output]:
        """The parts of a state by what they are; several of one kind in the order in which they are computed."""
        state: dict[tuple[Any, ...], Output] = {("", 0, shape_of(self._topology, output), 0): output}
        for fed in sorted(parts, key=lambda each: self._topology.heights[each.node]):
            kind = parts[fed][2:]
            state[(*kind, sum(key[:3] == kind for key in state))] = fed
        return state


class _Sides:
    """What the steps of a loop take in besides the state: of each operation that none but a loop leads to, the one step
    that takes it, or _SHARED."""

    def __init__(self, topology: Topology, states: _States, leaves: set[int]) -> None:
        self._topology = topology
        self._states = states
        self._trained = leaves
        self._steps = range(1, len(states.chain) - 1)
        self._owner: dict[int, int] = {}
        for number in topology.order:
            step = self._step(number)
            if step is not None:
                for fed in topology.feeds[number]:
                    if fed is not None and states.follows(fed.node) < 0:
                        owner = self._owner.setdefault(fed.node, step)
                        self._owner[fed.node] = step if owner == step else _SHARED

    def has_own_parameters(self) -> bool:
        """Whether most steps use trained numbers that no other step uses, as the layers of a deep network do: leaves of
        their own, or their own part of one leaf."""
        own = {step for number, step in self._owner.items() if self._is_trained(number)}
        for number, fed, step in self._into_shared():
            picks = self._topology.names[number] in _PICKS or self._topology.names[fed.node] in _PICKS
            if picks and any(map(self._is_trained, _straight_down(self._topology, fed.node))):
                own.add(step)
        return len(own & set(self._steps)) > len(self._steps) // 2

    def takes_in(self) -> bool:
        """Whether a step takes in what the step before did not, asked of a few in the middle."""
        middle = len(self._states.chain) // 2
        asked = range(middle - 2, middle + 2)
        taken: dict[int, set[Output]] = {step: set() for step in asked}
        for _, fed, step in self._into_shared():
            if step in taken:
                taken[step].add(fed)
        saved = {step: self._saved(step) for step in asked}
        return all(taken[t] != taken[t + 1] or not _same(saved[t], saved[t + 1]) for t in asked[:-1])

    def leaves(self) -> frozenset[int]:
        """The identities of the trained leaves that the steps use."""
        return frozenset(
            id(self._topology.nodes[number].variable) for number in self._owner if self._is_trained(number)
        )

    def _step(self, number: int) -> int | None:
        return self._states.after[number] if number in self._states.inside else self._owner.get(number)

    def _into_shared(self) -> Iterator[tuple[int, Output, int]]:
        """Where a step takes what other steps take from too: the operation that does, what it takes, the step."""
        for number in (*self._states.inside, *self._owner):
            step = self._step(number)
            if step is not None and step >= 0:
                for fed in self._topology.feeds[number]:
                    if fed is not None and self._owner.get(fed.node) == _SHARED:
                        yield number, fed, step

    def _is_trained(self, number: int) -> bool:
        return self._topology.is_leaf(number) and id(self._topology.nodes[number].variable) in self._trained

    def _saved(self, step: int) -> list[Any]:
        """What the operations that only this step takes keep of their operands."""
        owned = (number for number in self._topology.order if self._owner.get(number) == step)
        return [value for number in list(owned)[:64] for value in _kept(self._topology.nodes[number])]


def _kept(node: Any) -> list[Any]:
    names = (name.removeprefix("_saved_") for name in dir(node) if name.startswith("_saved_"))
    return [saved_value(node, name) for name in names]


def _same(ones: Sequence[Any], others: Sequence[Any]) -> bool:
    return len(ones) == len(others) and all(map(_equal, ones, others))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        if not (is_dense(one) and is_dense(other)):
            return True
        return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, (int, float, tuple)) and type(one) is type(other):
        return not (isinstance(one, tuple) and any(isinstance(each, Tensor) for each in one)) and bool(one == other)
    return True


def _kind(topology: Topology, states: _States, leaves: set[int]) -> str:
    """Whether a trained matrix multiplies the state, or a factor each entry of it, or neither."""
    inside = [number for number in states.inside if states.after[number] >= 0]
    names = {topology.names[number] for number in inside}
    if names <= _ENTRYWISE and names & _FACTORS:
        return DECAY_LOOP
    beside = (fed for number in inside if topology.names[number] in _PRODUCTS for fed in topology.feeds[number])
    straight = (each for fed in beside if fed is not None for each in _straight_down(topology, fed.node))
    trained = any(topology.is_leaf(each) and id(topology.nodes[each].variable) in leaves for each in straight)
    return MATRIX_LOOP if trained else LOOP


def _straight_down(topology: Topology, number: int) -> Iterator[int]:
    """An operation, and those before it as long as each only lays out or transforms the one before."""
    for _ in range(8):
        yield number
        feeds = [fed for fed in topology.feeds[number] if fed is not None]
        with_data = len(topology.feeds[number]) > 1 and not _is_scaled(topology.nodes[number])
        if len(feeds) != 1 or topology.names[number] in _BY_DATA or with_data:
            return
        number = feeds[0].node


def _is_scaled(node: Any) -> bool:
    """Whether a product or quotient has but a plain number as its other operand."""
    if operation(node) not in ("MulBackward0", "DivBackward0"):
        return False
    other = saved_value(node, "other")
    return other is None or other.numel() == 1


def _pattern(topology: Topology, loop: GraphLoop) -> tuple[object, ...]:
    """What tells a loop's code from another's: how often it has each operation in a step, and its states."""
    state = tuple(shape_of(topology, output) for output in loop.states[0] if output is not None)
    names = Counter(topology.names[number] for number in loop.nodes)
    return state, frozenset((name, round(times / len(loop.states))) for name, times in names.items())


def shape_of(topology: Topology, output: Output) -> tuple[int, ...]:
    """The shape of an output of real or complex numbers, two or more; empty for what can be no state."""
    made = topology.nodes[output.node]._input_metadata[output.number]
    shape = tuple(made.shape)
    return shape if (made.dtype.is_floating_point or made.dtype.is_complex) and prod(shape) > 1 else ()


def size_of(topology: Topology, state: State) -> int:
    """The numbers in a state."""
    return sum(prod(shape_of(topology, output)) for output in state if output is not None)
