"""Masks that shut nothing out: where scores were filled, the softmax still gives weight, and the loss reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from math import prod

import torch
from torch import Tensor

from gradreach.record.look import Look
from gradreach.record.seen.data import IdleMask
from gradreach.watch.graph import Node, on_gradient, operation, softmax_axis
from gradreach.watch.ignored_keys import SOFTMAXES
from gradreach.watch.lens import BackwardPass, Lens, WatchedStep
from gradreach.watch.lenses.losses import Losses
from gradreach.watch.masked_fills import masked_fills
from gradreach.watch.nonfinite.operations import key_of
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.seldom import may_be_found, was_found
from gradreach.watch.targets_of_places import asks_each_place
from gradreach.watch.tensors import is_dense_and_real

MOST_ATTENTIONS = 32
MOST_ENTRIES = 32
MOST_QUERIES = 64

FEWEST_KEYS = 4
FEWEST_ROWS = 4
"""Rows of weights with masked and open places, read by the loss, that are needed to tell."""

LEAST_RATIO = 1e-3
"""What a masked place gets of an open one's weight, below which a mask works."""


@dataclass(frozen=True, slots=True)
class _PlacesRead:
    """The entries and queries of weights (…, L, S) that are read, by their places."""

    axis: int
    entries: tuple[Tensor, ...]
    queries: Tensor

    def of(self, x: Tensor) -> Tensor:
        """These of the weights, or of what has their shape: (entries, queries, S)."""
        return _laid_out(x, self.axis)[self.entries].index_select(-2, self.queries)


@dataclass(frozen=True, slots=True)
class _Masked:
    """Weights that were read before the backward pass: where one fill masked them, and where none did."""

    seen: IdleMask
    sample: _PlacesRead
    weights: Tensor
    masked: Tensor
    open: Tensor
    entries: int


class IdleMasks(Lens):
    """Holds the weight at masked places against that at open ones, in the rows where the loss reads the masked ones."""

    after = (Losses,)

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._pending: dict[int, _Masked] = {}
        self._found: dict[int, tuple[IdleMask, int]] = {}

    def before_backward(self, backward: BackwardPass) -> None:
        """Read the weights and the masks before them, and wait for the gradient that tells which are read."""
        self._pending, self._found = {}, {}
        if not may_be_found(self.step.carried, IdleMasks):
            return
        softmaxes = (node for node in backward.graph.nodes if key_of(operation(node)) in SOFTMAXES)
        with torch.no_grad():
            for node in islice(softmaxes, MOST_ATTENTIONS):
                for each in self._masked(node):
                    number = len(self._pending)
                    self._pending[number] = each
                    on_gradient(node, 0, partial(self._take, number), self.step.own_work)

    def look(self, look: Look) -> Look:
        """The look's `idle_masks`, in the order in which they run."""
        was_found(self.step.carried, IdleMasks, found=bool(self._found))
        each = [found for _, found in sorted(self._found.items(), reverse=True)]
        given = self.step.data.sequences()
        seen = (
            replace(mask, at_each_place=asks_each_place(look.losses, (entries,), mask.queries, given))
            for mask, entries in each
        )
        return replace(look, idle_masks=tuple(seen))

    def _masked(self, node: Node) -> list[_Masked]:
        weights = saved_value(node, "result")
        if not isinstance(weights, Tensor) or weights.dim() < 2 or not is_dense_and_real(weights):
            return []
        fills, axis = masked_fills(node, tuple(weights.shape)), softmax_axis(node)[0]
        if not fills or weights.shape[axis] < FEWEST_KEYS:
            return []
        sample = _sample(weights, axis)
        masks = [sample.of(fill) for fill in fills]
        is_open, covered, found = ~torch.stack(masks).any(0), torch.zeros_like(masks[0]), []
        for mask in masks:
            masked, covered = mask & ~covered, covered | mask
            is_future = _is_future(mask, sample.queries)
            if _is_in_one_piece(masked, is_open) and (is_future or _differs(mask)):
                seen = self._seen(node, weights, axis, is_future=is_future)
                entries = _laid_out(weights, axis).shape[0]
                found.append(_Masked(seen, sample, sample.of(weights.detach()), masked, is_open, entries))
        return found

    def _seen(self, node: Node, weights: Tensor, axis: int, *, is_future: bool) -> IdleMask:
        module = self.step.spans.module_of(node._sequence_nr())
        path, kind = ("", "") if module is None else (self.step.models.path(module), type(module).__name__)
        queries, keys = _laid_out(weights, axis).shape[-2:]
        return IdleMask(path, kind, queries, keys, 0.0, 0.0, is_future=is_future)

    def _take(self, number: int, gradient: Tensor) -> None:
        each = self._pending.pop(number, None) if self.step.is_recording else None
        if each is None:
            return
        reads = (each.sample.of(gradient) != 0) & each.masked
        rows = reads.any(-1) & each.open.any(-1)
        if int(rows.sum()) < FEWEST_ROWS:
            return
        weights, masked, is_open = each.weights[rows].float(), each.masked[rows], each.open[rows]
        at_masked, at_open = (weights * masked).sum(-1), (weights * is_open).sum(-1)
        ratios = (at_masked / masked.sum(-1)) / (at_open / is_open.sum(-1))
        ratio, share = ratios.nan_to_num(posinf=1e6).median().item(), at_masked.mean().item()
        least = weights.masked_fill(~is_open, torch.inf).amin(-1)
        above = (weights.masked_fill(~masked, 0.0).amax(-1) > least).float().mean().item()
        if ratio >= LEAST_RATIO:
            self._found[number] = (replace(each.seen, ratio=ratio, share=share, above=above), each.entries)


def _laid_out(x: Tensor, axis: int) -> Tensor:
    """Weights as (…, L, S), with an axis before these two at least."""
    x = x.movedim(axis, -1)
    return x.unsqueeze(0) if x.dim() == 2 else x


def _sample(weights: Tensor, axis: int) -> _PlacesRead:
    """Entries and queries, evenly spaced."""
    *lead, steps, _ = _laid_out(weights, axis).shape
    entries = _spaced(prod(lead), MOST_ENTRIES, weights.device)
    return _PlacesRead(axis, torch.unravel_index(entries, lead), _spaced(steps, MOST_QUERIES, weights.device))


def _spaced(size: int, most: int, device: torch.device) -> Tensor:
    return torch.linspace(0, size - 1, min(size, most), device=device).round().long()


def _is_in_one_piece(masked: Tensor, is_open: Tensor) -> bool:
    """Whether rows with masked and open places have these in one piece, as padding at an end and the future leave it.

    A mask that follows from the scores themselves, as one of those under a threshold, leaves no such piece.
    """
    rows = is_open[masked.any(-1) & is_open.any(-1)]
    starts = (rows[:, 1:] & ~rows[:, :-1]).sum(-1) + rows[:, 0]
    return len(rows) >= FEWEST_ROWS and bool((starts == 1).all())


def _differs(mask: Tensor) -> bool:
    """Whether rows differ in what is masked, as padding does: a place that is set for all of them is another thing."""
    rows = mask.flatten(0, -2)
    return bool((rows != rows[:1]).any())


def _is_future(mask: Tensor, queries: Tensor) -> bool:
    """Whether a mask (entries, L, S) shuts out all that comes after a place, and not the place itself."""
    keys = torch.arange(mask.shape[-1], device=mask.device)
    if mask.shape[-2] < FEWEST_KEYS or int(queries[-1]) + 1 != mask.shape[-1]:
        return False
    later, same = keys > queries[:, None], keys == queries[:, None]
    return bool(mask[:, later].all()) and not bool(mask[:, same][:, 1:].all())
