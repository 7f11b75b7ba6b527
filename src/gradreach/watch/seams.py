"""Where the script's graph goes on, behind what compiled code put out, in the graph of its eager form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from gradreach.watch.graph import Graph, Node, maker, operation, parents, walk
from gradreach.watch.nonfinite.operations import key_of

SCALING = frozenset({"mul", "div", "mean", "sum", "tocopy"})
"""Operations that only scale a single number."""

MOST_NODES = 64


Back = Callable[[Sequence[GradientEdge], Sequence[GradientEdge], Sequence[Tensor]], "tuple[Tensor | None, ...]"]
"""Gives the gradients at ends of a short pass that begins at starts with weights, as `gradients_at` does."""


@dataclass(frozen=True)
class Seams:
    """The outputs of compiled code, each with the eager one beside it, of which `inner` is the graph."""

    pairs: tuple[tuple[GradientEdge, Tensor], ...]
    inner: Graph

    @classmethod
    def of(cls, outputs: Sequence[tuple[Tensor, Tensor]]) -> Seams:
        """The seams of these outputs, each compiled and eager."""
        edges = ((maker(real), real.output_nr, eager) for real, eager in outputs)
        pairs = tuple((GradientEdge(node, number), eager) for node, number, eager in edges if node is not None)
        return cls(pairs, walk([eager for _, eager in outputs]))

    def back(
        self, starts: Sequence[GradientEdge], ends: Sequence[GradientEdge], weights: Sequence[Tensor]
    ) -> tuple[Tensor | None, ...]:
        """The gradients at these ends of a pass that begins at these starts, each on either side."""
        inside = frozenset(self.inner.nodes)
        begun = list(zip(starts, weights, strict=True))
        outer = [(start, weight) for start, weight in begun if start.node not in inside]
        inner = [(start, weight) for start, weight in begun if start.node in inside]
        far = [end for end in ends if end.node in inside]
        near = [end for end in ends if end.node not in inside]
        at_near, crossing = _from(outer, near, [edge for edge, _ in self.pairs])
        for (_, eager), gradient in zip(self.pairs, crossing, strict=True):
            if gradient is not None and (node := maker(eager)) is not None:
                inner.append((GradientEdge(node, eager.output_nr), gradient.to(eager.dtype)))
        at_far, _ = _from(inner, far, [])
        found = {**dict(zip(near, at_near, strict=True)), **dict(zip(far, at_far, strict=True))}
        return tuple(found[end] for end in ends)

    def eager(self, loss: Tensor) -> Tensor | None:
        """The eager form of a loss that compiled code has computed, whatever the script has scaled it by since."""
        single: dict[Node, Tensor] = {edge.node: eager for edge, eager in self.pairs if eager.numel() == 1}
        node = maker(loss)
        for _ in range(MOST_NODES):
            if node is None or node in single:
                return single.get(node)
            behind = parents(node)
            node = behind[0] if len(behind) == 1 and key_of(operation(node)) in SCALING else None
        return None


def gradients_at(
    starts: Sequence[GradientEdge], ends: Sequence[GradientEdge], weights: Sequence[Tensor]
) -> tuple[Tensor | None, ...]:
    """The gradients at these ends of a pass that begins at these starts; None where it does not come by."""
    return torch.autograd.grad(starts, ends, weights, retain_graph=True, allow_unused=True)


def _from(
    starts: Sequence[tuple[GradientEdge, Tensor]], ends: Sequence[GradientEdge], seams: Sequence[GradientEdge]
) -> tuple[Sequence[Tensor | None], Sequence[Tensor | None]]:
    if not starts or not (ends or seams):
        return [None] * len(ends), [None] * len(seams)
    edges, weights = zip(*starts, strict=True)
    met = gradients_at(edges, [*ends, *seams], weights)
    return met[: len(ends)], met[len(ends) :]
