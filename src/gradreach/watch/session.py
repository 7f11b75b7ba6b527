"""One process under watch: every backward pass goes through here, and a step counts from its end."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor, nn

from gradreach.engine.norms import global_norm, is_sharded
from gradreach.record.progress import Progress
from gradreach.record.store import Writer
from gradreach.remedies.clip import Clip
from gradreach.remedies.clip.part_rules import PartRule
from gradreach.watch.backward_sites import Places
from gradreach.watch.budget import Budget
from gradreach.watch.frames import caller, name_in_script
from gradreach.watch.graph import walk
from gradreach.watch.host_numbers import number
from gradreach.watch.lenses.update import Update
from gradreach.watch.models import Models
from gradreach.watch.nonfinite.alarm import Alarm
from gradreach.watch.nonfinite.kept_calls import Sentinel
from gradreach.watch.open_step import OpenStep
from gradreach.watch.patches import Taps
from gradreach.watch.samples.dependency_samples import Pools
from gradreach.watch.step_watch import StepWatch

if TYPE_CHECKING:
    from gradreach.watch.guard_every_optimizer import Protection

FLUSH_SECONDS = 0.5


class StopRun(SystemExit):
    """Ends the script after the asked number of backward passes."""


class Session:
    """Watches this process from construction to `close`. Nothing of it ever raises into the script.

    `only` restricts the models to one root; `stop_after` ends the run with StopRun after so many backward passes;
    `guard` stands before the optimizers' steps, and may raise GaveUp; `told` hears at each flush where the run stands.
    """

    def __init__(
        self,
        writer: Writer,
        budget: Budget,
        *,
        only: nn.Module | None = None,
        stop_after: int | None = None,
        guard: bool = False,
        told: Callable[[Progress], None] | None = None,
    ) -> None:
        self.count = 0
        self.scaler: Any = None
        self.models = Models()
        self.budget = budget
        self._writer = writer
        self._told = told
        self._stop_after = stop_after
        self._pid = os.getpid()
        self._thread = threading.get_ident()
        self._started = self._last_end = self._flushed_at = time.perf_counter()
        self._last_count = 0
        self._skipped = 0.0
        self._due = 1
        self._busy = False
        self._compiles = False
        self._unnamed: list[nn.Module] = []
        self._places = Places(writer.site, only)
        self._sentinel = Sentinel()
        self._pools = Pools()
        self._step: OpenStep | None = None
        self._updates: list[Update] = []
        self._alarm = Alarm(writer, self.models, self._sentinel)
        self._only = only
        if only is not None:
            self._add_root(only, name_in_script(only, sys._getframe(1)))
        self._watch: StepWatch | None = self._new_watch()
        self._protection = self._new_protection() if guard else None
        self._taps = Taps(self)

    def close(self) -> None:
        """Finish what is pending, take every wrapping away, and close the record."""
        self._taps.release()
        if self._protection is not None:
            self._protection.release()
        if self._watch is not None:
            self._watch.detach()
            self._watch = None
        self._sentinel.release()
        if self._concerned():
            self._safely(self._settle_updates, None)
            self._safely(self._settle_step)
            begin = time.perf_counter()
            self._safely(self._pools.test_at_the_end, self._writer)
            self.budget.closing = time.perf_counter() - begin
            self._safely(self._tell_what_is_left)
            self.flush()

    def flush(self) -> None:
        """Write what is known so far; the last step and its update are still open."""
        self._writer.overhead(self.budget.overhead(self.count))
        if self._protection is not None:
            self._writer.guarded(self._protection.told)
        self._writer.flush()
        if self._told is not None:
            self._told(self._writer.progress)

    def backward(self, real: Callable[..., None], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The wrapped `torch.autograd.backward`; a pass within another (checkpointing) is part of that step."""
        if self._busy or not self._concerned():
            real(*args, **kwargs)
            return
        self.count += 1
        scale = self._scale()
        if self.count < self._due:
            self._unmeasured(real, args, kwargs)
        else:
            self._measured(real, args, kwargs, caller(sys._getframe(1)))
        if self._protection is not None:
            self._protection.after_backward(self.count - 1, _tensors(args, kwargs), scale)
        if self._stop_after is not None and self.count >= self._stop_after:
            raise StopRun(0)

    def clipped(self, kind: Literal["norm", "value"], threshold: float, norm: Any) -> None:
        """The script clipped: what its own call returned is the norm before clipping."""
        if self._protection is not None:
            self._protection.script_clips()
        step = self._step
        if step is not None and self.count == self._last_count and self._concerned():
            known = isinstance(norm, Tensor) and not is_sharded(norm)
            self._safely(lambda: step.clipped(kind, float(threshold), number(norm) if known else None))

    def limited(self, clip: Clip) -> None:
        """A limit on anything but the global norm stands beside no norm, as one by value."""
        step = self._step
        if step is not None and self.count == self._last_count and self._concerned():
            limit = number(clip.threshold) if isinstance(clip.threshold, Tensor) else clip.threshold
            norm = number(clip.norm) if isinstance(clip.norm, Tensor) else clip.norm
            by_value = isinstance(clip.rule, PartRule)
            self._safely(lambda: step.clipped("value", limit, None) if by_value else step.clipped("norm", limit, norm))

    def scaled(self, scaler: Any) -> None:
        """The script scales this step's loss."""
        self.scaler = scaler if scaler.is_enabled() else None

    def scaler_steps(self, scaler: Any, optimizer: Any) -> None:
        """The script's GradScaler is about to step an optimizer."""
        if self._protection is not None and self._concerned():
            self._protection.scaler_steps(scaler, optimizer)

    def compiled(self, target: Any) -> None:
        """Compiled code must meet no changed class and no global hook, which would warn, recompile or stay silent."""
        self._compiles = True
        self._sentinel.release()
        if self._watch is not None:
            self._watch.detach()
        owner = getattr(target, "__self__", target)
        if isinstance(owner, nn.Module):
            self._unnamed.append(owner)
        self._writer.note(
            "The script compiles code: inside it modules cannot be seen, so time and activations are not reported; "
            "norms, weights, their gradients and updates are."
        )

    def _new_protection(self) -> Protection:
        from gradreach.watch.guard_every_optimizer import Protection  # a run without a guard need not import it

        return Protection(self.models)

    def _tell_what_is_left(self) -> None:
        if self._protection is not None and (left := self._protection.left()):
            self._writer.note(left)

    def _concerned(self) -> bool:
        return os.getpid() == self._pid and threading.get_ident() == self._thread

    def _unmeasured(self, real: Callable[..., None], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A step between two that the budget lets us measure: measured all the same where something is not finite."""
        self._busy = True
        try:
            real(*args, **kwargs)
        finally:
            self._busy = False
        begin = time.perf_counter()
        if not self._alarm.raised:
            tensors = _tensors(args, kwargs)
            site = self._places.number(caller(sys._getframe(1)))
            if any(map(_broken, tensors)) or (self._sentinel.armed and _broken(self._places.canary(site))):
                self._safely(self._settle_step)
                self._safely(self._boundary, site, tensors, None)
                self._safely(self._charge, site, None, 0.0, begin)
                return
        self._sentinel.drop()
        if self.count + 1 == self._due:
            self._sentinel.armed = not self._alarm.raised
        self._skipped += time.perf_counter() - begin

    def _measured(
        self, real: Callable[..., None], args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType | None
    ) -> None:
        begin = time.perf_counter()
        tensors = _tensors(args, kwargs)
        site = self._places.number(frame)
        watch = self._watch
        if watch is not None and watch.lead:
            self._safely(watch.lead_up, self._pools.stream, self.count - 1)
            watch = None
        self._safely(self._before, site, tensors, _weights(args, kwargs), frame, watch)
        if watch is not None and self._pools.probing():
            self._safely(watch.probe, tensors, _weights(args, kwargs), self.models)
        own = time.perf_counter() - begin
        self._busy = True
        try:
            real(*args, **kwargs)
        finally:
            self._busy = False
        again = time.perf_counter()
        self._safely(self._boundary, site, tensors, watch)
        if watch is not None:
            self._safely(watch.hand_over, self._pools, self.models, self._factor())
        self._safely(self._charge, site, watch, own, again)

    def _before(
        self, site: int, tensors: Sequence[Tensor], weights: Any, frame: FrameType | None, watch: StepWatch | None
    ) -> None:
        """What is done before the script's backward pass: the last step is over, and the graph is still whole."""
        self._settle_step()
        self._settle_updates(site)
        if watch is not None:
            for root in (*watch.roots, *self._unnamed):
                if root not in self.models and self.models.misses(root):
                    self._add_root(root, name_in_script(root, frame))
            self.models.refresh()
            watch.before_backward(tensors, weights, self.models, self._factor())
        if watch is not None or self._places.is_new(site):
            leaves = watch.leaves if watch is not None else walk(tensors).leaves
            self._places.learn(site, leaves)
            self._tell_layout(leaves)

    def _boundary(self, site: int, tensors: Sequence[Tensor], watch: StepWatch | None) -> None:
        """What is taken at the end of a backward pass, before the script clips or updates."""
        gradients = self._places.gradients(site)
        norm = global_norm(gradients)
        if norm is not None and norm.device.type == "cpu" and not math.isfinite(float(norm)):
            norm = global_norm([gradient.double() for gradient in gradients])  # the sum of squares alone may overflow
        if norm is not None and norm.device.type == "cpu":
            self._places.check(site, float(norm))
        loss = tensors[0] if len(tensors) == 1 and tensors[0].numel() == 1 else None
        scale = self._scale()
        self._step = OpenStep(
            self.count - 1,
            time.perf_counter() - self._started,
            site,
            watch is not None,
            number(loss) if loss is not None else None,
            number(norm) if norm is not None else None,
            number(scale) if scale is not None else None,
        )
        if watch is not None:
            look = watch.finish(self.models, step=self._step.step, site=site, scale=self._factor())
            self._updates.append(Update(self.models, watch.modules(), look))
        self._alarm.judge(self._step, tensors)

    def _charge(self, site: int, watch: StepWatch | None, own: float, again: float) -> None:
        """Account for this step, and settle what the next one gets."""
        self._sentinel.drop()
        self.scaler = None
        steps = self.count - self._last_count
        if watch is not None:
            watch.detach()
            self._watch = None
        end = time.perf_counter()
        own += end - again
        kept = self._sentinel.seconds + self._skipped
        if watch is not None:
            began = watch.began if watch.began is not None else self._last_end
            since = began if self._last_count == 0 else self._last_end
            cost = self.budget.look(site, end - since, end - began, own + watch.seconds + kept)
            for update in self._updates[-1:]:
                update.look = replace(update.look, seconds=cost)
            self._pools.cost(watch.probe_seconds, cost)
            self._safely(self._pools.test_on_the_way, self._writer, self.budget)
            end = time.perf_counter()
        else:
            self.budget.plain(site, steps, end - self._last_end, own, kept)
        self._last_count, self._last_end, self._skipped = self.count, end, 0.0
        self._sentinel.seconds = 0.0
        self._plan()
        if end - self._flushed_at > FLUSH_SECONDS:
            self.flush()
            self._flushed_at = end
            self._skipped = time.perf_counter() - end

    def _plan(self) -> None:
        if self._watch is not None:  # it is led up to
            self._due = self.count + 1
        elif self.budget.may_look():
            self._watch = self._new_watch(self._pools.stream.lead() if self.budget.every is None else 0)
            self._due = self.count + 1
        else:  # an update is one step's only where the passes that follow are compared at once
            self._due = self.count + (1 if self._updates else self.budget.norm_every)
        self._sentinel.armed = not self._alarm.raised and (self._due == self.count + 1 or self.budget.may_keep())

    def _new_watch(self, lead: int = 0) -> StepWatch:
        watch = StepWatch(self._sentinel, self._only, lead)
        if self._compiles:
            watch.detach()
        return watch

    def _add_root(self, root: nn.Module, name: str) -> None:
        unique = self.models.add(root, name)
        self._writer.model(unique, type(root).__name__)
        if not self._compiles:
            self._sentinel.guard(root)

    def _settle_updates(self, site: int | None) -> None:
        """Write the looks whose update is known by now; what a step did not train leaves its norm from here on."""
        settled = [update for update in self._updates if update.settled(site)]
        for update in settled:
            self._writer.look(update.look)
            if update.look.update is not None:
                self._places.leave_out(update.look.site, update.idle)
        if settled:
            self._updates = [update for update in self._updates if update not in settled]
            self._writer.flush()

    def _settle_step(self) -> None:
        opened, self._step = self._step, None
        if opened is None:
            return
        step = opened.close()
        self._writer.step(step)
        self._alarm.judge_late(opened, step)

    def _factor(self) -> float:
        """The loss scale in force, 1 without a scaler."""
        scale = self._scale()
        return 1.0 if scale is None else float(scale)

    def _scale(self) -> Tensor | None:
        return getattr(self.scaler, "_scale", None) if self.scaler is not None else None

    def _tell_layout(self, leaves: Sequence[Tensor]) -> None:
        for leaf in leaves[:1]:
            self._writer.device(leaf.device.type)
        if any(is_sharded(leaf) for leaf in leaves):
            self._writer.note("Parameters are sharded over ranks: norms are of this rank's shards alone.")

    def _safely(self, work: Callable[..., None], *args: Any) -> None:
        """Our own mistakes end in the record's notes, never in the script."""
        was, self._busy = self._busy, True
        try:
            work(*args)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{os.path.basename(place.filename)}:{place.lineno}"
            self._writer.note(f"Part of a look failed and was left out: {type(error).__name__}: {error} ({where}).")
        finally:
            self._busy = was


def _broken(tensor: Tensor | None) -> bool:
    """Whether a real tensor that lies whole in the host's memory holds a NaN or an infinity (or sums to one)."""
    if tensor is None or tensor.device.type != "cpu" or tensor.is_complex() or is_sharded(tensor):
        return False
    return not math.isfinite(tensor.detach().sum().item())


def _tensors(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, ...]:
    given = args[0] if args else kwargs.get("tensors", ())
    return (given,) if isinstance(given, Tensor) else tuple(given)


def _weights(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The gradients that the script starts the pass with; None for a scalar loss."""
    return args[1] if len(args) > 1 else kwargs.get("grad_tensors")
