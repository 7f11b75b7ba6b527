"""Where the gradient ends in subnormal numbers, and what they cost this CPU there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from gradreach.engine.subnormals import subnormal_shares
from gradreach.record.look import Look
from gradreach.record.seen.subnormal import SubnormalLook, SubnormalPlace
from gradreach.watch.flush_trials import LEAST_SHARE
from gradreach.watch.graph import maker, on_gradient, trainable
from gradreach.watch.layer_work import Work, linear_work
from gradreach.watch.lens import Lens, ModuleCall, WatchedStep
from gradreach.watch.lenses.recurrent_layers import RecurrentLayers
from gradreach.watch.tensors import is_real_on_cpu

MOST_CALLS = 256
"""Calls of one linear layer whose gradients are looked at."""

Found = tuple[SubnormalPlace, Callable[[], Work | None]]
"""A place, and what makes its work."""


@dataclass(slots=True)
class _Reached:
    """The calls of one linear layer that a gradient reached: of the `share` of subnormal entries that is the largest,
    the gradient; and how many `calls` had so many as to count."""

    layer: nn.Linear
    hooked: int = 0
    calls: int = 0
    share: float = 0.0
    gradient: Tensor | None = None


class Subnormals(Lens):
    """Counts them in the adjoints of recurrent layers, in the gradients that reach linear ones, in the parameters and
    in their gradients, all on a CPU; and has the work at one place that has many of them timed."""

    after = (RecurrentLayers,)

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._linear: dict[int, _Reached] = {}

    def called(self, call: ModuleCall) -> None:
        """Take in a call of a linear layer; what its gradient holds is counted when it comes."""
        layer, output = call.module, call.output
        if type(layer) is not nn.Linear or not isinstance(output, Tensor) or not self.step.flush_trials.left:
            return
        reached, node = self._linear.setdefault(id(layer), _Reached(layer)), maker(output)
        is_own = is_real_on_cpu(output) and output.shape[-1:] == (layer.out_features,)
        if node is not None and is_own and reached.hooked < MOST_CALLS:
            reached.hooked += 1
            on_gradient(node, output.output_nr, partial(self._take, reached), self.step.own_work)

    @torch.no_grad()
    def look(self, look: Look) -> Look:
        """The look's `subnormals`; None where no parameter is on a CPU."""
        parameters = [p for p in trainable(self.step.leaves) if is_real_on_cpu(p)]
        if not parameters:
            return look
        trials = self.step.flush_trials
        places: tuple[SubnormalPlace, ...] = ()
        if trials.arithmetic() == "kept":
            places = (*self._timed((*self._adjoints(), *self._gradients())), *self._parameters(parameters))
        return replace(look, subnormals=SubnormalLook(trials.arithmetic(), places))

    def _timed(self, found: Sequence[Found]) -> list[SubnormalPlace]:
        """The places, of which the first whose work can be done has it timed."""
        places, trials = [place for place, _ in found], self.step.flush_trials
        if torch.is_anomaly_enabled() or self.step.is_stored_elsewhere:
            return places
        for n, (place, work_of) in enumerate(found):
            work = work_of() if trials.may_time(place) else None
            if work is not None:
                places[n] = trials.timed(place, work.run, work.times, whole=work.whole)
                break
        return places

    def _take(self, reached: _Reached, gradient: Tensor) -> None:
        if self.step.is_recording and is_real_on_cpu(gradient):
            (share,) = subnormal_shares([gradient])
            reached.calls += share >= LEAST_SHARE
            if share >= LEAST_SHARE and share > reached.share:
                reached.share, reached.gradient = share, gradient.detach()

    def _adjoints(self) -> Iterator[Found]:
        """Of each recurrent layer the call with the largest share, the worst layer first."""
        worst: dict[str, Found] = {}
        for faded in self.step.faded if self.step.flush_trials.left else ():
            share = faded.share()
            if share >= max(LEAST_SHARE, worst[faded.module][0].share if faded.module in worst else 0.0):
                place = SubnormalPlace("adjoint", faded.module, faded.kind, share)
                worst[faded.module] = (place, faded.work)
        yield from sorted(worst.values(), key=lambda each: -each[0].share)

    def _gradients(self) -> Iterator[Found]:
        for reached in sorted(self._linear.values(), key=lambda each: -each.share * each.calls):
            if reached.gradient is not None:
                path = self.step.models.path(reached.layer)
                place = SubnormalPlace("gradient", path, type(reached.layer).__name__, reached.share)
                yield place, partial(linear_work, reached.layer.weight, reached.gradient, reached.calls)

    def _parameters(self, parameters: Sequence[Tensor]) -> Iterator[SubnormalPlace]:
        names = self.step.models.parameter_names()
        known = [p for p in parameters if id(p) in names]
        for p, share in zip(known, subnormal_shares(known), strict=True):
            if share >= LEAST_SHARE:
                yield SubnormalPlace("weights", names[id(p)], "", share)
        for p, share in zip(known, subnormal_shares([_gradient(p) for p in known]), strict=True):
            if share >= LEAST_SHARE:
                yield SubnormalPlace("parameter gradient", names[id(p)], "", share)


def _gradient(parameter: Tensor) -> Tensor:
    """The parameter's gradient; without one that can be counted, nothing."""
    gradient = parameter.grad
    return gradient if gradient is not None and is_real_on_cpu(gradient) else parameter.new_empty(0)
