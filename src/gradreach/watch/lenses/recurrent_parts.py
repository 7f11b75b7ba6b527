"""Some rows of the calls that make a sequence: what a look takes at a time where the whole batch has no room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gradreach.engine.cells.registry import cell_of
from gradreach.watch.lenses.recurrent_calls import RecurrentCall, length_of, time_axis

MOST_PARTS = 8
"""Parts that a batch is looked at in; where it would take more, one part of it alone is looked at."""


@dataclass(frozen=True, slots=True)
class BatchParts:
    """The rows of a batch of `batch` in parts, each spread over all of it; `rows` holds those that are looked at.

    A look at the whole takes `need` bytes. `rows` is empty where not a single row has room, and None where the whole
    has it.
    """

    batch: int
    need: int
    rows: tuple[Tensor, ...] | None = None

    @property
    def are_all(self) -> bool:
        """Whether every row is looked at."""
        return self.rows is None or sum(map(len, self.rows)) == self.batch


def parts_of(sequence: Sequence[RecurrentCall], room: int) -> BatchParts:
    """The parts of a sequence's rows of which each is looked at within the room, in bytes."""
    B, row, kept = _sizes(sequence)
    need = B * row
    if need <= room:
        return BatchParts(B, need)
    order = _order(sequence, B)
    for count in (2**n for n in range(1, B.bit_length() + 1)):
        held = -(-B // count)
        if order is None or held * row + (B if count <= MOST_PARTS else held) * kept > room:
            continue
        each = tuple(order[first::count] for first in range(min(count, B)))
        return BatchParts(B, need, each if count <= MOST_PARTS else each[:1])
    return BatchParts(B, need, ())


def rows_of(call: RecurrentCall, rows: Tensor) -> RecurrentCall:
    """The call as if it had been made with these rows alone."""
    packed = call.x if isinstance(call.x, PackedSequence) else None
    of_states = 0 if call.of_cell else 1
    along = 0 if call.of_cell or packed is not None else 1 - time_axis(call)
    entries = rows if packed is None else _packed(packed, rows)[0]

    def state(given: Any) -> Any:
        if isinstance(given, tuple):
            return tuple(map(state, given))
        return given.detach().index_select(of_states, rows) if isinstance(given, Tensor) else given

    def sequence(given: Tensor) -> Tensor:
        return given.detach().index_select(along, entries)

    return replace(
        call,
        x=sequence(call.x) if packed is None else _packed_rows(packed, rows),
        hx=state(call.hx),
        state_in=state(call.state_in),
        state_out=state(call.state_out),
        output=sequence(call.output),
        gradients={
            name: sequence(gradient) if name == "output" else state(gradient)
            for name, gradient in call.gradients.items()
        },
    )


def _sizes(sequence: Sequence[RecurrentCall]) -> tuple[int, int, int]:
    """How many rows there are, the bytes that a look at one of them takes, and those that are kept of it.

    In units of a layer's output over all steps, found by counting the tensors that are alive: each layer and direction
    holds what its gates and their slopes were, and one sweep at a time takes as much again as its gates.
    """
    first, module = sequence[0], sequence[0].module
    shape = first.x.data.shape
    if isinstance(first.x, PackedSequence):
        T, B = len(first.x.batch_sizes), int(first.x.batch_sizes[0])
    elif first.of_cell:
        T, B = len(sequence), shape[0] if len(shape) > 1 else 1
    else:
        T = sum(length_of(call) for call in sequence)
        B = shape[1 - time_axis(first)] if len(shape) > 2 else 1
    assert isinstance(module, (nn.RNNBase, nn.RNNCellBase))
    gates, layers, directions = cell_of(module).gates, 1, 1
    if isinstance(module, nn.RNNBase):
        layers, directions = module.num_layers, 1 + module.bidirectional
    held = layers * directions * (3.5 * gates + 1.5 + 3 * (directions - 1))
    sweep = 2 * gates + (6 if len(sequence) > 1 else 3)
    steps = T * (8 if first.output.dtype == torch.float64 else 4)
    H = module.hidden_size
    return B, int(steps * ((held + sweep) * H + 3 * shape[-1])), 2 * steps * directions * H


def _order(sequence: Sequence[RecurrentCall], B: int) -> Tensor | None:
    """The rows in the order in which every so-manieth is taken; None where the calls cannot be made with some alone."""
    first = sequence[0]
    if not isinstance(first.x, PackedSequence):
        return torch.arange(B, device=first.x.device)
    if len(sequence) > 1 or first.generator is not None:
        return None
    sorted_indices = first.x.sorted_indices
    return torch.arange(B, device=first.x.data.device) if sorted_indices is None else sorted_indices


def _packed(x: PackedSequence, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Where the entries of these rows, which stand as they are sorted, lie in the data, and how many each step has."""
    places = rows if x.unsorted_indices is None else x.unsorted_indices[rows]
    sizes = x.batch_sizes.to(places.device).unsqueeze(1)
    held = places < sizes
    return (sizes.cumsum(0) - sizes + places)[held], held.sum(1)


def _packed_rows(x: PackedSequence, rows: Tensor) -> PackedSequence:
    entries, sizes = _packed(x, rows)
    return PackedSequence(x.data.index_select(0, entries), sizes[sizes > 0].cpu())
