"""What the loss is made of: which output it holds against which target, and how both lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gradreach.record.look import Look
from gradreach.record.seen.loss import LossConstant, LossLook
from gradreach.watch.comparisons import Compared, comparisons_behind
from gradreach.watch.graph import Node, maker, mark, operation
from gradreach.watch.growths import growths
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.loss_constant import loss_constant
from gradreach.watch.loss_targets import RANGES, RECURRENT, with_targets
from gradreach.watch.nonfinite.operations import key_of, plain_word
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.normed_outputs import normed_output
from gradreach.watch.padded_rows import padded_rows
from gradreach.watch.row_losses import MOST_CLASSES, is_likelihood, row_losses
from gradreach.watch.spreads import MOST_NUMBERS, spread_of
from gradreach.watch.tensors import first_tensor, is_dense, is_dense_and_real
from gradreach.watch.terms import terms_of

MOST_KEPT = 1 << 16
"""Numbers of an output that are kept until the backward pass begins."""

MOST_COMPARISONS = 8

_MADE_BY = "gradreach: made by"


class Losses(Lens):
    """Reads the comparisons of the loss before the backward pass uses the graph up."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._found: tuple[LossLook, ...] = ()
        self._constant: LossConstant | None = None

    def called(self, call: ModuleCall) -> None:
        """Note on what the module returned that it did, and its numbers where they are few."""
        output = first_tensor(call.output)
        node = None if output is None else maker(output)
        if output is None or node is None or not call.of_model:
            return
        before = node.metadata.get(_MADE_BY)
        kept = output.detach() if output.numel() <= MOST_KEPT and is_dense(output) else None
        mark(node, _MADE_BY, (call.module if before is None else before[0], kept))

    def before_backward(self, backward: BackwardPass) -> None:
        """The comparisons of the losses, term by term."""
        terms = terms_of(backward.losses)
        found = [
            (number, each)
            for number, term in enumerate(terms.found, 1)
            for each in comparisons_behind([term.node], value_of, turned=term.is_turned)
        ][:MOST_COMPARISONS]
        with torch.no_grad():
            self._found = tuple(
                replace(
                    self._look(each),
                    term=number,
                    terms=len(terms.found) if each.is_whole else 0,
                    is_whole=each.is_whole and terms.are_one,
                )
                for number, each in found
            )
        self._follow_growth([each for _, each in found])
        is_each_one = [number for number, _ in found] == list(range(1, len(terms.found) + 1))
        if terms.has_constant and is_each_one and self.step.may_pass_again(backward):
            self._constant = loss_constant(backward, [each for _, each in found], self._found, self.step.scale)

    def look(self, look: Look) -> Look:
        """The look's `losses`, and its `loss_constant`."""
        return replace(look, losses=(*look.losses, *self._found), loss_constant=self._constant)

    def _follow_growth(self, found: Sequence[Compared]) -> None:
        """How the signal grows on the way to each output that is met for the first time."""
        first: set[tuple[str, str]] = self.step.carried.setdefault(Losses, set())
        new = {(seen.kind, seen.module) for seen in self._found} - first
        if not new or self.step.is_stored_elsewhere:
            return
        first |= new
        names = self.step.models.parameter_names()
        self._found = tuple(
            replace(seen, growths=growths(each.path[0], names)) if (seen.kind, seen.module) in new else seen
            for seen, each in zip(self._found, found, strict=True)
        )

    def _look(self, each: Compared) -> LossLook:
        made = [node.metadata[_MADE_BY][0] for node in each.path if _MADE_BY in node.metadata]
        module = made[-1] if made else None
        last = plain_word(operation(each.path[-1]))
        if isinstance(module, RECURRENT) and getattr(module, "nonlinearity", "tanh") == "tanh":
            last = type(module).__name__
        seen = LossLook(
            each.kind, each.shape, each.output_shape, each.target_shape, last,
            "" if module is None else self.step.models.path(module), each.is_whole, spread_of(each.output),
            is_turned=each.is_turned, has_negative_weights=each.has_negative_weights, weights=_weights(each),
            padded=padded_rows(each, self.step.data.sequences()),
        )  # fmt: skip
        if each.target is None or not is_dense(each.target) or each.output_shape != each.shape:
            return seen
        seen = replace(seen, value=_value(each), apart=_apart(each), normed=normed_output(each))
        return with_targets(seen, each, each.target)


def _value(each: Compared) -> float | None:
    """What a comparison came to at its mean, from the numbers that the graph holds."""
    if each.output is None or each.target is None or each.output.numel() > MOST_NUMBERS:
        return None
    losses = row_losses(each)
    if losses is not None and is_likelihood(each):
        losses = losses[each.target != (-100 if each.ignored is None else each.ignored)]
    return None if losses is None else losses.mean().item()


def _weights(each: Compared) -> tuple[float, ...]:
    """What the classes count; nothing where all count alike, or each column for itself."""
    weights = each.weights
    if weights is None or not is_dense_and_real(weights) or not 1 <= weights.numel() <= MOST_CLASSES:
        return ()
    if each.kind.startswith("binary"):
        return (1.0, float(weights.item())) if weights.numel() == 1 else ()
    return tuple(map(float, weights.flatten().tolist()))


def _apart(each: Compared) -> float | None:
    """How far the logits of one row lie apart: as far as the logarithms of its probabilities."""
    output = each.output
    if each.kind != "cross entropy" or output is None or output.dim() < 2 or output.numel() > MOST_NUMBERS:
        return None
    return (output.amax(1) - output.amin(1)).max().item()


def value_of(node: Node) -> Tensor | None:
    """What a node put out: kept by itself, as an activation does, or what the module returned."""
    if key_of(operation(node)) in RANGES:
        result = saved_value(node, "result")
        if isinstance(result, Tensor):
            return result
    value: Tensor | None = node.metadata.get(_MADE_BY, (None, None))[1]
    return value
