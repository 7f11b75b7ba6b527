"""The calls of recurrent layers and cells on one step, and the sequences that they make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gradreach.engine.layout import layout_of


@dataclass
class RecurrentCall:
    """One call; `gradients` fills in the script's backward pass, by "output", "h" and "c"."""

    module: nn.Module
    x: Any
    hx: Any
    state_in: tuple[Tensor, ...]
    state_out: tuple[Tensor, ...]
    output: Tensor
    generator: Tensor | None
    order: int
    gradients: dict[str, Tensor] = field(default_factory=dict)

    @property
    def of_cell(self) -> bool:
        """Whether the module is a cell, so that the call is one step."""
        return isinstance(self.module, nn.RNNCellBase)


@dataclass(frozen=True)
class CalledSequence:
    """A sequence of B rows that a module went through: its own input (B, T, f), the state handed in and the one that
    came out; of a step that was looked at also the output of the top layer (B, T, h) and the local errors there, of
    some `rows` alone where it says which."""

    module: nn.Module
    x: Tensor
    state_in: tuple[Tensor, ...]
    state_out: tuple[Tensor, ...]
    packed: bool
    batch_first: bool
    order: int
    output: Tensor | None = None
    error: Tensor | None = None
    rows: Tensor | None = None


def sequences_of(calls: list[RecurrentCall]) -> list[list[RecurrentCall]]:
    """Calls that hand their state on as it is make one sequence; every other call is one by itself."""
    number = 0
    numbers = [0]
    for earlier, later in pairwise(calls):
        number += not _hands_on(earlier, later)
        numbers.append(number)
    grouped = groupby(zip(numbers, calls, strict=True), key=lambda pair: pair[0])
    return [[call for _, call in group] for _, group in grouped]


def called_sequence(sequence: Sequence[RecurrentCall]) -> CalledSequence:
    """The calls of one sequence as a whole."""
    first, last = sequence[0], sequence[-1]
    if first.of_cell:
        x = torch.stack([call.x for call in sequence])
        x = x.unsqueeze(1) if x.dim() == 2 else x
    else:
        layout = layout_of(first.x, batch_first=bool(first.module.batch_first))
        x = layout.rows_out(torch.cat([layout.sequence_in(call.x) for call in sequence]))
    return CalledSequence(
        first.module,
        x.transpose(0, 1),
        first.state_in,
        last.state_out,
        isinstance(first.x, PackedSequence),
        bool(getattr(first.module, "batch_first", False)),
        last.order,
    )


def _hands_on(earlier: RecurrentCall, later: RecurrentCall) -> bool:
    same = len(earlier.state_out) == len(later.state_in) > 0
    return same and all(a is b for a, b in zip(earlier.state_out, later.state_in, strict=True))


def is_whole(calls: list[RecurrentCall]) -> bool:
    """A stock layer runs whole sequences by itself; one fed step by step must hand its state on as it is."""
    stepwise = calls[0].of_cell or (len(calls) >= 3 and length_of(calls[0]) == 1)
    return not stepwise or len(sequences_of(calls)) <= max(1, len(calls) // 3)


def length_of(call: RecurrentCall) -> int:
    """The steps of a layer's call; 0 where it is packed, and for a cell."""
    if isinstance(call.x, PackedSequence) or call.of_cell:
        return 0
    return int(call.x.shape[time_axis(call)])


def time_axis(call: RecurrentCall) -> int:
    """Which axis of a layer's input and output is time."""
    return 1 if getattr(call.module, "batch_first", False) and call.x.dim() == 3 else 0


def detached(value: Any) -> Any:
    """An input or a state without its history; a list becomes a tuple."""
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, PackedSequence):
        return PackedSequence(value.data.detach(), *value[1:])
    return tuple(detached(item) for item in value) if isinstance(value, (tuple, list)) else value


def tensors_in(value: Any) -> tuple[Tensor, ...]:
    """The tensors of a state: of h, of (h, c), of None."""
    return (value,) if isinstance(value, Tensor) else tuple(value) if isinstance(value, (tuple, list)) else ()
