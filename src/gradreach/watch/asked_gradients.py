"""Which calls of `torch.autograd.grad` train: those whose gradients reach the parameters that they are asked for.

Gradients are asked for in many ways that train nothing: for inputs, for a penalty, for the inner steps of
meta-learning, for curvature, for a look at their size. Only what happens afterwards tells.
"""

from __future__ import annotations

import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

from gradreach.engine.norms import global_norm
from gradreach.watch.accumulation import Accumulation
from gradreach.watch.grad_call import GradCall
from gradreach.watch.graph import mark, walk
from gradreach.watch.host_numbers import Number, number
from gradreach.watch.own_work import OwnWork
from gradreach.watch.tensors import is_dense_and_real

TRIES = 16
"""Calls from one line that are followed; after so many in vain only the next power of two, and so on."""

SAMPLED = 3
"""Parameters of a call that are compared, and the numbers of each."""

NUMBERS = 4096

MOST_TRAINED = 64
"""Lines and sets of parameters that are remembered to train; of more the oldest go."""

ALONG = 0.3
"""Cosine from which on a step is one along a gradient: clipped, averaged over tasks, or scaled as Adam scales it."""

EXACT = 0.999
"""Cosine from which on a step is made of this very gradient, and of no other that was asked for beside it."""

DERIVED = "gradreach: derived"
"""Mark on the nodes of gradients that are part of a graph."""

Line = tuple[CodeType | None, int]


@dataclass(frozen=True, slots=True)
class Sample:
    """A parameter as it stood at a call, the gradient that the call gave for it, and the sum of those of a trial."""

    parameter: weakref.ref[Tensor]
    held: tuple[int, int] | None
    values: Tensor
    gradient: Tensor
    total: Tensor

    def moved(self) -> Tensor | None:
        """How far it has moved since; None where it cannot be told."""
        now = self.parameter()
        values = None if now is None or not is_dense_and_real(now) else _numbers(now)
        return None if values is None or values.shape != self.values.shape else values - self.values

    def new_gradient(self, stepped: frozenset[int]) -> Tensor | None:
        """The gradient that it has been given since, where it is one of those that are stepped."""
        now = self.parameter()
        if now is None or id(now) not in stepped or now.grad is None or _state_of(now.grad) == self.held:
            return None
        gradient = _numbers(now.grad) if is_dense_and_real(now.grad) else None
        return None if gradient is None or gradient.shape != self.gradient.shape else gradient


@dataclass(slots=True)
class Trial:
    """The calls from one line for the same parameters since these last moved, of which it is still open whether they
    train. `needs_exact`: a derivative of a derivative, or one that is to be differentiated, trains only where it is
    itself what moves the parameters."""

    line: Line
    parameters: tuple[weakref.ref[Tensor], ...]
    needs_exact: bool
    seconds: float
    samples: list[Sample] = field(default_factory=list)
    losses: list[Number | None] = field(default_factory=list)
    norm: Number | None = None

    @property
    def key(self) -> tuple[Line, tuple[int, ...]]:
        """The line and the parameters by identity."""
        return self.line, tuple([id(each()) for each in self.parameters])


class AskedGradients:
    """Follows calls from each line until the parameters moved along what they gave, by an optimizer or by hand; from
    then on that line trains these parameters. `found` is told of the step that shows it, and whether an optimizer is
    about to make it."""

    def __init__(self, accumulation: Accumulation, own_work: OwnWork, found: Callable[[Trial, bool], None]) -> None:
        self._accumulation = accumulation
        self._own_work = own_work
        self._found = found
        self._trials: dict[tuple[Line, tuple[int, ...]], Trial] = {}
        self._trains: dict[tuple[Line, tuple[int, ...]], tuple[weakref.ref[Tensor], ...]] = {}
        self._moved_once: dict[tuple[Line, tuple[int, ...]], Trial] = {}
        self._tries: Counter[Line] = Counter()
        self._handle: RemovableHandle | None = None

    @property
    def waits(self) -> bool:
        """Whether it is open of any call whether it trains, or was until now."""
        return self._handle is not None

    def rest(self) -> None:
        """Hear of no optimizer's step."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def trains(self, call: GradCall, frame: FrameType | None) -> bool:
        """Whether a call is a backward pass of a training, as the ones before it from its line were."""
        with self._own_work:
            self.look_back(is_pass=False)
        known = self._trains.get((_line(frame), tuple(map(id, call.parameters))), ())
        return bool(known) and all(ref() is p for ref, p in zip(known, call.parameters, strict=True))

    def tried(self, call: GradCall, frame: FrameType | None) -> None:
        """Follow what becomes of the gradients that a call gave, where they may train."""
        line = _line(frame)
        self._tries[line] += 1
        if call.keeps_graph:
            for gradient in call.gradients:
                if gradient is not None and gradient.grad_fn is not None:
                    mark(gradient.grad_fn, DERIVED, True)
        if not (self._tries[line] <= TRIES or self._tries[line].bit_count() == 1) or not self._may_train(call):
            return
        exactly = call.keeps_graph or any(DERIVED in node.metadata for node in walk(call.losses).nodes)
        trial = Trial(line, tuple(map(weakref.ref, call.parameters)), exactly, time.perf_counter())
        trial = self._trials.setdefault(trial.key, trial)
        trial.samples = list(_samples(call, trial.samples))
        trial.losses.append(number(call.losses[0].detach()))
        norm = global_norm([each.detach() for each in call.gradients if each is not None])
        trial.norm = None if norm is None or len(trial.losses) > 1 else number(norm)
        if self._handle is None:
            self._handle = register_optimizer_step_pre_hook(self._own_work.hook(self._before_step))

    def look_back(self, *, is_pass: bool) -> None:
        """Judge what is open by how the parameters moved; where a backward pass begins, that trains in its place."""
        if not self._trials:
            self.rest()
            return
        moved = {key: [each.moved() for each in trial.samples] for key, trial in self._trials.items()}
        has_moved = [key for key, steps in moved.items() if any(step is not None and step.any() for step in steps)]
        along = {key: _cosine(moved[key], self._trials[key].samples, sign=-1) for key in has_moved}
        self._judge({key: c for key, c in along.items() if _is_by_hand(self._trials[key])}, by_optimizer=False)
        for key in list(self._trials) if is_pass else has_moved:
            self._trials.pop(key, None)
        if not self._trials:
            self.rest()

    def _may_train(self, call: GradCall) -> bool:
        """Whether it starts from one loss, and is none beside a backward pass whose update is still to come."""
        of_one_loss = len(call.losses) == 1 and call.losses[0].numel() == 1 and is_dense_and_real(call.losses[0])
        if not of_one_loss or call.is_batched or self._accumulation.stands_on(call.parameters):
            return False
        if all(isinstance(p, nn.Parameter) for p in call.parameters):
            return True
        asked = {id(p) for p in call.parameters}
        return not any(isinstance(p, nn.Parameter) and id(p) not in asked for p in walk(call.losses).leaves)

    def _before_step(self, optimizer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:  # noqa: ARG002
        stepped = frozenset(id(p) for group in optimizer.param_groups for p in group["params"])
        given = {key: [s.new_gradient(stepped) for s in trial.samples] for key, trial in self._trials.items()}
        self._judge(
            {
                key: _cosine(new, self._trials[key].samples)
                for key, new in given.items()
                if any(n is not None for n in new)
            },
            by_optimizer=True,
        )

    def _judge(self, along: dict[tuple[Line, tuple[int, ...]], float], *, by_optimizer: bool) -> None:
        exact = [key for key, cosine in along.items() if cosine >= EXACT]
        some = [key for key, cosine in along.items() if cosine >= ALONG and not self._trials[key].needs_exact]
        for key in exact[-1:] or some:
            trial = self._trials.pop(key)
            if not by_optimizer and not self._moved_before(key, trial):
                continue
            self._trains[key] = trial.parameters
            while len(self._trains) > MOST_TRAINED:
                del self._trains[next(iter(self._trains))]
            self._tries[trial.line] = 0
            self._found(trial, by_optimizer)
        if exact or some:
            self._trials.clear()

    def _moved_before(self, key: tuple[Line, tuple[int, ...]], trial: Trial) -> bool:
        """Whether these parameters were moved by hand once before: a copy that is adapted to a task and thrown away is
        moved once. The step before counts too."""
        before = self._moved_once.pop(key, None)
        if before is not None and all(ref() is not None for ref in before.parameters):
            self._found(before, False)
            return True
        self._moved_once[key] = trial
        while len(self._moved_once) > MOST_TRAINED:
            del self._moved_once[next(iter(self._moved_once))]
        return False


def _is_by_hand(trial: Trial) -> bool:
    """Whether a move along the gradient tells of a training: of one leaf alone that is no Parameter, it may be a body's
    that falls, or an example's that is sought."""
    first = trial.parameters[0]()
    return len(trial.parameters) > 1 or isinstance(first, nn.Parameter)


def _line(frame: FrameType | None) -> Line:
    return (None, 0) if frame is None else (frame.f_code, frame.f_lineno)


def _samples(call: GradCall, before: Sequence[Sample]) -> Iterator[Sample]:
    """Of some parameters, spread over those that can be compared and got a gradient."""
    totals = {id(each.parameter()): each.total for each in before}
    pairs = [
        (p, g)
        for p, g in zip(call.parameters, call.gradients, strict=True)
        if g is not None and p.numel() and is_dense_and_real(p) and is_dense_and_real(g)
    ]
    for p, g in pairs[:: max(1, -(-len(pairs) // SAMPLED))]:
        held = None if p.grad is None else _state_of(p.grad)
        gradient, total = _numbers(g), totals.get(id(p))
        yield Sample(weakref.ref(p), held, _numbers(p), gradient, gradient if total is None else total + gradient)


def _state_of(gradient: Tensor) -> tuple[int, int]:
    return id(gradient), gradient._version


@torch.no_grad()
def _numbers(tensor: Tensor) -> Tensor:
    """The first numbers of a tensor, copied."""
    flat = tensor.detach().reshape(-1)[:NUMBERS]
    return flat.to(torch.float32, copy=True) if flat.dtype != torch.float64 else flat.clone()


@torch.no_grad()
def _cosine(steps: Iterable[Tensor | None], samples: Sequence[Sample], *, sign: int = 1) -> float:
    """Of the angle between steps and the gradients of the samples, the last or their sum, all parameters as one."""
    known = [(step, s) for step, s in zip(steps, samples, strict=True) if step is not None]
    if not known:
        return 0.0
    one = torch.cat([sign * step.double() for step, _ in known])
    cosines = []
    for others in ([s.gradient for _, s in known], [s.total for _, s in known]):
        other = torch.cat([each.double() for each in others])
        size = float(one.norm() * other.norm())
        cosines.append(float(one @ other) / size if size > 0.0 else 0.0)
    return max(cosines)
