"""The local errors of one watched step, beside the inputs and the states that they may depend on.

Everything is (B, T, ·) in the data's own order of time, whatever layout the script uses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradreach.watch.lenses.loops import LoopErrors
from gradreach.watch.lenses.recurrent_calls import CalledSequence
from gradreach.watch.nonfinite.kept_calls import tensors_of

MOST_GIVEN = 16
"""Of the data that a step hands to its modules so many different tensors are told apart, and as many of its roots."""


@dataclass(frozen=True)
class Chunk:
    """Inputs (B, T, …) of one step, the state that was handed in with them, and the one that came out."""

    inputs: Tensor
    state_in: tuple[Tensor, ...] = ()
    state_out: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Residual:
    """Errors (B, T, p) at the output of `module`, that output (B, T, h), and the inputs: (B, T) ids or (B, T, f) real.

    `source` holds what tells one sequence from another, each (B, …). `chunk` is there where the module has a state.
    """

    module: str
    inputs: Tensor
    errors: Tensor
    states: Tensor
    source: tuple[Tensor, ...]
    chunk: Chunk | None = None
    recurrent: bool = True


class Given:
    """The data that modules were given on one step: sequences that none of them computed."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Any, ...], Tensor] = {}

    def called(self, args: tuple[Any, ...], kwargs: dict[str, Any], *, outermost: bool) -> bool:
        """Take in what a call was given; whether any of it was such data."""
        found = [tensor.detach() for tensor in tensors_of((args, kwargs)) if _is_data(tensor)]
        for tensor in found:
            if len(self._seen) < (2 if outermost else 1) * MOST_GIVEN:
                key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
                self._seen.setdefault(key, tensor)
        return bool(found)

    def sequences(self) -> tuple[Tensor, ...]:
        """All of it, as it came, in the order in which it was met."""
        return tuple(self._seen.values())

    def aligned(self, B: int, T: int, *, batch_first: bool) -> list[Tensor]:
        """The sequences of B rows and T steps, (B, T, …), but not what is the same in every row, as positions are."""
        laid_out = (laid(tensor, B, T, batch_first=batch_first) for tensor in self._seen.values())
        return [x for x in laid_out if x is not None and (B == 1 or not bool((x == x[:1]).all()))]


def of_sequence(sequence: CalledSequence, path: str, given: Given) -> Residual:
    """The errors that reached a recurrent module's output."""
    assert sequence.error is not None
    assert sequence.output is not None
    inputs, source = _inputs(sequence, given)
    chunk = Chunk(inputs, sequence.state_in, sequence.state_out)
    return Residual(path, inputs, sequence.error, sequence.output, source, chunk)


def of_loop(found: LoopErrors, path: str, given: Given) -> Residual | None:
    """The errors that reached the states of a recurrence that the script writes itself, where its data are sequences.

    The state of the last step may be known by no call that takes it: then the data have one step more.
    """
    B, T = len(found.states), found.steps
    data = [x[:, :T] for steps in (T, T + 1) if steps != B for x in given.aligned(B, steps, batch_first=True)]
    if not data:
        return None
    whole = (found.errors.new_zeros(B, found.first, found.errors.shape[-1]), found.errors)
    states = (found.states.new_zeros(B, found.first, found.states.shape[-1]), found.states)
    return Residual(path, data[0], torch.cat(whole, 1), torch.cat(states, 1), (data[0],))


def chunk_of(sequence: CalledSequence, given: Given) -> Chunk:
    """What a recurrent module went through on a step that is not looked at."""
    return Chunk(_inputs(sequence, given)[0], sequence.state_in, sequence.state_out)


def _inputs(sequence: CalledSequence, given: Given) -> tuple[Tensor, tuple[Tensor, ...]]:
    """What stands for the inputs of a recurrent layer, and what tells its sequences apart.

    The script's data where there is one such tensor and no doubt; else what the layer itself was given.
    """
    own = sequence.x
    data = given.aligned(own.shape[0], own.shape[1], batch_first=sequence.batch_first)
    if len(data) == 1 and not sequence.packed:
        return data[0], (data[0],)
    rows = data or [x for x in given.sequences() if x.dim() > 1 and len(x) == len(own)]
    return own, tuple(rows) or (own,)


def laid(x: Tensor, B: int, T: int, *, batch_first: bool) -> Tensor | None:
    """`x` as (B, T) ids or (B, T, f) where its first axes are these in either order, `batch_first` where B = T."""
    if B == 1 and x.dim() == (2 if x.is_floating_point() else 1):
        x, batch_first = x.unsqueeze(0), True
    if x.is_floating_point() and x.dim() == 2:
        x = x.unsqueeze(-1)
    first = tuple(x.shape[:2])
    if first == (B, T) and (batch_first or B != T):
        return x
    return x.transpose(0, 1) if first == (T, B) else None


def identities(source: Iterable[Tensor]) -> Tensor:
    """One int64 per row from the content of all of `source`: the same sample has the same, whenever it comes.

    A linear hash, Σ bits(x_i) · w_i modulo 2⁶⁴ with scrambled w; zeros at the end (padding) change nothing.
    """
    return sum((_hashed(x, 2 * n + 1) for n, x in enumerate(source)), torch.zeros((), dtype=torch.int64))


def _hashed(x: Tensor, factor: int) -> Tensor:
    flat = x.detach().reshape(len(x), -1)
    bits = flat.float().view(torch.int32).long() if flat.is_floating_point() else flat.long()
    w = torch.arange(1, flat.shape[1] + 1, device=flat.device) * -7046029254386353131  # splitmix64's own constants
    w = (w ^ (w >> 30)) * -4658895280553007687
    return (bits * (w ^ (w >> 27))).sum(1).mul(factor).cpu()


def _is_data(tensor: Tensor) -> bool:
    """Ids (B, T) or real values (B, T, f), unbatched (T,) and (T, f); an output of a module has a graph behind it."""
    if tensor.grad_fn is not None or tensor.requires_grad or tensor.layout != torch.strided or tensor.numel() == 0:
        return False
    if tensor.is_floating_point():
        return tensor.dim() in (2, 3)
    return tensor.dim() in (1, 2) and not tensor.is_complex() and tensor.dtype != torch.bool
