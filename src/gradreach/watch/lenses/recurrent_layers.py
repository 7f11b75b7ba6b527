"""Through time: the gradient in stock recurrent layers and cells, by the engine that runs beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.lenses.recurrent import RECURRENT, RecurrentCollector
from gradreach.watch.lenses.recurrent_calls import CalledSequence
from gradreach.watch.samples.local_errors import LocalErrors
from gradreach.watch.samples.stream import Chunk
from gradreach.watch.seldom import is_asked

FIRST_LOOKS = 8
"""Looks of which each has its reach maps; after those every second one has, and the others have the errors until there
are enough."""


class RecurrentLayers(Lens):
    """Collects the calls of stock layers and cells, and takes the errors that the script's own pass brings to them."""

    follows_streams = True

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._recurrent = RecurrentCollector(lambda: step.is_recording, step.own_work, step.memory)

    def entering(self, module: nn.Module) -> None:
        """Keep what the layer's dropout will draw from."""
        self._recurrent.entering(module)

    def called(self, call: ModuleCall) -> None:
        """Take in one call of a stock layer or cell."""
        if isinstance(call.module, RECURRENT):
            self._recurrent.called(call.module, call.args, call.kwargs, call.output)

    def before_backward(self, backward: BackwardPass) -> None:
        """Say which modules are taken care of here."""
        self._recurrent.before_backward(backward.graph.nodes)
        self.step.recurrent += self._recurrent.modules()
        self.step.recurs = self.step.recurs or self._recurrent.ran

    def look(self, look: Look) -> Look:
        """What the stock layers add to the look's `time`."""
        before: int = self.step.carried.get(RecurrentLayers, 0)
        self.step.carried[RecurrentLayers] = before + self._recurrent.ran
        maps = is_asked(before, FIRST_LOOKS, 2)
        if not maps and self.step.errors_suffice:
            self._recurrent.let_go()
            return look
        looks = self._recurrent.looks(self.step.models, self.step.scale, maps=maps)
        self.step.faded += self._recurrent.faded
        return replace(look, time=(*look.time, *looks))

    def local_errors(self) -> Sequence[LocalErrors]:
        """The errors at the output of the layer that was called last, among those that an error reaches."""
        return [
            self._errors_of(sequence)
            for sequence in self._recurrent.last
            if sequence.error is not None and bool(sequence.error.any())
        ]

    def let_go(self) -> None:
        """Let go of the calls and of what was found of them."""
        self._recurrent.let_go()
        self.step.faded.clear()

    def chunk(self) -> Chunk | None:
        """The last sequence of the module that was called last."""
        sequences = self._recurrent.called_sequences()
        return self._chunk_of(sequences[-1], self._inputs(sequences[-1])[0]) if sequences else None

    def _errors_of(self, sequence: CalledSequence) -> LocalErrors:
        assert sequence.error is not None
        assert sequence.output is not None
        inputs, source = self._inputs(sequence)
        path, chunk, rows = self.step.models.path(sequence.module), self._chunk_of(sequence, inputs), sequence.rows
        if rows is not None:
            inputs, source = inputs[rows], tuple(each[rows] for each in source)
        return LocalErrors(path, inputs, sequence.error, sequence.output, source, chunk)

    def _chunk_of(self, sequence: CalledSequence, inputs: Tensor) -> Chunk:
        return Chunk(inputs, sequence.state_in, sequence.state_out)

    def _inputs(self, sequence: CalledSequence) -> tuple[Tensor, tuple[Tensor, ...]]:
        """What stands for the inputs of a recurrent layer, and what tells its sequences apart.

        The script's data where there is one such tensor and no doubt; else what the layer itself was given.
        """
        own, data = sequence.x, self.step.data
        aligned = data.aligned(own.shape[0], own.shape[1], batch_first=sequence.batch_first)
        if len(aligned) == 1 and not sequence.packed:
            return aligned[0], (aligned[0],)
        rows = aligned or [x for x in data.sequences() if x.dim() > 1 and len(x) == len(own)]
        return own, tuple(rows) or (own,)
