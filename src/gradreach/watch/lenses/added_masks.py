"""Masks that are added to the scores of an attention and change next to nothing there: 0 and 1, or 0 and -1e-9."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.data import AddedMask
from gradreach.watch.graph import Node
from gradreach.watch.ignored_keys import IGNORED, MASKS, is_attention
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.lenses.losses import Losses
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.targets_of_places import asks_each_place
from gradreach.watch.tensors import is_dense_and_real

MOST_MASKS = 32
MOST_NUMBERS = 1 << 22

FEWEST_KEYS = 4
FEWEST_ROWS = 4

SLIGHT = 1e-3
"""What a mask adds that leaves weights as they are."""

_PLACES = {"key_padding_mask": 3, "attn_mask": 5}
"""The masks of `nn.MultiheadAttention`, and where they stand among its arguments."""


class AddedMasks(Lens):
    """Reads the masks of numbers that attentions are given, as a module's arguments or as one operation saved them."""

    after = (Losses,)

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._found: dict[tuple[str, bool], AddedMask] = {}
        self._given: list[tuple[nn.Module, Tensor]] = []

    def called(self, call: ModuleCall) -> None:
        """Note the masks that a MultiheadAttention of a model was given."""
        if call.of_model and isinstance(call.module, nn.MultiheadAttention) and len(self._given) < MOST_MASKS:
            self._given += [(call.module, mask) for mask in _masks_of(call)]

    def before_backward(self, backward: BackwardPass) -> None:
        """Read the masks, before the backward pass uses the graph up."""
        given, self._given, self._found = self._given, [], {}
        with torch.no_grad():
            for module, mask in given:
                self._take(module, mask)
            for node in islice(filter(is_attention, reversed(backward.graph.nodes)), MOST_MASKS):
                if (saved := _saved(node)) is not None:
                    self._take(self.step.spans.module_of(node._sequence_nr()), saved)

    def look(self, look: Look) -> Look:
        """The look's `added_masks`, in the order in which they run."""
        sequences = self.step.data.sequences()
        seen = (
            replace(mask, at_each_place=mask.is_future and asks_each_place(look.losses, (), mask.keys, sequences))
            for mask in self._found.values()
        )
        return replace(look, added_masks=tuple(seen))

    def _take(self, module: nn.Module | None, mask: Tensor) -> None:
        path, kind = ("", "") if module is None else (self.step.models.path(module), type(module).__name__)
        seen = _slight(mask.detach(), path, kind)
        if seen is not None:
            self._found.setdefault((path, seen.is_future), seen)


def _masks_of(call: ModuleCall) -> Iterator[Tensor]:
    for name, place in _PLACES.items():
        mask: Any = call.kwargs.get(name, call.args[place] if len(call.args) > place else None)
        if isinstance(mask, Tensor) and is_dense_and_real(mask) and not mask.requires_grad:
            yield mask


def _saved(node: Node) -> Tensor | None:
    """The mask of numbers that an attention of one operation saved; one that is learned is none."""
    masks = (saved_value(node, name) for name in MASKS)
    found = next((each for each in masks if isinstance(each, Tensor)), None)
    return found if found is not None and is_dense_and_real(found) and not found.requires_grad else None


def _slight(mask: Tensor, path: str, kind: str) -> AddedMask | None:
    """What a mask (…, S) tells of itself, if it is one of two values that hardly differ, in the form of a mask."""
    if mask.dim() < 2 or mask.shape[-1] < FEWEST_KEYS or mask.numel() > MOST_NUMBERS:
        return None
    values = mask[mask > IGNORED].unique().tolist()
    if len(values) != 2 or not (values == [0.0, 1.0] or values[1] - values[0] < SLIGHT):
        return None
    low, high = values
    is_high = mask == high
    *_, queries, keys = mask.shape
    if queries == keys and (attended := _of_the_past(is_high)) is not None:
        return AddedMask(path, kind, keys, high if attended else low, low if attended else high, is_future=True)
    if (attended := _of_the_data(is_high, mask > IGNORED)) is not None:
        return AddedMask(path, kind, keys, high if attended else low, low if attended else high)
    return None


def _of_the_past(is_high: Tensor) -> bool | None:
    """Whether a place and those before it have the higher value, and all after it the lower one, or the lower and the
    higher; None where neither."""
    later = torch.ones(is_high.shape[-2:], dtype=torch.bool, device=is_high.device).triu(1)
    of_later, of_past = is_high[..., later], is_high[..., ~later]
    if bool(of_past.all()) and not bool(of_later.any()):
        return True
    return False if bool(of_later.all()) and not bool(of_past.any()) else None


def _of_the_data(is_high: Tensor, counts: Tensor) -> bool | None:
    """Whether the data have the higher value and the padding, at one end of rows of several lengths, the lower; False
    of the reverse, None where the rows have another form."""
    rows, alone = is_high.flatten(0, -2), counts.flatten(0, -2).all(-1)
    rows = rows[alone]
    if (
        len(rows) < FEWEST_ROWS
        or bool((rows == rows[:1]).all())
        or bool(((rows[:, 1:] != rows[:, :-1]).sum(-1) > 1).any())
    ):
        return None
    for end in (0, -1):
        if bool((rows[:, end] == rows[0, end]).all()):
            return bool(rows[0, end])
    return None
