"""Through time: the gradient in stock recurrent layers and cells, by the engine that runs beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor, nn

from gradreach.record.schema import Look
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.lenses.recurrent import CELLS, STOCK, Recurrent, Stretch
from gradreach.watch.samples.local_errors import LocalErrors
from gradreach.watch.samples.stream import Chunk


class RecurrentLayers(Lens):
    """Collects the calls of stock layers and cells, and takes the errors that the script's own pass brings to them."""

    follows_streams = True

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._recurrent = Recurrent(lambda: step.is_recording)

    def entering(self, module: nn.Module) -> None:
        """Keep what the layer's dropout will draw from."""
        self._recurrent.entering(module)

    def called(self, call: ModuleCall) -> None:
        """Take in one call of a stock layer or cell."""
        if isinstance(call.module, STOCK + CELLS):
            self._recurrent.called(call.module, call.args, call.kwargs, call.output)

    def before_backward(self, backward: BackwardPass) -> None:  # noqa: ARG002
        """Say which modules are taken care of here."""
        self._recurrent.before_backward()
        self.step.recurrent += self._recurrent.modules()
        self.step.recurs = self.step.recurs or self._recurrent.ran

    def look(self, look: Look) -> Look:
        """What the stock layers add to the look's `time`."""
        return replace(look, time=(*look.time, *self._recurrent.looks(self.step.models, self.step.scale)))

    def local_errors(self) -> Sequence[LocalErrors]:
        """The errors at the output of the layer that was called last, among those that an error reaches."""
        return [
            self._errors_of(stretch)
            for stretch in self._recurrent.last
            if stretch.error is not None and bool(stretch.error.any())
        ]

    def chunk(self) -> Chunk | None:
        """The last sequence of the module that was called last."""
        stretches = self._recurrent.stretches()
        return self._chunk_of(stretches[-1], self._inputs(stretches[-1])[0]) if stretches else None

    def _errors_of(self, stretch: Stretch) -> LocalErrors:
        assert stretch.error is not None
        assert stretch.output is not None
        inputs, source = self._inputs(stretch)
        path = self.step.models.path(stretch.module)
        return LocalErrors(path, inputs, stretch.error, stretch.output, source, self._chunk_of(stretch, inputs))

    def _chunk_of(self, stretch: Stretch, inputs: Tensor) -> Chunk:
        return Chunk(inputs, stretch.state_in, stretch.state_out)

    def _inputs(self, stretch: Stretch) -> tuple[Tensor, tuple[Tensor, ...]]:
        """What stands for the inputs of a recurrent layer, and what tells its sequences apart.

        The script's data where there is one such tensor and no doubt; else what the layer itself was given.
        """
        own, data = stretch.x, self.step.data
        aligned = data.aligned(own.shape[0], own.shape[1], batch_first=stretch.batch_first)
        if len(aligned) == 1 and not stretch.packed:
            return aligned[0], (aligned[0],)
        rows = aligned or [x for x in data.sequences() if x.dim() > 1 and len(x) == len(own)]
        return own, tuple(rows) or (own,)
