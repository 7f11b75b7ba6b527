"""What torch's optimizers did with a look's parameters between its backward pass and the next one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from gradreach.engine.norms import each_norm, to_host
from gradreach.record.look import Look
from gradreach.record.seen.loop import AnewOptimizer, Epsilon, OptimizerSteps, ValueClip
from gradreach.record.seen.subnormal import SubnormalPlace
from gradreach.watch.beginnings import Beginnings, blank_ones, computes_anew
from gradreach.watch.decays import Decays
from gradreach.watch.epsilons import epsilons
from gradreach.watch.flush_trials import FlushTrials
from gradreach.watch.graph import trainable
from gradreach.watch.optimizer_names import torch_name
from gradreach.watch.optimizer_states import subnormal_states
from gradreach.watch.own_work import OwnWork
from gradreach.watch.rounded_steps import RoundedSteps
from gradreach.watch.tensors import is_measurable
from gradreach.watch.value_clips import value_clip


class Stepped:
    """Listens to every optimizer's step until its `end`. `is_given`: the script was given the gradients, and puts them
    to use itself, so that what stands in the parameters tells nothing of what is left of them."""

    def __init__(
        self,
        names: dict[int, str],
        leaves: Sequence[Tensor],
        own_work: OwnWork,
        beginnings: Beginnings,
        trials: FlushTrials,
        *,
        is_given: bool = False,
    ) -> None:
        learning = [p for p in trainable(leaves) if id(p) in names and p.grad is not None]
        self._learning = learning
        self._is_given = is_given
        self._is_for_these = not is_given and all(id(leaf) in names for leaf in leaves if leaf.requires_grad)
        self._is_discarded = False
        self._left: set[int] = set()
        self._names = {id(parameter): names[id(parameter)] for parameter in learning}
        self._steps = 0
        self._held: set[int] = set()
        self._empty: set[int] = set()
        self._rate = 0.0
        self._idle = 0
        self._optimizers: dict[str, None] = {}
        self._value_clips: list[ValueClip] = []
        self._epsilons: list[Epsilon] = []
        self._trials = trials
        self._subnormals: list[SubnormalPlace] = []
        self._unasked: set[int] = set()
        self._decays = Decays(self._names)
        self._rounded = RoundedSteps()
        self._beginnings = beginnings
        self._stepping: tuple[Any, list[Tensor], list[Tensor]] = (None, [], [])
        self._anew: list[AnewOptimizer] = []
        beginnings.rest()
        self._handles = (
            register_optimizer_step_pre_hook(own_work.hook(self._before_step)),
            register_optimizer_step_post_hook(own_work.hook(self._after_step)),
        )

    def end(self, *, before_pass: bool, has_moved: bool) -> None:
        """Listen no more; where the next pass begins, see what is left of the gradients that nothing stepped by."""
        self.release()
        if before_pass:
            self._beginnings.listen()
        unused = [p for p in self._learning if id(p) not in self._held] if before_pass and not self._is_given else []
        self._left = {id(p) for p, norm in zip(unused, _gradient_norms(unused), strict=True) if norm}
        if before_pass and not self._steps and not has_moved and self._is_for_these:
            self._is_discarded = bool(self._learning) and not self._left
        self._learning.clear()

    def release(self) -> None:
        """Listen no more."""
        for handle in self._handles:
            handle.remove()

    def clips_by_value(self, threshold: float, parameters: Sequence[Tensor]) -> None:
        """The script is about to limit each element of these gradients; after a step that no longer concerns it."""
        clip = value_clip(parameters, threshold) if not self._steps else None
        if clip is not None:
            self._value_clips.append(clip)

    def told(self, look: Look) -> Look:
        """The look's `stepped`."""
        held, empty, left = (
            tuple(name for key, name in self._names.items() if key in some)
            for some in (self._held, self._empty, self._left)
        )
        told = OptimizerSteps(
            self._steps, held, empty, self._rate, left, self._is_discarded, self._idle,
            decays=tuple(self._decays.told), optimizers=tuple(self._optimizers), value_clips=tuple(self._value_clips),
            epsilons=tuple(self._epsilons), anew=tuple(self._anew), rounded=tuple(self._rounded.told),
            subnormals=tuple(self._subnormals),
        )  # fmt: skip
        return replace(look, stepped=told)

    def _before_step(self, optimizer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._steps += 1
        self._stepping = (optimizer, [], [])
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        none_had_one = all(p.grad is None and id(p) not in self._names for p in parameters)
        if none_had_one and not computes_anew(args, kwargs):
            self._idle += len(parameters)
        for group in optimizer.param_groups:
            mine = [p for p in group["params"] if id(p) in self._names]
            if mine:
                self._rate = max(self._rate, float(group.get("lr", 1.0)))
                self._optimizers[torch_name(optimizer)] = None
            first = [p for p in mine if id(p) not in self._held]
            self._held.update(map(id, first))
            self._unasked.update(map(id, first))
            if not computes_anew(args, kwargs):
                self._empty.update(id(p) for p, norm in zip(first, _gradient_norms(first), strict=True) if not norm)
                self._decays.before(optimizer, group, first)
                self._rounded.before(optimizer, group, first)
                self._stepping[1].extend(first)
                self._stepping[2].extend(blank_ones(optimizer, first))

    def _after_step(self, optimizer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:  # noqa: ARG002
        self._decays.after()
        self._rounded.after(optimizer)
        self._tell_of_beginning(optimizer)
        if self._unasked:
            self._epsilons += epsilons(optimizer, self._unasked)
            begin = time.perf_counter()
            self._subnormals += subnormal_states(optimizer, self._unasked, self._names, self._trials)
            self._trials.between_steps += time.perf_counter() - begin
            self._unasked.clear()

    def _tell_of_beginning(self, optimizer: Any) -> None:
        of, stepped, blank = self._stepping
        self._stepping = (None, [], [])
        anew = self._beginnings.looked(optimizer, stepped, blank) if of is optimizer and stepped else []
        if anew:
            group = next(group for group in optimizer.param_groups if any(p is anew[0] for p in group["params"]))
            rate, momentum = float(group.get("lr", 1.0)), float(group.get("momentum") or 0.0)
            names = tuple(self._names[id(p)] for p in anew)
            self._anew.append(AnewOptimizer(torch_name(optimizer), names, rate, momentum))


def _gradient_norms(parameters: Sequence[Tensor]) -> list[float]:
    """The norm of each one's gradient, 0 without one; 1 where it cannot be measured."""
    held = [p for p in parameters if p.grad is not None and is_measurable(p.grad)]
    norms = dict(zip(held, to_host(each_norm([p.grad for p in held if p.grad is not None])), strict=True))
    return [norms.get(p, 0.0 if p.grad is None else 1.0) for p in parameters]
