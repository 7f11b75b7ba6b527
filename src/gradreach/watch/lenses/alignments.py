"""CTC losses: which classes their targets hold beside the blank, and whether they are given log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor

from gradreach.record.look import Look
from gradreach.record.seen.loss import Alignment
from gradreach.watch.comparisons import path_of
from gradreach.watch.graph import Node, is_leaf, operation
from gradreach.watch.lens import BackwardPass, Lens, WatchedStep
from gradreach.watch.nonfinite.operations import CTC, key_of, plain_word
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.row_losses import MOST_CLASSES
from gradreach.watch.tensors import is_dense, is_dense_and_real

MOST_LOSSES = 4
MOST_FRAMES = 1024


class Alignments(Lens):
    """Reads what the CTC losses were given."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._found: tuple[Alignment, ...] = ()

    def before_backward(self, backward: BackwardPass) -> None:
        """Each CTC loss, before the backward pass uses the graph up."""
        nodes = islice((node for node in backward.graph.nodes if key_of(operation(node)) in CTC), MOST_LOSSES)
        with torch.no_grad():
            self._found = tuple(seen for node in nodes if (seen := _alignment(node)) is not None)

    def look(self, look: Look) -> Look:
        """The look's `alignments`."""
        return replace(look, alignments=self._found)


def _alignment(node: Node) -> Alignment | None:
    log_probs, targets, blank = (saved_value(node, name) for name in ("log_probs", "targets", "blank"))
    lengths = _numbers(saved_value(node, "target_lengths"))
    if not isinstance(log_probs, Tensor) or not isinstance(targets, Tensor) or not is_dense(targets):
        return None
    classes = log_probs.shape[-1]
    if not lengths or blank is None or classes > MOST_CLASSES:
        return None
    rows = _rows(targets.detach().cpu().long(), lengths)
    held = torch.cat(rows)
    counts = torch.bincount(held[(held >= 0) & (held < classes)], minlength=classes).tolist()
    at_end = sum(_blanks_at_end(row, blank) for row in rows)
    between = sum(_blanks_between(row, blank) for row in rows)
    off, are_shares = _frames(log_probs.detach(), _numbers(saved_value(node, "input_lengths")))
    return Alignment(int(blank), tuple(counts), at_end, between, off, _last(node), are_shares)


def _rows(targets: Tensor, lengths: Sequence[int]) -> list[Tensor]:
    """The targets of each entry, which stand in rows that are filled up, or all in one."""
    if targets.dim() > 1:
        return [row[:length] for row, length in zip(targets, lengths, strict=False)]
    return list(targets[: sum(lengths)].split(list(lengths)))


def _blanks_at_end(row: Tensor, blank: int) -> int:
    return int((row == blank).flip(0).long().cumprod(0).sum())


def _blanks_between(row: Tensor, blank: int) -> int:
    """How many blanks stand before, between and behind the targets of a row, if one stands between any two of them."""
    is_blank = row == blank
    alternates = len(row) > 1 and bool((is_blank[1:] != is_blank[:-1]).all())
    return int(is_blank.sum()) if alternates else 0


def _frames(log_probs: Tensor, lengths: Sequence[int]) -> tuple[float, bool]:
    """How far the logarithm of the sum of exponentials at a frame lies from 0, and whether frames are probabilities."""
    frames = log_probs if log_probs.dim() == 3 else log_probs.unsqueeze(1)
    within = torch.arange(len(frames))[:, None] < torch.tensor(lengths)
    if not is_dense_and_real(frames) or within.shape != frames.shape[:2]:
        return 0.0, False
    places = within.nonzero()
    spaced = places[:: max(len(places) // MOST_FRAMES, 1)].to(frames.device)
    read = frames[spaced[:, 0], spaced[:, 1]].float()
    if not len(read) or bool(torch.isnan(read).any()):
        return 0.0, False
    are_shares = bool((read >= 0).all()) and bool(((read.sum(-1) - 1).abs() < 1e-2).all())
    return read.logsumexp(-1).abs().mean().item(), are_shares


def _last(loss: Node) -> str:
    """The operation that computed what a loss was given, past those that only move it."""
    start = loss.next_functions[0][0]
    return "" if start is None or is_leaf(start) else plain_word(operation(path_of(start)[-1]))


def _numbers(lengths: Tensor | Sequence[int] | None) -> list[int]:
    if lengths is None:
        return []
    return list(map(int, lengths.flatten().tolist() if isinstance(lengths, Tensor) else lengths))
