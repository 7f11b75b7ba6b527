"""Through time: the recurrent layers and cells of torch.nn and gr.nn on one watched step, beside which the engine runs.

Of each call these are kept: its input and initial state, the generator where dropout draws from it, its output to
compare with, and the errors that the script's own backward pass brings to output, h_n and c_n.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gradreach.engine.adjoint import LayerAdjoint, backward, backward_calls, error_of
from gradreach.engine.cells.registry import cells
from gradreach.engine.look import look_at
from gradreach.engine.replay import Replay, SomeRows, replay_cells
from gradreach.engine.replay import replay as replay_layer
from gradreach.record.byte_sizes import readable
from gradreach.record.seen.recurrence import TimeLook
from gradreach.remedies.layers.recurrent_layer import RecurrentLayer
from gradreach.watch.graph import Node, maker, on_gradient
from gradreach.watch.layer_work import Faded
from gradreach.watch.lenses.faded_layers import faded
from gradreach.watch.lenses.rank_weights import RankWeights
from gradreach.watch.lenses.recurrent_calls import (
    CalledSequence,
    RecurrentCall,
    called_sequence,
    detached,
    is_whole,
    length_of,
    sequences_of,
    tensors_in,
    time_axis,
)
from gradreach.watch.lenses.recurrent_parts import BatchParts, parts_of, rows_of
from gradreach.watch.memory import Memory
from gradreach.watch.models import Models, named_parameters_of, parameters_of
from gradreach.watch.own_work import OwnWork
from gradreach.watch.tensors import is_dense, tensors_of, unscaled

RECURRENT = (nn.RNNBase, nn.RNNCellBase)
"""torch's layers and cells, and gr.nn's."""

MOST_CALLS = 20_000
MOST_LOOKS = 8
"""Separate sequences looked at in one module and step; further calls are left out of the time table."""

MAX_LAG = 1024


class RecurrentCollector:
    """Collects the calls of stock recurrent modules while a watched step runs.

    `is_recording` tells whether a gradient that arrives now is of the script's own backward pass.
    """

    def __init__(self, is_recording: Callable[[], bool], own_work: OwnWork, memory: Memory) -> None:
        self._is_recording = is_recording
        self._own_work = own_work
        self._memory = memory
        self.last: list[CalledSequence] = []
        self.faded: list[Faded] = []
        self._calls: dict[int, list[RecurrentCall]] = {}
        self._generators: dict[int, Tensor] = {}
        self._before: dict[int, Tensor] = {}
        self._caught: list[dict[str, Tensor]] = []
        self._rank = RankWeights(own_work)

    def entering(self, module: nn.Module) -> None:
        """Before a call: keep the generator's state where the layer will draw dropout from it."""
        if isinstance(module, nn.RNNBase) and module.dropout > 0 and module.training and module.num_layers > 1:
            self._generators[id(module)] = torch.get_rng_state()

    def called(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """Take in one call of a stock layer or cell; others are not ours."""
        if not _is_stock(module) or sum(map(len, self._calls.values())) >= MOST_CALLS:
            return
        x = args[0] if args else kwargs["input"]
        hx = args[1] if len(args) > 1 else kwargs.get("hx")
        caught = _outputs(module, output)
        if not all(is_dense(tensor) for tensor in (*tensors_of(x, hx), *caught.values())):
            return
        states = tuple(caught[name] for name in ("h", "c") if name in caught)
        shown = caught.get("output", caught["h"])
        call = RecurrentCall(
            module,
            detached(x),
            detached(hx),
            tensors_in(hx),
            states,
            shown.detach(),
            self._generators.pop(id(module), None),
            sum(map(len, self._calls.values())),
        )
        self._calls.setdefault(id(module), []).append(call)
        self._caught.append(call.gradients)
        self._rank.called(module)
        for name, tensor in caught.items():
            keep = partial(self._keep_gradient, call.gradients, name)
            on_gradient(maker(tensor), tensor.output_nr, keep, self._own_work)

    def let_go(self) -> None:
        """Let go of every call, and of the gradients that the hooks in the script's graph hold on to."""
        for gradients in self._caught:
            gradients.clear()
        for kept in (self._calls, self._caught, self._before, self._generators, self.last, self.faded):
            kept.clear()
        self._rank.release()

    @property
    def ran(self) -> bool:
        """Whether any stock recurrent module was called."""
        return bool(self._calls)

    def modules(self) -> list[nn.Module]:
        """The stock modules whose calls make whole sequences; none whose state is changed between calls."""
        return [calls[0].module for calls in self._calls.values() if is_whole(calls)]

    def before_backward(self, nodes: Sequence[Node]) -> None:
        """Keep what gradient the weights already hold, so that this pass's own share can be told; `nodes` are those of
        the script's graph."""
        if self._rank.is_needed:
            self._rank.before_backward(nodes)
            return
        modules = [calls[0].module for calls in self._calls.values()]
        self._before = {id(p): p.grad.detach().clone() for m in modules for p in parameters_of(m) if p.grad is not None}

    @torch.no_grad()
    def called_sequences(self) -> list[CalledSequence]:
        """The sequences of the module that was called last, on a step that is not looked at."""
        whole = [calls for calls in self._calls.values() if is_whole(calls)]
        last = max(whole, key=lambda calls: calls[-1].order, default=[])
        return [called_sequence(sequence) for sequence in sequences_of(last)] if last else []

    @torch.no_grad()
    def looks(self, models: Models, scale: float, *, maps: bool = True) -> tuple[TimeLook, ...]:
        """Every layer and direction of every sequence, by the engine, or without `maps` their errors alone; lets go of
        what was kept."""
        looks: list[TimeLook] = []
        for calls in self._calls.values():
            if is_whole(calls):
                looks += self._look_at_module(calls, models.path(calls[0].module), scale, maps=maps)
        self._calls.clear()
        self._rank.release()
        return tuple(looks)

    def _look_at_module(self, calls: list[RecurrentCall], path: str, scale: float, *, maps: bool) -> list[TimeLook]:
        module = calls[0].module
        looks: list[TimeLook] = []
        gradients: dict[str, Tensor] = {}
        twin = self._rank.twin(module)
        sequences = [[replace(call, module=twin) for call in sequence] for sequence in sequences_of(calls)]
        is_whole_pass = len(sequences) <= MOST_LOOKS
        for sequence in sequences[:MOST_LOOKS]:
            parts = parts_of(sequence, self._memory.room(sequence[0].output.device))
            self._tell_of_parts(path, parts)
            looks += self._look_at_parts(module, sequence, parts, path, scale, gradients, maps=maps)
            is_whole_pass = is_whole_pass and parts.are_all
        if not is_whole_pass or not maps:
            return looks
        error = error_of(gradients, self._own_gradients(module, scale))
        return [replace(look, gradient_error=error) for look in looks]

    def _look_at_parts(
        self,
        module: nn.Module,
        sequence: Sequence[RecurrentCall],
        parts: BatchParts,
        path: str,
        scale: float,
        gradients: dict[str, Tensor],
        *,
        maps: bool,
    ) -> list[TimeLook]:
        """The look at a sequence, or at the first part of its rows, if its map is asked; the errors and gradients are
        those of all parts."""
        looks: list[TimeLook] = []
        errors: list[tuple[Tensor, Tensor]] = []
        for rows in (None,) if parts.rows is None else parts.rows:
            part = sequence if rows is None else [rows_of(call, rows) for call in sequence]
            played = _play(part, None if rows is None else SomeRows(parts.batch, rows))
            adjoints = _sweep(played, part, scale)
            for name, gradient in ((name, each) for adjoint in adjoints for name, each in adjoint.gradients.items()):
                gradients[name] = gradients[name] + gradient if name in gradients else gradient
            errors.append(_errors(played, adjoints[-played.directions :]))
            if maps and not looks:
                kind, output = _kind(module, played), _output(part)
                looks = look_at(path, played, adjoints, max_lag=MAX_LAG, output=output, kind=kind, batch=parts.batch)
                self.faded += faded(sequence, played, adjoints, looks, scale)
            del played, adjoints  # the next part has room only without them
        if errors:
            self._keep_errors(module, sequence, parts, errors)
        return looks

    def _tell_of_parts(self, path: str, parts: BatchParts) -> None:
        """Say where the whole batch has no room."""
        if parts.rows is None:
            return
        what = f"`{path}`" if path else "The model"
        if not parts.rows:
            how = "is not looked at through time: not even one row of the batch has room in memory"
        elif parts.are_all:
            how = f"is looked at in {len(parts.rows)} parts of the batch, its reach in one of them, to save memory"
        else:
            how = f"is looked at in {len(parts.rows[0])} of the {parts.batch} rows of the batch, to save memory"
        need = readable(parts.need)
        self._memory.tell(path, f"{what} {how}; the whole would take about {need} (`--memory` sets what may be taken).")

    def _keep_errors(
        self,
        module: nn.Module,
        sequence: Sequence[RecurrentCall],
        parts: BatchParts,
        found: Sequence[tuple[Tensor, Tensor]],
    ) -> None:
        """Of the module that was called last, among those that an error reaches: outputs and errors, (B, T, H)."""
        order = sequence[-1].order
        if self.last and self.last[-1].module is not module:
            if order < self.last[-1].order or not any(bool(error.any()) for _, error in found):
                return
            self.last.clear()
        rows = None if parts.are_all or parts.rows is None else torch.cat(parts.rows)
        outputs, errors = (_joined([each[n] for each in found], parts) for n in (0, 1))
        self.last.append(replace(called_sequence(sequence), module=module, output=outputs, error=errors, rows=rows))

    def _own_gradients(self, module: nn.Module, scale: float) -> dict[str, Tensor]:
        if self._rank.is_needed:
            return self._rank.gradients(module, scale)
        return {name: self._own_gradient(p, scale) for name, p in named_parameters_of(module) if p.grad is not None}

    def _own_gradient(self, parameter: Tensor, scale: float) -> Tensor:
        assert parameter.grad is not None
        before = self._before.get(id(parameter))
        gradient = parameter.grad.detach()
        return (gradient if before is None else gradient - before) / scale

    def _keep_gradient(self, gradients: dict[str, Tensor], name: str, gradient: Tensor) -> None:
        if self._is_recording():
            gradients[name] = gradient.detach()


def _is_stock(module: nn.Module) -> bool:
    """Whether the closed form knows what the module computes: a class of one's own may have another forward."""
    return isinstance(module, RECURRENT) and type(module).forward in _KNOWN_FORWARDS


def _outputs(module: nn.Module, output: Any) -> dict[str, Tensor]:
    """The tensors of what a module returned, whose gradients are caught, by name."""
    found: dict[str, Tensor] = {}
    if isinstance(module, nn.RNNBase):
        sequence, output = output
        found["output"] = sequence.data if isinstance(sequence, PackedSequence) else sequence
    return found | ({"h": output[0], "c": output[1]} if isinstance(output, tuple) else {"h": output})


def _play(sequence: Sequence[RecurrentCall], rows: SomeRows | None) -> Replay:
    first = sequence[0]
    if len(sequence) == 1 and not first.of_cell:
        return replay_layer(first.module, first.x, first.hx, generator_state=first.generator, rows=rows)
    return replay_cells(
        first.module,
        [call.x for call in sequence],
        [first.hx],
        generator_states=[call.generator for call in sequence],
        rows=rows,
    )


def _sweep(played: Replay, sequence: Sequence[RecurrentCall], scale: float) -> list[LayerAdjoint]:
    stepwise = sequence[0].of_cell or (len(sequence) > 1 and all(length_of(c) == 1 for c in sequence))
    if not stepwise:
        return _sweep_chunks(played, sequence, scale)
    h = unscaled(torch.stack([_state_gradient(call, "h", played) for call in sequence]), scale)
    c = output = None
    if played.cell.carries_c:
        c = unscaled(torch.stack([_state_gradient(call, "c", played) for call in sequence]), scale)
    if any("output" in call.gradients for call in sequence):
        output = unscaled(torch.cat([_output_gradient(call, played) for call in sequence]), scale)
    return backward_calls(played, h, c, output)


def _sweep_chunks(played: Replay, sequence: Sequence[RecurrentCall], scale: float) -> list[LayerAdjoint]:
    """Calls of many steps each: a state handed on has no error but what the next call sends back."""
    got = {name: unscaled(gradient, scale) for name, gradient in sequence[-1].gradients.items()}
    if len(sequence) > 1 and any("output" in call.gradients for call in sequence):
        parts = [call.gradients.get("output", torch.zeros_like(call.output)) for call in sequence]
        got["output"] = unscaled(torch.cat(parts, time_axis(sequence[0])), scale)
    return backward(played, got.get("output"), got.get("h"), got.get("c"))


def _state_gradient(call: RecurrentCall, name: str, played: Replay) -> Tensor:
    place = 0 if name == "h" else 1
    gradient = call.gradients.get(name)
    gradient = torch.zeros_like(call.state_out[place].detach()) if gradient is None else gradient
    if call.of_cell:
        return gradient.reshape(1, -1, gradient.shape[-1])
    return played.layout.state_in(gradient)


def _output_gradient(call: RecurrentCall, played: Replay) -> Tensor:
    gradient = call.gradients.get("output")
    return played.layout.sequence_in(torch.zeros_like(call.output) if gradient is None else gradient)


def _output(sequence: Sequence[RecurrentCall]) -> Tensor | PackedSequence:
    """What the module itself put out over the sequence."""
    first = sequence[0]
    outputs = [call.output for call in sequence]
    if first.of_cell:
        return torch.stack(outputs)
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, time_axis(first))


def _kind(module: nn.Module, played: Replay) -> str:
    return type(module).__name__ if isinstance(module, nn.RNNCellBase) else played.kind


def _errors(played: Replay, top: Sequence[LayerAdjoint]) -> tuple[Tensor, Tensor]:
    """The outputs of the top layer and the errors that reached them, (B, T, H), rows as they were called."""
    error = torch.cat([adjoint.local_error for adjoint in top], -1)
    output = played.layout.sequence_in(played.output)
    shown, errors = (played.layout.rows_out(each).transpose(0, 1) for each in (output, error))
    return shown, errors


def _joined(each: Sequence[Tensor], parts: BatchParts) -> Tensor:
    """The values of parts of the rows, (B, T, H), in one tensor: of all rows in the order of the call."""
    if parts.rows is None or not parts.are_all:
        return each[0]
    whole = each[0].new_zeros(parts.batch, *each[0].shape[1:])
    for rows, values in zip(parts.rows, each, strict=True):
        whole[rows, : values.shape[1]] = values
    return whole


_KNOWN_FORWARDS = {RecurrentLayer.forward} | {
    module.forward for cell in cells().values() for module in (cell.layer, cell.step) if module is not None
}
