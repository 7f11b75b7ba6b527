"""Makes the watch of each step that is watched, with what all of them share and what lenses carry from look to look."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from gradreach.watch.flush_trials import FlushTrials
from gradreach.watch.home import Home
from gradreach.watch.lens import Lens, WatchedStep
from gradreach.watch.memory import Memory
from gradreach.watch.models import Models
from gradreach.watch.nonfinite.kept_calls import KeptCalls
from gradreach.watch.own_work import OwnWork
from gradreach.watch.samples.dependency_samples import DependencySamples
from gradreach.watch.step_watch import StepWatch


@dataclass(slots=True)
class StepWatches:
    """What the watches of a run's steps share; `only` restricts them to one root."""

    models: Models
    own_work: OwnWork
    kept: KeptCalls
    home: Home
    samples: DependencySamples
    memory: Memory
    flush_trials: FlushTrials
    only: nn.Module | None
    _carried: dict[type[Lens], Any] = field(default_factory=dict)
    _carried_by_shadows: dict[type[Lens], Any] = field(default_factory=dict)

    def of_step(self, number: int, *, is_leading: bool = False) -> StepWatch:
        """The watch of the step before which there were so many passes."""
        step = WatchedStep(
            self.models,
            self.own_work,
            self.samples.may_probe(),
            self.samples.has_enough(),
            self.memory,
            number=number,
            flush_trials=self.flush_trials,
            carried=self._carried,
        )
        return StepWatch(step, self.kept, self.home, self.only, is_leading=is_leading)

    def beside(self, watch: StepWatch) -> StepWatch:
        """The watch of what runs beside the compiled code of a watched step."""
        step = watch.step.beside(self._carried_by_shadows)
        return StepWatch(step, self.kept, self.home, self.only, is_leading=watch.is_leading, beside=watch)
