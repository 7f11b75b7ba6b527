"""How hard each term of a loss pulls at the weights that it shares with the others.

A few looks ask, by one more backward pass for each term, over the script's own graph, which accumulate into no `.grad`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from gradreach.record.look import Look
from gradreach.record.seen.loss import LossTerm
from gradreach.watch.graph import is_leaf, trainable
from gradreach.watch.lens import BackwardPass, Lens, WatchedStep
from gradreach.watch.tensors import is_dense, is_dense_and_real
from gradreach.watch.terms import MOST_TERMS, Term, terms_of

FIRST = 8
"""Looks at sums that are asked from the first one on; after them one in EACH is."""

EACH = 4

MOST_NUMBERS = 1 << 26
"""Numbers that the gradients of all terms may have together."""


class LossTerms(Lens):
    """Asks what gradient each term has of its own, before the backward pass uses the graph up."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._found: tuple[LossTerm, ...] = ()

    def before_backward(self, backward: BackwardPass) -> None:
        """Walk back from each term alone."""
        terms, leaves = terms_of(backward.losses).found, trainable(backward.graph.leaves)
        parameters = [leaf for leaf in leaves if is_dense_and_real(leaf)]
        numbers = sum(map(Tensor.numel, parameters)) * len(terms)
        if not 2 <= len(terms) <= MOST_TERMS or any(is_leaf(term.node) for term in terms):
            return
        if not parameters or numbers > MOST_NUMBERS:
            return
        if len(backward.losses) > 1 or not self.step.may_pass_again(backward) or not self._is_asked():
            return
        try:
            gradients = _gradients(backward.losses[0], terms, parameters)
        except RuntimeError:  # a part of the graph was used up by a pass before: the script's own pass tells
            return
        self._found = tuple(_term(gradients, number, self.step.scale) for number in range(len(terms)))

    def look(self, look: Look) -> Look:
        """The look's `loss_terms`."""
        return replace(look, loss_terms=self._found)

    def _is_asked(self) -> bool:
        met: int = self.step.carried.get(LossTerms, 0)
        self.step.carried[LossTerms] = met + 1
        return met < FIRST or met % EACH == 0


Gradients = Sequence[Tensor | None]
"""One for each parameter; None where a term does not lead to it."""


def _gradients(loss: Tensor, terms: Sequence[Term], parameters: Sequence[Tensor]) -> list[Gradients]:
    """Of each term the gradients at all the parameters, with what the script multiplies it with on the way."""
    edges = [GradientEdge(term.node, 0) for term in terms]
    factors = torch.autograd.grad([loss], edges, retain_graph=True, allow_unused=True)
    return [
        torch.autograd.grad([edge], parameters, [factor], retain_graph=True, allow_unused=True)
        for edge, factor in zip(edges, factors, strict=True)
    ]


@torch.no_grad()
def _term(gradients: Sequence[Gradients], number: int, scale: float) -> LossTerm:
    own, others = [], []
    for place, mine in enumerate(gradients[number]):
        beside = [all_of[place] for at, all_of in enumerate(gradients) if at != number]
        known = [each for each in beside if each is not None and is_dense(each)]
        if mine is not None and is_dense(mine) and known:
            own.append(torch.linalg.vector_norm(mine).item())
            others.append(torch.linalg.vector_norm(sum(known[1:], known[0])).item())
    return LossTerm(math.hypot(*own) / scale, math.hypot(*others) / scale)
