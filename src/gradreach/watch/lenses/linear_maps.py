"""Linear maps in a row: layers whose output goes into the next through nothing but what is linear as well."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from gradreach.record.look import Look
from gradreach.record.seen.weights import LinearMaps
from gradreach.watch.graph import Graph, Node, maker, mark, operation, parents, trainable
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.models import own_parameters
from gradreach.watch.tensors import first_tensor

VIEWS = {
    *("ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "AliasBackward0", "CloneBackward0"),
    *("SqueezeBackward0", "SqueezeBackward1", "UnsqueezeBackward0"),
}
"""What leaves the values as they are, each in its place along the last axis or not taken in by a layer of that size."""

FARTHEST = 8
"""Operations that are gone through from one layer back to the one before."""


@dataclass(frozen=True, slots=True)
class _Made:
    """On the node of an output: by which layer it was made, and the node of what that was given."""

    module: nn.Module
    given: Node | None


class MapsInARow(Lens):
    """Follows what each linear layer is given to the layer that made it."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._weighty: dict[int, nn.Module] = {}
        self._maps = 0
        self._found: tuple[LinearMaps, ...] = ()

    def called(self, call: ModuleCall) -> None:
        """Note on the output of a linear layer, and of a dropout, what it was made of."""
        module, output = call.module, first_tensor(call.output)
        if not call.of_model or output is None:
            return
        if own_parameters(module):
            self._weighty[id(module)] = module
        is_map = _is_map(module)
        if is_map or isinstance(module, _DropoutNd):
            self._maps += is_map
            given = first_tensor(*call.args, *call.kwargs.values())
            node = maker(output)
            if node is not None:
                mark(node, self, _Made(module, _node(given)))

    def before_backward(self, backward: BackwardPass) -> None:
        """Find the pairs while the graph is whole."""
        if self._maps > 1 and backward.graph.whole:
            self._found = tuple(self._chains(_pairs(backward.graph, self)))

    def look(self, look: Look) -> Look:
        """The look's `linear_maps`."""
        self._weighty = {}
        return replace(look, linear_maps=self._found)

    def _chains(self, pairs: Mapping[nn.Module, nn.Module]) -> Iterator[LinearMaps]:
        """The longest rows of layers that stand beside one another in the model, without a bottleneck."""
        path = self.step.models.path
        joined = {
            one: other
            for one, other in pairs.items()
            if _is_wide(one, other) and _stack(path(one)) == _stack(path(other))
        }
        for first in joined.keys() - set(joined.values()):
            row = [first]
            while (following := joined.get(row[-1])) is not None and following not in row:
                row.append(following)
            sizes = (_width(first), *(_units(module) for module in row))
            yield LinearMaps(tuple(map(path, row)), sizes, self._is_whole(row))

    def _is_whole(self, row: Sequence[nn.Module]) -> bool:
        """Whether nothing else with weights ran, and the loss leads to no other weights."""
        own = {id(p) for module in row for p in own_parameters(module)}
        others = any(leaf.requires_grad and id(leaf) not in own for leaf in trainable(self.step.leaves))
        return len(row) == len(self._weighty) and not others


def _pairs(graph: Graph, key: object) -> dict[nn.Module, nn.Module]:
    """Each layer all of whose outputs go into one other layer alone, with that layer, which is given nothing else."""
    calls = [(node, made) for node in graph.nodes if isinstance(made := node.metadata.get(key), _Made)]
    maps = [(node, made) for node, made in calls if _is_map(made.module)]
    ways = [(made.module, _way(made.given, key)) for _, made in maps]
    if not any(way for _, way in ways):
        return {}
    readers = Counter(parent for node in graph.nodes for parent in parents(node))
    found: dict[nn.Module, set[nn.Module | None]] = {}
    givers: dict[nn.Module, set[nn.Module | None]] = {}
    for module, way in ways:
        giver = way[-1].metadata[key].module if way and all(readers[node] == 1 for node in way) else None
        givers.setdefault(module, set()).add(giver)
        if giver is not None:
            found.setdefault(giver, set()).add(module)
    calls_of = Counter(made.module for _, made in maps)
    each = ((giver, next(iter(takers))) for giver, takers in found.items() if len(takers) == 1)
    return {
        giver: taker
        for giver, taker in each
        if taker is not None and giver is not taker and givers[taker] == {giver} and calls_of[giver] == calls_of[taker]
    }


def _way(node: Node | None, key: object) -> Sequence[Node]:
    """The nodes from what a layer is given back to the output of another one; empty where anything else is between."""
    way: list[Node] = []
    for _ in range(FARTHEST):
        if node is None:
            return ()
        way.append(node)
        made = node.metadata.get(key)
        if isinstance(made, _Made):
            if _is_map(made.module):
                return way
            node = made.given
        elif operation(node) in VIEWS:
            node = next(iter(parents(node)), None)
        else:
            return ()
    return ()


def _is_map(module: nn.Module) -> bool:
    """Whether a module is a trained linear layer or convolution of torch, with the forward that torch gives it."""
    kind = type(module)
    if isinstance(module, nn.Linear):
        own = kind.forward is nn.Linear.forward
    else:
        plain = next((each for each in (nn.Conv1d, nn.Conv2d, nn.Conv3d) if isinstance(module, each)), None)
        own = plain is not None and kind.forward is plain.forward and getattr(module, "groups", 0) == 1
    return own and any(p.requires_grad for p in own_parameters(module))


def _is_wide(one: nn.Module, other: nn.Module) -> bool:
    """Whether both together are one map of the kind of the first, and there is no bottleneck between them."""
    if isinstance(one, nn.Linear) != isinstance(other, nn.Linear) or _units(one) != _width(other):
        return False
    if isinstance(other, _ConvNd) and (
        any(size != 1 for size in (*other.kernel_size, *other.stride)) or _is_padded(other)
    ):
        return False
    return _units(one) >= min(_width(one), _units(other))


def _is_padded(module: _ConvNd) -> bool:
    return module.padding == "same" or any(size != 0 for size in module.padding)


def _width(module: nn.Module) -> int:
    """How many numbers each unit of a layer takes in."""
    if isinstance(module, _ConvNd):
        return module.in_channels * math.prod(module.kernel_size)
    return int(getattr(module, "in_features", 0))


def _units(module: nn.Module) -> int:
    return int(getattr(module, "out_features", getattr(module, "out_channels", 0)))


def _stack(path: str) -> str:
    """What a layer is a part of: its path without its own name and without places in lists."""
    return ".".join(part for part in path.split(".")[:-1] if not part.isdecimal())


def _node(given: Tensor | None) -> Node | None:
    return None if given is None else maker(given)
