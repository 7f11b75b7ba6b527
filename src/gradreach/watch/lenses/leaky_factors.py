"""Whether the policy's term of a loss also trains the output that its advantages are taken off, and how hard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from gradreach.record.look import Look
from gradreach.record.seen.loss import LeakyFactor
from gradreach.watch.graph import Node, is_leaf
from gradreach.watch.leaky_factors import Leak, leak_of
from gradreach.watch.lens import BackwardPass, Lens, WatchedStep
from gradreach.watch.tensors import is_dense_and_real


class LeakyFactors(Lens):
    """Looks for such an output before the backward pass uses the graph up."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._found: LeakyFactor | None = None

    def before_backward(self, backward: BackwardPass) -> None:
        """Ask, by a pass over the part of the graph between, what gradient each of both terms has at the output."""
        leak = leak_of(backward.losses, self._owner)
        if leak is None or len(backward.losses) > 1 or not self.step.may_pass_again(backward):
            return
        try:
            pull, own = _pulls(backward.losses[0], leak)
        except RuntimeError:  # a part of the graph was used up by a pass before: the script's own pass tells
            return
        low, high = _range(product.weights for product in leak.products)
        self._found = LeakyFactor(
            self._module_of(leak.weighing), self._module_of([leak.products[0].policy]), pull, own, low, high
        )

    def look(self, look: Look) -> Look:
        """The look's `leaky_factor`."""
        return replace(look, leaky_factor=self._found)

    def _owner(self, node: Node) -> object:
        """The layer that computed an output, whichever call of it that was; the node itself where no layer did."""
        module = self._module(node)
        return node if module is None or next(module.children(), None) is not None else module

    def _module_of(self, nodes: Iterable[Node]) -> str:
        module = next((module for node in nodes if (module := self._module(node)) is not None), None)
        return "" if module is None else self.step.models.path(module)

    def _module(self, node: Node) -> nn.Module | None:
        return None if is_leaf(node) else self.step.spans.module_of(node._sequence_nr())


def _pulls(loss: Tensor, leak: Leak) -> tuple[float, float]:
    """The norms at the outputs of the gradient that comes by the log-probabilities' weights, and by the errors."""
    pull = _through(loss, [each.node for each in leak.products], leak.weighing)
    return _norm(pull), _norm(_through(loss, leak.errors, leak.held))


def _through(loss: Tensor, nodes: Sequence[Node], outputs: Sequence[Node]) -> Sequence[Tensor | None]:
    ends = [node.variable if is_leaf(node) else GradientEdge(node, 0) for node in outputs]
    edges = [GradientEdge(node, 0) for node in nodes]
    factors = torch.autograd.grad([loss], edges, retain_graph=True, allow_unused=True)
    known = [(edge, factor) for edge, factor in zip(edges, factors, strict=True) if factor is not None]
    starts, weights = zip(*known, strict=True) if known else ((), ())
    return torch.autograd.grad(starts, ends, weights, retain_graph=True, allow_unused=True) if known else ()


def _norm(gradients: Iterable[Tensor | None]) -> float:
    known = [each.detach().flatten().float() for each in gradients if each is not None and is_dense_and_real(each)]
    return torch.linalg.vector_norm(torch.cat(known)).item() if known else 0.0


def _range(weights: Iterable[Tensor | None]) -> tuple[float, float]:
    known = [each.detach().flatten().float() for each in weights if each is not None and is_dense_and_real(each)]
    numbers = torch.cat(known) if known else torch.zeros(1)
    return (numbers.min().item(), numbers.max().item()) if numbers.numel() else (0.0, 0.0)
