"""The layers that lead to a loss by penalties alone: by summands that hold nothing against data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from gradreach.watch.comparisons import ValueOf, comparisons, shape_of
from gradreach.watch.graph import Graph, Node, is_leaf, operation, parents
from gradreach.watch.nonfinite.operations import key_of
from gradreach.watch.summands import PARTS, RowFunction, row_function, summands_of, weights_of

MOST_NODES = 20_000
"""Operations of a graph beyond which none is asked."""


@dataclass(frozen=True, slots=True)
class Penalised:
    """The `layers` whose outputs are held by penalties alone, by their own weights, and all `leaves` that lead to the
    loss through these only. `mean` and `log_variance` are the weights of the layers that put out the two of a Gaussian
    whose divergence from the normal one is such a penalty."""

    layers: tuple[tuple[Tensor, ...], ...]
    leaves: tuple[Tensor, ...]
    mean: tuple[Tensor, ...] = ()
    log_variance: tuple[Tensor, ...] = ()


def penalised(losses: Sequence[Tensor], graph: Graph, value_of: ValueOf) -> Penalised | None:
    """What leads to these losses by penalties alone, where something is compared in them too.

    A penalty is one function of the outputs of layers for each row, and so is least where these are the same whatever
    the data. Layers whose weights are used in anything else are left out, and those that no penalty keeps from growing:
    what is made ever larger or smaller judges what it is given, as a critic does.
    """
    if not graph.whole or len(graph.nodes) > MOST_NODES or graph.runs_functions_of_its_own():
        return None
    compared = {each.node: each.kind for each in comparisons(losses, value_of)}
    if not any(kind != "product" for kind in compared.values()):
        return None
    summands = summands_of(losses, compared)
    made = {each: row_function(each, value_of) for each in summands if each not in compared}
    functions = {
        each: replace(function, is_two_sided=function.is_two_sided and not summands[each])
        for each, function in made.items()
        if function is not None and function.layers
    }
    if not functions:
        return None
    alone = _alone(list(summands), functions)
    layers = _layers((each for each in functions if each in alone), functions)
    if not layers:
        return None
    shared = _reached(each for each in summands if each not in alone)
    leaves = [node.variable for node in _reached(layers) if is_leaf(node) and node not in shared]
    mean, log_variance = _gaussian(functions)
    if log_variance not in layers:
        mean = log_variance = None
    return Penalised(tuple(map(_weights, layers)), tuple(leaves), _weights(mean), _weights(log_variance))


Functions = Mapping[Node, RowFunction]


def _alone(summands: Sequence[Node], functions: Functions) -> set[Node]:
    """Those of the penalties all of whose layers lead to nothing else, and are kept from growing by one of them."""
    alone, (_, log_variance) = set(functions), _gaussian(functions)
    while True:
        shared = _reached(each for each in summands if each not in alone)
        layers = _layers(alone, functions)
        held = {layer for each in alone if functions[each].is_two_sided for layer in functions[each].layers}
        weights = [weight for layer in layers for weight in weights_of(layer)]
        barred = {
            layer
            for layer in layers
            if layer in shared
            or not (layer in held or layer is log_variance)
            or any(weight in shared or weights.count(weight) > 1 for weight in weights_of(layer))
        }
        left = {each for each in alone if barred.isdisjoint(functions[each].layers)}
        if left == alone:
            return alone
        alone = left


def _layers(summands: Iterable[Node], functions: Functions) -> list[Node]:
    return list(dict.fromkeys(layer for each in summands for layer in functions[each].layers))


def _reached(nodes: Iterable[Node]) -> dict[Node, None]:
    """Every node that a backward pass from these would visit."""
    seen = dict.fromkeys(nodes)
    pending = list(seen)
    for node in pending:  # grows while it is walked
        for parent in parents(node):
            if parent not in seen:
                seen[parent] = None
                pending.append(parent)
    return seen


def _gaussian(functions: Functions) -> tuple[Node | None, Node | None]:
    """The layers of a mean that is squared, and of the logarithm of a variance, which is added up and exponentiated."""
    by_key: dict[str, list[Node]] = {}
    for each, function in functions.items():
        key = key_of(operation(each))
        is_added = each in function.layers or key in PARTS or key == "clamp"
        if len(function.layers) == 1:
            by_key.setdefault("added" if is_added else key, []).append(function.layers[0])
    log_variance = next((layer for layer in by_key.get("exp", ()) if layer in by_key.get("added", ())), None)
    squared = [layer for key in ("pow", "square", "mul") for layer in by_key.get(key, ())]
    mean = next((layer for layer in squared if log_variance and shape_of(layer) == shape_of(log_variance)), None)
    return (None, None) if mean is None else (mean, log_variance)


def _weights(layer: Node | None) -> tuple[Tensor, ...]:
    return () if layer is None else tuple(each.variable for each in weights_of(layer))
