"""Through time: stock recurrent layers and cells on one watched step, beside which the engine then runs.

Kept of each call: its input and initial state, the generator where dropout draws from it, its output to compare with,
and the errors that the script's own backward pass brings to output, h_n and c_n.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.engine.adjoint import LayerAdjoint, backward, backward_calls, gradient_error
from gradreach.engine.layout import layout_of
from gradreach.engine.look import look_at
from gradreach.engine.replay import Replay, replay_cells
from gradreach.engine.replay import replay as replay_layer
from gradreach.record.schema import TimeLook
from gradreach.remedies.layers.layers import GRU, LSTM, RNN
from gradreach.watch.models import Models
from gradreach.watch.tensors import unscaled

STOCK = (nn.RNN, nn.GRU, nn.LSTM)
CELLS = (nn.RNNCell, nn.GRUCell, nn.LSTMCell)

MOST_CALLS = 20_000
MOST_LOOKS = 8
"""Separate sequences looked at in one module and step; further calls are left out of the time table."""

MAX_LAG = 1024


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


@dataclass(frozen=True)
class Stretch:
    """What the module that was called last went through, a sequence of B rows: its own input (B, T, f), the state
    handed in and the one that came out; of a step that was looked at also the output of the top layer (B, T, h) and
    the local errors there."""

    module: nn.Module
    x: Tensor
    state_in: tuple[Tensor, ...]
    state_out: tuple[Tensor, ...]
    packed: bool
    batch_first: bool
    order: int
    output: Tensor | None = None
    error: Tensor | None = None


class Recurrent:
    """Collects the calls of stock recurrent modules while a watched step runs; `is_recording` tells whether a gradient
    that arrives now is of the script's own backward pass."""

    def __init__(self, is_recording: Callable[[], bool]) -> None:
        self._is_recording = is_recording
        self.last: list[Stretch] = []
        self._calls: dict[int, list[RecurrentCall]] = {}
        self._generators: dict[int, Tensor] = {}
        self._before: dict[int, Tensor] = {}

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
        states = tuple(caught[name] for name in ("h", "c") if name in caught)
        shown = caught.get("output", caught["h"])
        call = RecurrentCall(
            module,
            _detached(x),
            _detached(hx),
            _tensors(hx),
            states,
            shown.detach(),
            self._generators.pop(id(module), None),
            sum(map(len, self._calls.values())),
        )
        self._calls.setdefault(id(module), []).append(call)
        for name, tensor in caught.items():
            if tensor.grad_fn is not None:
                tensor.grad_fn.register_prehook(self._catcher(call.gradients, name, tensor.output_nr))

    @property
    def ran(self) -> bool:
        """Whether any stock recurrent module was called."""
        return bool(self._calls)

    def modules(self) -> list[nn.Module]:
        """The stock modules whose calls make whole sequences; none whose state is changed between calls."""
        return [calls[0].module for calls in self._calls.values() if _is_whole(calls)]

    def before_backward(self) -> None:
        """Keep what gradient the weights already hold, so that this pass's own share can be told."""
        modules = [calls[0].module for calls in self._calls.values()]
        self._before = {id(p): p.grad.detach().clone() for m in modules for p in m.parameters() if p.grad is not None}

    @torch.no_grad()
    def stretches(self) -> list[Stretch]:
        """The sequences of the module that was called last, on a step that is not looked at."""
        whole = [calls for calls in self._calls.values() if _is_whole(calls)]
        last = max(whole, key=lambda calls: calls[-1].order, default=[])
        return [_stretch(sequence) for sequence in _sequences(last)] if last else []

    @torch.no_grad()
    def looks(self, models: Models, scale: float) -> tuple[TimeLook, ...]:
        """Every layer and direction of every sequence, by the engine; lets go of what was kept."""
        looks: list[TimeLook] = []
        for calls in self._calls.values():
            if _is_whole(calls):
                looks += self._look_at_module(calls, models.path(calls[0].module), scale)
        self._calls.clear()
        return tuple(looks)

    def _look_at_module(self, calls: list[RecurrentCall], path: str, scale: float) -> list[TimeLook]:
        module = calls[0].module
        looks: list[TimeLook] = []
        gradients: list[LayerAdjoint] = []
        sequences = _sequences(calls)
        for sequence in sequences[:MOST_LOOKS]:
            played = _play(sequence)
            adjoints = _sweep(played, sequence, scale)
            gradients += adjoints
            self._keep_errors(sequence, played, adjoints[-played.directions :])
            looks += look_at(
                path, played, adjoints, max_lag=MAX_LAG, output=_output(sequence), kind=_kind(module, played)
            )
        if len(sequences) > MOST_LOOKS:
            return looks
        own = {name: self._own_gradient(p, scale) for name, p in module.named_parameters() if p.grad is not None}
        error = gradient_error(_summed(gradients), own)
        return [replace(look, gradient_error=error) for look in looks]

    def _keep_errors(self, sequence: Sequence[RecurrentCall], played: Replay, top: Sequence[LayerAdjoint]) -> None:
        """Of the module that was called last, among those that an error reaches."""
        order = sequence[-1].order
        error = torch.cat([adjoint.local_error for adjoint in top], -1)
        if self.last and self.last[-1].module is not sequence[0].module:
            if order < self.last[-1].order or not bool(error.any()):
                return
            self.last.clear()
        output = played.layout.sequence_in(played.output)
        shown, errors = (played.layout.rows_out(each).transpose(0, 1) for each in (output, error))
        self.last.append(replace(_stretch(sequence), output=shown, error=errors))

    def _own_gradient(self, parameter: Tensor, scale: float) -> Tensor:
        assert parameter.grad is not None
        before = self._before.get(id(parameter))
        gradient = parameter.grad.detach()
        return (gradient if before is None else gradient - before) / scale

    def _catcher(self, gradients: dict[str, Tensor], name: str, index: int) -> Callable[..., None]:
        def gradient_arrives(arrived: tuple[Tensor | None, ...]) -> None:
            gradient = arrived[index]
            if self._is_recording() and gradient is not None:
                gradients[name] = gradient.detach()

        return gradient_arrives


def _is_stock(module: nn.Module) -> bool:
    return isinstance(module, STOCK + CELLS) and type(module).forward in _KNOWN_FORWARDS


def _outputs(module: nn.Module, output: Any) -> dict[str, Tensor]:
    if isinstance(module, nn.LSTMCell):
        return {"h": output[0], "c": output[1]}
    if isinstance(module, CELLS):
        return {"h": output}
    sequence, state = output
    sequence = sequence.data if isinstance(sequence, nn.utils.rnn.PackedSequence) else sequence
    states = {"h": state[0], "c": state[1]} if isinstance(state, tuple) else {"h": state}
    return {"output": sequence, **states}


def _sequences(calls: list[RecurrentCall]) -> list[list[RecurrentCall]]:
    """Calls that hand their state on as it is make one sequence; every other call is one by itself."""
    number = 0
    numbers = [0]
    for earlier, later in pairwise(calls):
        number += not _hands_on(earlier, later)
        numbers.append(number)
    grouped = groupby(zip(numbers, calls, strict=True), key=lambda pair: pair[0])
    return [[call for _, call in group] for _, group in grouped]


def _stretch(sequence: Sequence[RecurrentCall]) -> Stretch:
    first, last = sequence[0], sequence[-1]
    if isinstance(first.module, CELLS):
        x = torch.stack([call.x for call in sequence])
        x = x.unsqueeze(1) if x.dim() == 2 else x
    else:
        layout = layout_of(first.x, batch_first=bool(first.module.batch_first))
        x = layout.rows_out(torch.cat([layout.sequence_in(call.x) for call in sequence]))
    return Stretch(
        first.module,
        x.transpose(0, 1),
        first.state_in,
        last.state_out,
        isinstance(first.x, nn.utils.rnn.PackedSequence),
        bool(getattr(first.module, "batch_first", False)),
        last.order,
    )


def _hands_on(earlier: RecurrentCall, later: RecurrentCall) -> bool:
    same = len(earlier.state_out) == len(later.state_in) > 0
    return same and all(a is b for a, b in zip(earlier.state_out, later.state_in, strict=True))


def _is_whole(calls: list[RecurrentCall]) -> bool:
    """A stock layer runs whole sequences by itself; one fed step by step must hand its state on as it is."""
    stepwise = isinstance(calls[0].module, CELLS) or (len(calls) >= 3 and _length(calls[0]) == 1)
    return not stepwise or len(_sequences(calls)) <= max(1, len(calls) // 3)


def _length(call: RecurrentCall) -> int:
    if isinstance(call.x, nn.utils.rnn.PackedSequence) or isinstance(call.module, CELLS):
        return 0
    return int(call.x.shape[_time_axis(call)])


def _time_axis(call: RecurrentCall) -> int:
    return 1 if getattr(call.module, "batch_first", False) and call.x.dim() == 3 else 0


def _play(sequence: Sequence[RecurrentCall]) -> Replay:
    first = sequence[0]
    if len(sequence) == 1 and not isinstance(first.module, CELLS):
        return replay_layer(first.module, first.x, first.hx, generator_state=first.generator)
    return replay_cells(
        first.module,
        [call.x for call in sequence],
        [first.hx],
        generator_states=[call.generator for call in sequence],
    )


def _sweep(played: Replay, sequence: Sequence[RecurrentCall], scale: float) -> list[LayerAdjoint]:
    stepwise = isinstance(sequence[0].module, CELLS) or (len(sequence) > 1 and all(_length(c) == 1 for c in sequence))
    if not stepwise:
        return _sweep_chunks(played, sequence, scale)
    h = unscaled(torch.stack([_state_gradient(call, "h", played) for call in sequence]), scale)
    c = (
        unscaled(torch.stack([_state_gradient(call, "c", played) for call in sequence]), scale)
        if played.c_n is not None
        else None
    )
    output = None
    if any("output" in call.gradients for call in sequence):
        output = unscaled(torch.cat([_output_gradient(call, played) for call in sequence]), scale)
    return backward_calls(played, h, c, output)


def _sweep_chunks(played: Replay, sequence: Sequence[RecurrentCall], scale: float) -> list[LayerAdjoint]:
    """Calls of many steps each: a state handed on has no error but what the next call sends back."""
    got = {name: unscaled(gradient, scale) for name, gradient in sequence[-1].gradients.items()}
    if len(sequence) > 1 and any("output" in call.gradients for call in sequence):
        parts = [call.gradients.get("output", torch.zeros_like(call.output)) for call in sequence]
        got["output"] = unscaled(torch.cat(parts, _time_axis(sequence[0])), scale)
    return backward(played, got.get("output"), got.get("h"), got.get("c"))


def _state_gradient(call: RecurrentCall, name: str, played: Replay) -> Tensor:
    place = 0 if name == "h" else 1
    gradient = call.gradients.get(name)
    gradient = torch.zeros_like(call.state_out[place].detach()) if gradient is None else gradient
    if isinstance(call.module, CELLS):
        return gradient.reshape(1, -1, gradient.shape[-1])
    return played.layout.state_in(gradient)


def _output_gradient(call: RecurrentCall, played: Replay) -> Tensor:
    gradient = call.gradients.get("output")
    return played.layout.sequence_in(torch.zeros_like(call.output) if gradient is None else gradient)


def _output(sequence: Sequence[RecurrentCall]) -> Tensor | nn.utils.rnn.PackedSequence:
    """What the module itself put out over the sequence."""
    first = sequence[0]
    outputs = [call.output for call in sequence]
    if isinstance(first.module, CELLS):
        return torch.stack(outputs)
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, _time_axis(first))


def _kind(module: nn.Module, played: Replay) -> str:
    return type(module).__name__ if isinstance(module, CELLS) else played.kind


def _summed(adjoints: Sequence[LayerAdjoint]) -> list[LayerAdjoint]:
    """One adjoint per layer and direction, its parameter gradients summed over the sequences."""
    by_names: dict[tuple[str, ...], LayerAdjoint] = {}
    for adjoint in adjoints:
        names = tuple(adjoint.gradients)
        known = by_names.get(names)
        total = (
            adjoint
            if known is None
            else replace(adjoint, gradients={n: known.gradients[n] + adjoint.gradients[n] for n in names})
        )
        by_names[names] = total
    return list(by_names.values())


def _detached(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, nn.utils.rnn.PackedSequence):
        return nn.utils.rnn.PackedSequence(value.data.detach(), *value[1:])
    return tuple(_detached(item) for item in value) if isinstance(value, (tuple, list)) else value


def _tensors(value: Any) -> tuple[Tensor, ...]:
    return (value,) if isinstance(value, Tensor) else tuple(value) if isinstance(value, (tuple, list)) else ()


_KNOWN_FORWARDS = {kind.forward for kind in (*STOCK, *CELLS, RNN, GRU, LSTM)}
