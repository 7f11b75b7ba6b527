"""What a script calls around its backward passes: clipping, loss scaling, loads of states, passes over data."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor, nn
from torch.utils.data import DataLoader

from gradreach.record.seen.loop import MissedLoad
from gradreach.record.sinks.recorder import Recorder
from gradreach.remedies.clip.clip import Clip
from gradreach.watch.frames import caller
from gradreach.watch.loader_passes import LoaderPasses
from gradreach.watch.missed_loads import MissedLoads
from gradreach.watch.models import Models
from gradreach.watch.pending_looks import PendingLooks
from gradreach.watch.steps import Steps

if TYPE_CHECKING:
    from gradreach.watch.guard_every_optimizer import OptimizerGuards


class ScriptCalls:
    """Hears of each such call, and tells the step under way, the looks that wait for their update, and the guards."""

    def __init__(self, recorder: Recorder, steps: Steps, pending: PendingLooks, guards: OptimizerGuards | None) -> None:
        self._recorder = recorder
        self._steps = steps
        self._pending = pending
        self._guards = guards
        self._missed_loads = MissedLoads()
        self._loader_passes = LoaderPasses()

    def clipped(
        self, kind: Literal["norm", "value"], threshold: float, norm: Any, parameters: Sequence[Tensor]
    ) -> None:
        """The script clipped: what its own call returned is the norm before clipping."""
        if self._guards is not None:
            self._guards.script_clips()
        self._pending.rescaled()
        self._steps.clipped(kind, threshold, norm, parameters)

    def clips_by_value(self, threshold: float, parameters: Sequence[Tensor]) -> None:
        """The script is about to clip by value: only the gradients before that tell what it takes from them."""
        if self._pending:
            self._pending.clips_by_value(float(threshold), parameters)

    def limited(self, clip: Clip) -> None:
        """A gr.Clip was applied, the script's or a guard's."""
        self._pending.rescaled()
        self._steps.limited(clip)

    def scaled(self, scaler: Any) -> None:
        """The script scales this step's loss."""
        self._steps.scaler = scaler if scaler.is_enabled() else None

    def scaler_steps(self, scaler: Any, optimizer: Any) -> None:
        """The script's GradScaler is about to step an optimizer."""
        if self._guards is not None:
            self._guards.scaler_steps(scaler, optimizer)

    def loaded(self, module: nn.Module, state: Any, result: Any) -> None:
        """The script had a module load a state."""
        if not self._missed_loads.has_taken(module):
            self._missed_loads.loaded(module, state, result, self._steps.begun, caller(sys._getframe(1)))

    def missed_loads(self, models: Models, leaves: Sequence[Tensor]) -> Iterator[MissedLoad]:
        """The loads that were missed by a part of a model which a backward pass trains; each is told once."""
        return self._missed_loads.of_trained(models, leaves)

    def iterates(self, loader: DataLoader[Any], iterator: Any) -> None:
        """The script begins a pass over a loader."""
        self._loader_passes.begins(loader, iterator, self._steps.begun, caller(sys._getframe(1)))

    def runs_out(self, iterator: Any) -> None:
        """A pass over a loader is at its end."""
        if (told := self._loader_passes.ends(iterator, self._steps.begun)) is not None:
            self._recorder.write(told)

    def write_spent_loaders(self) -> None:
        """Write of the loaders that had no more batches for later passes over them."""
        for told in self._loader_passes.spent():
            self._recorder.write(told)
