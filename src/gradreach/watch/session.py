"""One process under watch: wires what happens in the script to the parts that count, plan, look, alarm and write."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

from torch import nn

from gradreach.record.entries import Model
from gradreach.record.sinks.recorder import Recorder
from gradreach.watch.accumulation import Accumulation
from gradreach.watch.asked_gradients import AskedGradients, Trial
from gradreach.watch.backward_sites import BackwardSites
from gradreach.watch.beginnings import Beginnings
from gradreach.watch.budget import LEAST_SECONDS, Budget
from gradreach.watch.code_making import CodeMaking
from gradreach.watch.compiled.calls import CompiledCalls
from gradreach.watch.compiled.joined import seen_by
from gradreach.watch.flush_trials import FlushTrials
from gradreach.watch.frames import caller, name_in_script
from gradreach.watch.grad_call import GradCall
from gradreach.watch.graph import walk
from gradreach.watch.home import Home
from gradreach.watch.memory import Memory
from gradreach.watch.models import Models
from gradreach.watch.nonfinite.alarm import Alarm, looks_broken
from gradreach.watch.nonfinite.kept_calls import KeptCalls
from gradreach.watch.ordinary_pass import OrdinaryPass, is_sound
from gradreach.watch.own_work import OwnWork
from gradreach.watch.patches import BackwardCall, Patches
from gradreach.watch.pending_looks import PendingLooks
from gradreach.watch.samples.dependency_samples import DependencySamples
from gradreach.watch.schedule import Schedule
from gradreach.watch.script_calls import ScriptCalls
from gradreach.watch.sharded import kept_for
from gradreach.watch.step_watch import StepWatch
from gradreach.watch.step_watches import StepWatches
from gradreach.watch.stepped import Stepped
from gradreach.watch.steps import Steps, read_at_once
from gradreach.watch.stop_run import StopRun
from gradreach.watch.uncleared import Uncleared
from gradreach.watch.unfollowed import Unfollowed
from gradreach.watch.update import Update

if TYPE_CHECKING:
    from gradreach.watch.guard_every_optimizer import OptimizerGuards


class Session:
    """Watches this process from construction to `close`, and writes what it sees to the recorder's sinks.

    Nothing of it ever raises into the script, but for two ends that are asked for: `stop_after` ends the run with
    StopRun after so many backward passes, and a `guard` that stands before the optimizers' steps may raise GaveUp.
    `only` restricts the models to one root, and `memory` a look to so many bytes. `flush_trials` times what subnormal
    numbers cost, by a clock unless told otherwise. `unfollowed` tells of other ways to train.
    """

    def __init__(
        self,
        recorder: Recorder,
        budget: Budget,
        *,
        only: nn.Module | None = None,
        stop_after: int | None = None,
        guard: bool = False,
        flush_trials: FlushTrials | None = None,
        memory: int | None = None,
    ) -> None:
        self._recorder = recorder
        self._stop_after = stop_after
        self._home = Home()
        self._is_passing = False
        self._has_told_of_delay = False
        self._own_work = OwnWork(recorder.note)
        self.unfollowed = Unfollowed(self._home)
        self._models = Models()
        self._kept = KeptCalls(self._own_work)
        self._sites = BackwardSites(recorder, only)
        self._alarm = Alarm(recorder, self._models, self._kept)
        accumulation = Accumulation(self._sites, self._own_work)
        self._steps = Steps(recorder, self._sites, self._alarm, accumulation)
        self._asked = AskedGradients(accumulation, self._own_work, self._found_training)
        self._schedule = Schedule(budget)
        self._ordinary = OrdinaryPass()
        self._samples = DependencySamples()
        self._pending = PendingLooks(recorder, self._sites)
        self._beginnings = Beginnings(self._own_work)
        self._flush_trials = flush_trials or FlushTrials()
        self._memory = Memory(memory, recorder.note)
        shared = (self._models, self._own_work, self._kept, self._home, self._samples, self._memory, self._flush_trials)
        self._watches = watches = StepWatches(*shared, only)
        self._compiled = CompiledCalls(self._own_work, self._kept, self._home, lambda: self._watch, watches.beside)
        made_beside = (self._models, self._kept, self._beginnings, self._compiled, self._own_work, self.unfollowed)
        self._making = CodeMaking(*made_beside, lambda: self._watch)
        self._lead = 0
        if only is not None:
            self._add_root(only, name_in_script(only, sys._getframe(1)))
        self._watch: StepWatch | None = self._watches.of_step(0)
        self._guards = self._new_guards() if guard else None
        self._calls = ScriptCalls(recorder, self._steps, self._pending, self._guards)
        self._patches = Patches(self, self._making, self._calls, self._home, self._own_work)

    @property
    def count(self) -> int:
        """How many backward passes there were."""
        return self._steps.count

    def close(self) -> None:
        """Finish what is pending, take every wrapping away, and write what is left."""
        self._patches.release()
        self._compiled.release()
        if self._guards is not None:
            self._guards.release()
        self._end_watch()
        self._kept.release()
        self._pending.release()
        self._beginnings.release()
        self._asked.rest()
        if self._home.is_this_process():
            with self._own_work:
                self._asked.look_back(is_pass=True)
            with self._own_work:
                self._pending.settle(None)
            with self._own_work:
                self._steps.settle()
            begin, budget = time.perf_counter(), self._schedule.budget
            with self._own_work:
                if untested := self._samples.test_at_the_end(self._recorder, budget.at_the_end()):
                    self._recorder.note(untested)
            budget.closing = time.perf_counter() - begin
            with self._own_work:
                if self._guards is not None and (left := self._guards.left()):
                    self._recorder.note(left)
            with self._own_work:
                self._calls.write_spent_loaders()
            for note in self.unfollowed.notes(self.count):
                self._recorder.note(note)
            self.flush()

    def flush(self) -> None:
        """Write what is known so far; the last step and its update are still open."""
        self._steps.write()
        spent = self._schedule.budget.overhead(self.count, self._steps.begun)
        self._recorder.write(replace(spent, memory=self._memory.raised, memory_allowed=self._memory.allowed))
        for entry in self._guards.entries() if self._guards is not None else ():
            self._recorder.write(entry)
        self._recorder.flush()

    def asked(self, call: GradCall) -> None:
        """The wrapped `torch.autograd.grad`: a backward pass like any other where the script trains by what it gets."""
        self.unfollowed.asked(call)
        if self._is_passing or not call.may_train:
            call.run()
            return
        frame = caller(sys._getframe(1))
        if not self._asked.trains(call, frame):
            call.run()
            with self._own_work:
                self._asked.tried(call, frame)
        elif self._home.passes():
            self._sites.gives(self._sites.number(frame), call.parameters)
            with call.as_backward_leaves_it():
                self.backward(call)

    def _found_training(self, trial: Trial, is_before_step: bool) -> None:
        """The script turns out to train by gradients that it asked for: the step that shows it counts, without a look
        of its own. What its forward passes showed until then is of no look."""
        site = self._sites.number_of(*trial.line)
        self._sites.given.setdefault(site, ())
        self._steps.take(site, trial.seconds, trial.losses, trial.norm)
        if (stale := self._watch) is not None:
            self._end_watch()
            self._watch = self._watches.of_step(self.count, is_leading=stale.is_leading) if is_before_step else None

    def backward(self, call: BackwardCall | GradCall) -> None:
        """The wrapped `torch.autograd.backward`; a pass within another (checkpointing) is part of that one."""
        if self._is_passing:
            call.run()
            return
        if self._asked.waits:
            with self._own_work:
                self._asked.look_back(is_pass=True)
        if self._watch is not None and self._watch.is_of_another_thread():
            self._end_watch()
        self._steps.count += 1
        begin, scale, is_due = time.perf_counter(), self._steps.scale, self._schedule.is_due(self.count)
        found = None if is_due or scale is not None else self._ordinary.site_and_loss(sys._getframe(), call.losses)
        goes_on = found is not None and self._steps.begin()
        if found is not None and not self._schedule.measures(self.count, goes_on=goes_on):
            self._ordinary_pass(call, *found, begin)
        else:
            frame, site = caller(sys._getframe(1)), 0
            with self._own_work:
                site = self._sites.number(frame)
                self._ordinary.learn(sys._getframe(), frame, site)
                goes_on = goes_on if found is not None else self._steps.begin()
            is_measured = self._schedule.measures(self.count, goes_on=goes_on)
            (self._measured if is_measured else self._unmeasured)(call, frame, site, begin)
        if self._guards is not None:
            self._guards.after_backward(self._steps.number, call.losses, scale)
        if self._stop_after is not None and self.count >= self._stop_after:
            raise StopRun(0)

    def _run(self, call: BackwardCall | GradCall) -> None:
        self._is_passing = True
        try:
            call.run()
        except Exception:
            self._compiled.shadow = None
            with self._own_work:
                if self._watch is not None and (cut := self._watch.cut_pass(self._steps.number)) is not None:
                    self._recorder.write(cut)
            raise
        finally:
            self._is_passing = False

    def _ordinary_pass(self, call: BackwardCall | GradCall, site: int, loss: float, begin: float) -> None:
        """A step of which the loss alone is read, at a glance."""
        if self._alarm.has_landmarks(site):
            with self._own_work:
                self._alarm.before(site, call.losses, loss, may_wait=False)
        else:
            self._alarm.forget()
        before = time.perf_counter() - begin
        self._run(call)
        begin = time.perf_counter() - before
        is_in_line = self._steps.is_in_line(site, loss)
        if is_in_line and (self._alarm.is_raised or is_sound(self._sites.canary(site))):
            self._passed_by(site, loss, begin)
        else:
            with self._own_work:
                self._glanced_at(call, None, site, loss, begin)

    def _unmeasured(self, call: BackwardCall | GradCall, frame: FrameType | None, site: int, begin: float) -> None:
        """A step of which the loss alone is read, with care."""
        loss = None
        with self._own_work:
            loss = read_at_once(call.losses)
            self._alarm.before(site, call.losses, loss, may_wait=False)
        before = time.perf_counter() - begin
        self._run(call)
        begin = time.perf_counter() - before
        with self._own_work:
            self._glanced_at(call, frame, site, loss, begin)

    def _glanced_at(
        self, call: BackwardCall | GradCall, frame: FrameType | None, site: int, loss: float | None, begin: float
    ) -> None:
        """The end of a pass that was not measured; where something is not finite it is measured all the same."""
        is_broken = not self._alarm.is_raised and looks_broken((self._sites.canary(site),))
        if self._alarm.has_glimpse or is_broken:
            self._steps.open(site, call.losses, watched=False)
            self._steps.judge(call.losses, frame)
            self._charge(site, None, 0.0, begin)
        else:
            self._passed_by(site, loss, begin)

    def _passed_by(self, site: int, loss: float | None, begin: float) -> None:
        self._steps.pass_by(site, loss)
        self._kept.drop()
        self._steps.scaler = None
        self._schedule.passed(site, looked=False)
        self._plan()
        self._schedule.unmeasured_seconds += time.perf_counter() - begin

    def _measured(self, call: BackwardCall | GradCall, frame: FrameType | None, site: int, begin: float) -> None:
        watch, losses = self._watch, call.losses
        look = watch
        if watch is not None and watch.is_leading:
            look = None
            with self._own_work:
                self._samples.stream.follow(self._steps.number, self._compiled.lead(watch, losses))
        with self._own_work:
            self._before(site, call, frame, look)
        with self._own_work:
            self._alarm.before(site, losses, read_at_once(losses), may_wait=look is not None)
        own = time.perf_counter() - begin
        self._run(call)
        again = time.perf_counter()
        self._end_watch()
        with self._own_work:
            self._steps.open(site, losses, watched=look is not None)
        if look is not None:
            with self._own_work, self._memory.measured(losses):
                self._after(site, look)
        if watch is not None:
            with self._own_work:
                watch.let_go()
        self._compiled.shadow = None
        with self._own_work:
            self._steps.judge(losses, frame)
        with self._own_work:
            self._charge(site, watch, own, again)

    def _before(
        self, site: int, call: BackwardCall | GradCall, frame: FrameType | None, watch: StepWatch | None
    ) -> None:
        """What is done before the script's backward pass, while the graph is still whole."""
        parts = self._compiled.parts()
        self._steps.write()
        if watch is not None or not self._steps.goes_on:  # of an update's looks the last one waits for it
            self._pending.settle(site)
        if watch is not None:
            for root in watch.roots:
                if root not in self._models and self._models.misses(root):
                    self._add_root(root, name_in_script(root, frame))
            self._models.refresh()
            self._alarm.learn(site, call.losses)
            with self._memory.measured(call.losses):
                watch.before_backward(call.losses, call.weights, self._steps.factor, parts)
            if site in self._sites.given:
                watch.asks_for(self._sites.given[site])
        if watch is not None or self._sites.is_new(site):
            if watch is not None and parts is None:
                leaves = watch.step.leaves
            else:
                leaves = kept_for(walk(call.losses).leaves, self._models)
            self._sites.learn(site, leaves)
            if leaves:
                self._recorder.device(leaves[0].device.type)
            for missed in self._calls.missed_loads(self._models, leaves):
                self._recorder.write(missed)

    def _after(self, site: int, watch: StepWatch) -> None:
        """What a look adds at the end of the backward pass."""
        seen = seen_by(watch, self._compiled.shadow, self._steps.number, site, self._steps.factor)
        names = self._models.parameter_names()
        look = replace(seen.look, at_pass=self._steps.passes)
        update = Update(self._models, seen.modules, look)
        is_given = site in self._sites.given
        listens = (names, seen.leaves, self._own_work, self._beginnings, self._flush_trials)
        stepped = None if self._compiled.others else Stepped(*listens, is_given=is_given)
        self._pending.add(update, Uncleared(names, () if is_given else seen.leaves, seen.modules, site), stepped)
        if self._steps.scaler is not None:
            self._pending.rescaled()
        self._samples.take(seen.look, seen.local_errors)
        self._lead = seen.lead
        if why_not := self._compiled.why_not():
            self._recorder.note(why_not)

    def _charge(self, site: int, watch: StepWatch | None, own: float, again: float) -> None:
        """Account for this step, and settle what the next one gets."""
        self._kept.drop()
        self._steps.scaler = None
        self._schedule.unmeasured_seconds += self._flush_trials.between_steps
        self._flush_trials.between_steps = 0.0
        own += time.perf_counter() - again
        cost = self._schedule.charge(site, self._steps.measured(), own, self._kept.seconds, watch)
        self._kept.seconds = 0.0
        self._schedule.passed(site, looked=cost is not None)
        if watch is not None and cost is not None:
            self._pending.charge(self._steps.number, cost)
            with self._own_work:
                self._samples.test_on_the_way(self._recorder, self._schedule.budget)
            self._schedule.start_next()
        self._plan()
        if self._schedule.is_flush_due():
            self.flush()
            self._schedule.flushed()

    def _plan(self) -> None:
        self._schedule.is_shared = self._steps.is_shared
        plan = self._schedule.plan(
            self.count,
            self._steps.passes,
            max(self._samples.stream.lead(), self._lead),
            pending=bool(self._pending),
        )
        if plan != "plain":
            self._watch = self._watches.of_step(self.count, is_leading=plan == "leading")
        if self._schedule.is_behind and not self._has_told_of_delay:
            self._has_told_of_delay = True
            self._recorder.note(
                f"The looks took more than {LEAST_SECONDS:g} seconds and their share of the budget, so from step "
                f"{self._steps.number} on they come later than planned, when the time allows."
            )
        self._kept.is_armed = not self._alarm.is_raised

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.detach()
            self._watch = None

    def _new_guards(self) -> OptimizerGuards:
        from gradreach.watch.guard_every_optimizer import OptimizerGuards  # a run without a guard need not import it

        return OptimizerGuards(self._models)

    def _add_root(self, root: nn.Module, name: str) -> None:
        self._recorder.write(Model(self._models.add(root, name), type(root).__name__))
        self._making.meets(root)
