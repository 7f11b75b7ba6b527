"""Attentions that ignore exactly the places that hold data, and attend to the padding alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor

from gradreach.record.look import Look
from gradreach.record.seen.data import InvertedMask
from gradreach.watch.graph import Node
from gradreach.watch.ignored_keys import ignored_keys, is_attention
from gradreach.watch.lens import BackwardPass, Lens, WatchedStep
from gradreach.watch.padding_runs import FEWEST_STEPS, MOST_GIVEN, padded_places
from gradreach.watch.seldom import may_be_found, was_found

MOST_ATTENTIONS = 32

FEWEST_ROWS = 2
"""Rows with both data and padding that must agree."""


class InvertedMasks(Lens):
    """Holds the keys that each attention ignores against the padding of the data."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._found: tuple[InvertedMask, ...] = ()
        self._is_right_elsewhere = False

    def before_backward(self, backward: BackwardPass) -> None:
        """Read which keys the attentions ignore, before the backward pass uses the graph up."""
        if not may_be_found(self.step.carried, InvertedMasks):
            return
        attentions = islice(filter(is_attention, backward.graph.nodes), MOST_ATTENTIONS)
        with torch.no_grad():
            told = [each for node in attentions if (each := self._told(node)) is not None]
        found = (replace(each, may_be_meant=each.may_be_meant and self._is_right_elsewhere) for each in reversed(told))
        self._found = tuple(dict.fromkeys(found))

    def look(self, look: Look) -> Look:
        """The look's `inverted_masks`, in the order in which they run."""
        was_found(self.step.carried, InvertedMasks, found=bool(self._found))
        return replace(look, inverted_masks=self._found)

    def _told(self, node: Node) -> InvertedMask | None:
        ignored = ignored_keys(node)
        if ignored is None or ignored.shape[1] < FEWEST_STEPS:
            return None
        for places in self._padding(*ignored.shape):
            keys = ignored.reshape(len(places), -1, ignored.shape[1]).all(1)
            both = places.any(1) & ~places.all(1)
            if int(both.sum()) < FEWEST_ROWS:
                continue
            if torch.equal(keys[both], ~places[both]):
                return self._inverted(node, places)
            self._is_right_elsewhere |= torch.equal(keys[both], places[both])
        return None

    def _inverted(self, node: Node, places: Tensor) -> InvertedMask:
        module = self.step.spans.module_of(node._sequence_nr())
        path, kind = ("", "") if module is None else (self.step.models.path(module), type(module).__name__)
        entries, steps = places.shape
        of_one_sequence = node._input_metadata[0].shape[-2] == steps
        return InvertedMask(path, kind, entries, steps, places.float().mean().item(), of_one_sequence)

    def _padding(self, rows: int, steps: int) -> Iterator[Tensor]:
        """Where the data of sequences of so many steps are padding, and nothing that the model is given differs."""
        given = [x for x in self.step.data.sequences() if x.dim() > 1 and steps in x.shape[:2]]
        for entries in {x.shape[1] if x.shape[0] == steps else x.shape[0] for x in given}:
            along = self.step.data.aligned(entries, steps, batch_first=True) if rows % entries == 0 else []
            for x in along:
                places = padded_places(x) if x.numel() <= MOST_GIVEN else None
                if places is not None and not _is_one(x[~places]) and all(_is_one(each[places]) for each in along):
                    yield places


def _is_one(x: Tensor) -> bool:
    """Whether all of these are one and the same value: of a mask each side is."""
    return len(x) == 0 or bool((x == x[:1]).all())
