"""One process under watch: every backward pass goes through here, and a step counts from its end."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gradreach.observe.budget import Budget
from gradreach.observe.graph import trainable, walk
from gradreach.observe.models import Models, name_in_script, place_in_script
from gradreach.observe.norms import Later, global_norm
from gradreach.observe.origin import trace
from gradreach.observe.sentinel import Sentinel
from gradreach.observe.step_watch import StepWatch
from gradreach.observe.taps import Taps
from gradreach.observe.update import Update
from gradreach.record.schema import NonFinite, Overhead, Step
from gradreach.record.store import Writer

FLUSH_SECONDS = 0.5
SCALER_PATIENCE = 20
"""Overflows in a row that a loss scaler may skip as its ordinary business of finding a scale."""


class StopRun(SystemExit):
    """Ends the script after the asked number of backward passes."""


@dataclass
class _Pending:
    """The last measured step, until its numbers are on the host and the script has done its clipping."""

    step: Step
    loss: Later | None
    norm: Later | None
    scale: Later | None
    pre_clip: Later | None = None


class Session:
    """Watches this process from construction to `close`. Nothing of it ever raises into the script.

    `only` restricts the models to one root; `stop_after` ends the run with StopRun after so many backward passes.
    """

    def __init__(
        self, writer: Writer, budget: Budget, *, only: nn.Module | None = None, stop_after: int | None = None
    ) -> None:
        self.count = 0
        self.scaler: Any = None
        self.models = Models()
        self.budget = budget
        self._writer = writer
        self._stop_after = stop_after
        self._pid = os.getpid()
        self._thread = threading.get_ident()
        self._started = self._last_end = self._flushed_at = time.perf_counter()
        self._last_count = 0
        self._due = 1
        self._busy = False
        self._compiles = False
        self._sites: dict[tuple[object, int], int] = {}
        self._parameters: dict[int, tuple[Tensor, ...]] = {}
        self._sentinel = Sentinel()
        self._pending: _Pending | None = None
        self._update: Update | None = None
        self._nonfinite_seen = False
        self._overflows = 0
        if only is not None:
            self._add_root(only, name_in_script(only, sys._getframe(1)))
        self._watch: StepWatch | None = StepWatch(self._sentinel)
        self._taps = Taps(self)

    def close(self) -> None:
        """Finish what is pending, take every wrapping away, and close the record."""
        self._taps.release()
        if self._watch is not None:
            self._watch.detach()
            self._watch = None
        self._sentinel.release()
        if self._concerned():
            self._safely(self._settle_update)
            self._safely(self._settle_step)
            self.flush()

    def flush(self) -> None:
        """Write what is known so far; the last step and its update are still open."""
        self._safely(self._tell_overhead)
        self._writer.flush()

    def backward(self, real: Callable[..., None], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The wrapped `torch.autograd.backward`; a pass within another (checkpointing) is part of that step."""
        if self._busy or not self._concerned():
            real(*args, **kwargs)
            return
        self.count += 1
        if self.count < self._due:
            self._busy = True
            try:
                real(*args, **kwargs)
            finally:
                self._busy = False
        else:
            self._measured(real, args, kwargs, _caller(sys._getframe(2)))
        if self._stop_after is not None and self.count >= self._stop_after:
            raise StopRun(0)

    def clipped(self, kind: str, threshold: float, norm: Any) -> None:
        """The script clipped: what its own call returned is the norm before clipping."""
        if self._pending is None or self.count != self._last_count or not self._concerned():
            return
        word: Literal["norm", "value"] = "norm" if kind == "norm" else "value"
        self._pending.step = replace(self._pending.step, threshold=float(threshold), clip=word)
        if isinstance(norm, Tensor):
            self._pending.pre_clip = Later(norm)

    def scaled(self, scaler: Any) -> None:
        """The script scales this step's loss."""
        self.scaler = scaler if scaler.is_enabled() else None

    def compiled(self) -> None:
        """Compiled code must not meet a changed class: the sentinel steps back, and module hooks may stay silent."""
        self._compiles = True
        self._sentinel.release()
        self._writer.note(
            "The script compiles a model: inside compiled code modules cannot be seen; gradients and norms are whole."
        )

    def _concerned(self) -> bool:
        return os.getpid() == self._pid and threading.get_ident() == self._thread

    def _measured(
        self, real: Callable[..., None], args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType | None
    ) -> None:
        begin = time.perf_counter()
        tensors = _tensors(args, kwargs)
        site = self._site(frame)
        scale = self._scale()
        self._safely(self._settle_step)
        self._safely(lambda: self._settle_update(site))
        watch = self._watch
        if watch is not None:
            self._safely(lambda: self._before_look(watch, tensors, _weights(args, kwargs), frame))
        if watch is not None or site not in self._parameters:
            self._safely(lambda: self._find_parameters(site, tensors, watch))
        own = time.perf_counter() - begin
        self._busy = True
        try:
            real(*args, **kwargs)
        finally:
            self._busy = False
        again = time.perf_counter()
        self._safely(lambda: self._boundary(site, tensors, scale, watch))
        self._charge(site, watch, own, again)

    def _boundary(self, site: int, tensors: Sequence[Tensor], scale: Tensor | None, watch: StepWatch | None) -> None:
        """What is taken at the end of a backward pass, before the script clips or updates."""
        step = self.count - 1
        parameters = self._parameters.get(site) or self.models.parameters()
        norm = global_norm([p.grad for p in parameters if p.grad is not None])
        loss = tensors[0] if len(tensors) == 1 and tensors[0].numel() == 1 else None
        self._pending = _Pending(
            Step(step, time.perf_counter() - self._started, site, watched=watch is not None),
            Later(loss.reshape(())) if loss is not None else None,
            Later(norm) if norm is not None else None,
            Later(scale) if scale is not None else None,
        )
        if watch is not None:
            factor = float(scale) if scale is not None else 1.0
            look = watch.finish(self.models, step=step, site=site, scale=factor)
            self._update = Update(self.models, watch.modules(), look)
        if norm is None or norm.device.type == "cpu":
            self._alarm(tensors)

    def _alarm(self, tensors: Sequence[Tensor]) -> None:
        """Where loss or norm is not finite: run the very step again, once, and name where it began."""
        pending = self._pending
        if pending is None or self._nonfinite_seen:
            return
        loss_ok = pending.loss is None or math.isfinite(pending.loss.value())
        if loss_ok and (pending.norm is None or math.isfinite(pending.norm.value())):
            self._overflows = 0
            return
        step, site = pending.step.step, pending.step.site
        overflow = loss_ok or (pending.loss is not None and not math.isnan(pending.loss.value()))
        if pending.scale is not None and overflow and self._overflows < SCALER_PATIENCE:
            self._overflows += 1
            self._writer.nonfinite(NonFinite(step, site, "backward", "inf", scaled_away=True))
            return
        self._nonfinite_seen = True
        calls = [call for call in self._sentinel.calls if call.gradients]
        complete = self._sentinel.armed and not self._sentinel.overflowed
        self._writer.nonfinite(trace(calls, self.models, tensors, step=step, site=site, complete=complete))
        self._flushed_at = 0.0

    def _charge(self, site: int, watch: StepWatch | None, own: float, again: float) -> None:
        """Account for this step, and settle what the next one gets."""
        self._sentinel.drop()
        self.scaler = None
        steps = self.count - self._last_count
        if watch is not None:
            watch.detach()
            self._watch = None
        began = (
            watch.began if watch is not None and watch.began is not None and self._last_count == 0 else self._last_end
        )
        end = time.perf_counter()
        own += end - again
        if watch is not None:
            cost = self.budget.look(site, end - began, own + watch.seconds)
            if self._update is not None and self._update.look.step == self.count - 1:
                self._update.look = replace(self._update.look, seconds=cost)
        else:
            self.budget.plain(site, steps, end - began, own)
        self._last_count, self._last_end = self.count, end
        self._plan()
        if end - self._flushed_at > FLUSH_SECONDS:
            self.flush()
            self._flushed_at = end

    def _plan(self) -> None:
        if self.budget.may_look():
            self._watch = StepWatch(self._sentinel)
            self._due = self.count + 1
        else:
            self._due = self.count + self.budget.norm_every
        self._sentinel.armed = not self._nonfinite_seen and self._due == self.count + 1

    def _before_look(self, watch: StepWatch, tensors: Sequence[Tensor], weights: Any, frame: FrameType | None) -> None:
        for root in watch.roots:
            if root not in self.models:
                self._add_root(root, name_in_script(root, frame))
        self.models.refresh()
        scale = self._scale()
        watch.before_backward(tensors, weights, self.models, 1.0 if scale is None else float(scale))

    def _find_parameters(self, site: int, tensors: Sequence[Tensor], watch: StepWatch | None) -> None:
        leaves = watch.leaves if watch is not None and watch.leaves else walk(tensors).leaves
        self._parameters[site] = trainable(leaves)

    def _add_root(self, root: nn.Module, name: str) -> None:
        unique = self.models.add(root, name)
        self._writer.model(unique, type(root).__name__)
        if not self._compiles:
            self._sentinel.guard(root)

    def _settle_update(self, site: int | None = None) -> None:
        update = self._update
        if update is None or (site is not None and not update.due(site)):
            return
        self._update = None
        self._writer.look(update.settle())
        self._writer.flush()

    def _settle_step(self) -> None:
        pending, self._pending = self._pending, None
        if pending is None:
            return
        scale = pending.scale.value() if pending.scale is not None else 1.0
        step = replace(
            pending.step,
            loss=pending.loss.value() / scale if pending.loss is not None else None,
            norm=pending.norm.value() / scale if pending.norm is not None else None,
            scale=scale,
            pre_clip=pending.pre_clip.value() if pending.pre_clip is not None else None,
        )
        self._writer.step(step)
        if not all(value is None or math.isfinite(value) for value in (step.loss, step.norm)):
            self._trace_late(step)

    def _trace_late(self, step: Step) -> None:
        """On a device whose numbers come late the step is over: what is left to say is which weights it spoiled."""
        if not self._nonfinite_seen and step.scale == 1.0:
            self._nonfinite_seen = True
            self._writer.nonfinite(trace([], self.models, (), step=step.step, site=step.site, complete=False))

    def _scale(self) -> Tensor | None:
        return getattr(self.scaler, "_scale", None) if self.scaler is not None else None

    def _site(self, frame: FrameType | None) -> int:
        key = (frame.f_code, frame.f_lineno) if frame is not None else (None, 0)
        site = self._sites.get(key)
        if site is None:
            site = self._sites[key] = self._writer.site(place_in_script(frame))
        return site

    def _tell_overhead(self) -> None:
        budget = self.budget
        self._writer.overhead(
            Overhead(budget.share, budget.measured(), budget.whole(), budget.spent, budget.norm_every, self.count)
        )

    def _safely(self, work: Callable[[], None]) -> None:
        """Our own mistakes end in the record's notes, never in the script."""
        was, self._busy = self._busy, True
        try:
            work()
        except Exception as error:
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = f"{os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno}" if place else ""
            self._writer.note(f"Part of a look failed and was left out: {type(error).__name__}: {error} ({where}).")
        finally:
            self._busy = was


def _caller(frame: FrameType | None) -> FrameType | None:
    """The frame that called backward, past torch's own `Tensor.backward`."""
    torch_file = torch._tensor.__file__
    while frame is not None and frame.f_code.co_filename == torch_file:
        frame = frame.f_back
    return frame


def _tensors(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, ...]:
    given = args[0] if args else kwargs.get("tensors", ())
    return (given,) if isinstance(given, Tensor) else tuple(given)


def _weights(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The gradients that the script starts the pass with; None for a scalar loss."""
    return args[1] if len(args) > 1 else kwargs.get("grad_tensors")
