"""The option records of a guard: when it goes back or gives up, and what its snapshots hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import torch

from gradreach.remedies.arguments import check_at_least_one


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """When a `gr.Guard` goes back to its good snapshot, what it lowers then, and when it gives up.

    `patience`: bad steps in a row after which the run goes back.
    `limit`: bad steps in a row after which spikes are accepted as the data's new level, and other faults end the run.
    `attempts`: rollbacks to one snapshot before the guard gives up.
    `lower_lr`, `lower_threshold`: what learning rates and the clip's threshold are multiplied by at every rollback.

    Raises TypeError or ValueError for numbers that do not fit.
    """

    patience: int = 3
    limit: int = 50
    attempts: int = 3
    lower_lr: float = 1.0
    lower_threshold: float = 1.0

    def __post_init__(self) -> None:
        check_at_least_one(patience=self.patience, limit=self.limit, attempts=self.attempts)
        if self.limit < self.patience:
            raise ValueError(f"limit: expected at least patience ({self.patience}), got {self.limit}")
        for name, factor in (("lower_lr", self.lower_lr), ("lower_threshold", self.lower_threshold)):
            if not 0.0 < factor <= 1.0:
                raise ValueError(f"{name}: expected a factor in (0, 1], got {factor}; 1 leaves it as it is")


@dataclass(frozen=True, slots=True)
class GuardSnapshots:
    """How often a `gr.Guard` takes snapshots, where it writes them, and what they hold besides the run itself.

    `every`: good steps between snapshots. Two are held in the host's memory, and one counts as good after 20 more
    good steps.
    `folder`: where good snapshots are also written, for `Guard.resume()`; None writes none.
    `keep`: what else belongs to the run, by name: objects with state_dict and load_state_dict (a data loader with a
    position, an EMA, a ReduceLROnPlateau), or a torch.Generator. An EMA must be updated before the end of the step, by
    `optimizer.register_step_post_hook`, because it is read as soon as `step()` has taken the step.

    Raises TypeError or ValueError for what does not fit.
    """

    every: int = 100
    folder: str | PathLike[str] | None = None
    keep: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_at_least_one(every=self.every)
        check_folder(self.folder)
        check_keep(self.keep)


def check_folder(folder: Any) -> None:
    if folder is not None and not isinstance(folder, str | PathLike):
        raise TypeError(f"folder: expected a path or None, got {type(folder).__name__}")


def check_keep(keep: Any) -> None:
    if keep is not None and not isinstance(keep, Mapping):
        raise TypeError(
            f"keep: expected a mapping from names to objects, got {type(keep).__name__}; write {{'data': …}}"
        )
    for name, thing in (keep or {}).items():
        able = hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict")
        if not able and not isinstance(thing, torch.Generator):
            raise TypeError(
                f"keep[{name!r}]: expected state_dict and load_state_dict, or a torch.Generator, "
                f"got {type(thing).__name__}"
            )
