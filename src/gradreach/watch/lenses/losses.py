"""What the loss is made of: which output it holds against which target, and how both lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from gradreach.record.look import Look
from gradreach.record.seen.loss import LossConstant, LossLook, Spread
from gradreach.watch.comparisons import MEAN, NAMED, Compared, comparisons_behind
from gradreach.watch.graph import Node, maker, mark, operation
from gradreach.watch.growths import growths
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.nonfinite.operations import key_of, plain_word
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.padded_rows import padded_rows
from gradreach.watch.row_losses import MOST_CLASSES, constant_guess, is_likelihood, row_losses
from gradreach.watch.tensors import first_tensor, is_dense, is_dense_and_real
from gradreach.watch.terms import terms_of

RANGES = {
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "softplus": (0.0, math.inf),
    "exp": (0.0, math.inf),
}
"""What operations at the end of a network can give at all."""

RECURRENT = (nn.LSTM, nn.GRU, nn.RNN, nn.LSTMCell, nn.GRUCell, nn.RNNCell)
"""Layers whose output is a state between -1 and 1."""

MOST_KEPT = 1 << 16
"""Numbers of an output that are kept until the backward pass begins."""

MOST_NUMBERS = 1 << 20
"""Numbers of an output or target that are read; of more, evenly spaced rows."""

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
            for each in comparisons_behind([term.node], _value_of, turned=term.is_turned)
        ][:MOST_COMPARISONS]
        with torch.no_grad():
            self._found = tuple(
                replace(self._look(each), term=number, is_whole=each.is_whole and terms.are_one)
                for number, each in found
            )
        self._follow_growth([each for _, each in found])
        is_each_one = [number for number, _ in found] == list(range(1, len(terms.found) + 1))
        if terms.has_constant and is_each_one and self.step.may_pass_again(backward.graph):
            self._constant = _constant(backward, [each for _, each in found], self._found, self.step.scale)

    def look(self, look: Look) -> Look:
        """The look's `losses`, and its `loss_constant`."""
        return replace(look, losses=self._found, loss_constant=self._constant)

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
            "" if module is None else self.step.models.path(module), each.is_whole, _spread(each.output),
            is_turned=each.is_turned, has_negative_weights=each.has_negative_weights, weights=_weights(each),
            padded=padded_rows(each, self.step.data.sequences()),
        )  # fmt: skip
        if each.target is None or not is_dense(each.target) or each.output_shape != each.shape:
            return seen
        seen = replace(seen, value=_value(each), apart=_apart(each))
        return _with_classes(seen, each) if _has_classes(each) else _with_targets(seen, each.target)


def _constant(
    backward: BackwardPass, compared: Sequence[Compared], seen: Sequence[LossLook], scale: float
) -> LossConstant | None:
    """What is left of a loss beside its comparisons, each by its mean and its factor; None where one is not known."""
    values = [look.value for look in seen]
    if len(backward.losses) != 1 or None in values or not all(map(_is_mean, compared)):
        return None
    loss, edges = backward.losses[0], [GradientEdge(each.node, 0) for each in compared]
    factors = torch.autograd.grad([loss], edges, retain_graph=True, allow_unused=True)
    if any(factor is None for factor in factors) or loss.numel() != 1:
        return None
    whole = loss.detach().item() / scale
    known = sum((value or 0.0) * factor.sum().item() / scale for value, factor in zip(values, factors, strict=True))
    return LossConstant(whole - known, whole)


def _is_mean(each: Compared) -> bool:
    """Whether a comparison is a mean, or comes to one where all its numbers count alike."""
    return key_of(operation(each.node)) not in NAMED or saved_value(each.node, "reduction") == MEAN


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


def _has_classes(each: Compared) -> bool:
    return each.kind in ("cross entropy", "cross entropy on probabilities", "negative log-likelihood")


def _with_classes(seen: LossLook, each: Compared) -> LossLook:
    target, classes = each.target, each.output_shape[1:2] or each.output_shape
    if target is not None and target.is_floating_point():
        return _with_shares(seen, target)
    if target is None or not classes or classes[0] > MOST_CLASSES or target.dtype != torch.int64:
        return seen
    labels = target.reshape(-1)
    valid = labels[(labels >= 0) & (labels < classes[0])]
    if each.ignored is not None:
        valid = valid[valid != each.ignored]
    counts = torch.bincount(valid, minlength=classes[0]).tolist()
    guess = None if each.is_weighted else _entropy(counts)
    left_out = each.ignored if each.ignored is not None and 0 <= each.ignored < classes[0] else None
    ignored = left_out if left_out is not None and bool((labels == left_out).any()) else None
    return replace(seen, counts=tuple(counts), guess=guess, ignored=ignored)


def _with_shares(seen: LossLook, target: Tensor) -> LossLook:
    """Of targets that give each class its share, one to each row in all."""
    rows = _rows(target).reshape(-1, target.shape[-1]).double()
    if rows.shape[1] > MOST_CLASSES or not bool(((rows >= 0).all(1) & ((rows.sum(1) - 1).abs() < 1e-3)).all()):
        return seen
    counts = [round(each) for each in rows.sum(0).tolist()]
    return replace(seen, counts=tuple(counts), guess=_entropy(counts))


def _with_targets(seen: LossLook, target: Tensor) -> LossLook:
    if not is_dense_and_real(target):
        return seen
    target = _rows(target).float()
    guess = None
    if target.shape[:1].numel() >= 2 and bool(torch.isfinite(target).all()):
        guess = constant_guess(seen.kind, target)
    seen = replace(seen, targets=_spread(target), guess=guess)
    low, high = RANGES.get(seen.last, (-1.0, 1.0) if seen.last in _RECURRENT_NAMES else (-math.inf, math.inf))
    if seen.kind not in ("squared error", "absolute error") or (low, high) == (-math.inf, math.inf):
        return seen
    beyond = (low - target).clamp(min=0.0) + (target - high).clamp(min=0.0)
    left = beyond.square() if seen.kind == "squared error" else beyond
    return replace(seen, outside=(beyond > 0.0).float().mean().item(), floor=left.mean().item())


_RECURRENT_NAMES = frozenset(kind.__name__ for kind in RECURRENT)


def _entropy(counts: list[int]) -> float | None:
    whole = sum(counts)
    return -sum(n / whole * math.log(n / whole) for n in counts if n) if whole else None


def _spread(tensor: Tensor | None) -> Spread | None:
    if tensor is None or not is_dense_and_real(tensor) or not tensor.numel():
        return None
    rows = _rows(tensor).float()
    if not bool(torch.isfinite(rows).all()):
        return None
    within = rows.var(dim=0).mean().sqrt().item() if rows.shape[:1].numel() >= 2 and rows.dim() else 0.0
    return Spread(rows.min().item(), rows.max().item(), rows.mean().item(), within)


def _rows(tensor: Tensor) -> Tensor:
    """The tensor, or of a large one evenly spaced rows of it."""
    if tensor.numel() <= MOST_NUMBERS or not tensor.dim():
        return tensor
    return tensor[:: -(-tensor.numel() // MOST_NUMBERS)]


def _value_of(node: Node) -> Tensor | None:
    """What a node put out: kept by itself, as an activation does, or what the module returned."""
    if key_of(operation(node)) in RANGES:
        result = saved_value(node, "result")
        if isinstance(result, Tensor):
            return result
    value: Tensor | None = node.metadata.get(_MADE_BY, (None, None))[1]
    return value
