"""What makes other code of the script's own: compiling, exporting, capturing a CUDA graph. It must meet no hook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from gradreach.watch.beginnings import Beginnings
from gradreach.watch.compiled.calls import CompiledCalls
from gradreach.watch.models import Models
from gradreach.watch.nonfinite.kept_calls import KeptCalls
from gradreach.watch.own_work import OwnWork
from gradreach.watch.step_watch import StepWatch
from gradreach.watch.unfollowed import Unfollowed


class CodeMaking:
    """Takes our hooks out of its way; `watch_of` gives the watch of the step under way."""

    def __init__(
        self,
        models: Models,
        kept: KeptCalls,
        beginnings: Beginnings,
        compiled: CompiledCalls,
        own_work: OwnWork,
        unfollowed: Unfollowed,
        watch_of: Callable[[], StepWatch | None],
    ) -> None:
        self._compiles = False
        self._models = models
        self._kept = kept
        self._beginnings = beginnings
        self._compiled = compiled
        self._own_work = own_work
        self._unfollowed = unfollowed
        self._watch_of = watch_of

    def meets(self, root: nn.Module) -> None:
        """A model is watched from now on, which may have been compiled before."""
        if self._compiled.follow(root):
            self._compiles = True
        if not self._compiles:
            self._kept.keep_calls_of(root)

    def hooked(self, tensor: Tensor) -> None:
        """The script hooks a tensor that its graph made: on a watched step no further pass goes over that graph."""
        watch = self._watch_of()
        if watch is not None and not tensor.is_leaf:
            watch.step.is_hooked = True

    def compiles(self, target: Any) -> None:  # noqa: ARG002
        """Compiled code must meet no changed class, which it would be compiled anew for."""
        self._compiles = True
        self._beginnings.release()
        self._kept.release()

    def compiled(self, target: Any, made: Any) -> Any:
        """What was made of it, followed: its eager form runs beside it on the steps that are looked at."""
        return self._compiled.taken(target, made)

    def exports(self, *, begins: bool) -> None:
        """What records a model's code must meet no hook and no changed class: the look of this step goes without."""
        if begins:
            self._kept.release()
            self._kept.overflowed = True
            if (watch := self._watch_of()) is not None:
                watch.detach()
        elif not self._compiles:
            for root in self._models:
                self._kept.keep_calls_of(root)

    def captures(self, *, begins: bool) -> None:
        """While a CUDA graph is captured no number may be read from the device, so that all our hooks rest."""
        self._own_work.rests = begins
        self.exports(begins=begins)

    def replays(self) -> None:
        """A captured CUDA graph runs, and nothing of its insides is seen."""
        self._unfollowed.replays += 1
