"""Everything that is gathered on one watched step, from its first forward pass to the end of its backward pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.record.schema import Look, Probe, TimeLook
from gradreach.watch.graph import walk
from gradreach.watch.lenses.depth import Depth
from gradreach.watch.lenses.feedforward import Feedforward
from gradreach.watch.lenses.loops import LoopErrors, Loops, look_at_loop
from gradreach.watch.lenses.recurrent import RECURRENT, RecurrentLens
from gradreach.watch.models import Models, trainable_without_gradient
from gradreach.watch.module_hooks import ModuleHooks, is_transformed
from gradreach.watch.nonfinite.kept_calls import Generators, Sentinel
from gradreach.watch.samples.dependency_samples import Pools, Stream
from gradreach.watch.samples.local_errors import Given, Residual, chunk_of, of_loop, of_sequence


class StepWatch:
    """Global module hooks for one step, on all modules or on those of `only`.

    `roots` are the modules that no other module called. The `lead` steps before it only show what a stream is made of.
    """

    def __init__(self, sentinel: Sentinel, only: nn.Module | None = None, lead: int = 0) -> None:
        self.lead = lead
        self.probe_seconds = 0.0
        self._parts = None if only is None else {id(module) for module in only.modules()}
        self.roots: list[nn.Module] = []
        self.leaves: tuple[Tensor, ...] = ()
        self.seconds = 0.0
        self.began: float | None = None
        self._depth = Depth()
        self._recurrent = RecurrentLens()
        self._loops = Loops()
        self._feedforward = Feedforward()
        self._given = Given()
        self._led = False
        self._look: Look | None = None
        self._probes: tuple[Probe, ...] = ()
        self._loop_errors: list[LoopErrors] = []
        self._sentinel = sentinel
        self._generators: Generators | None = None
        self._stack: list[nn.Module] = []
        self._thread = threading.get_ident()
        self._loop_looks: list[TimeLook] = []
        self._skip_connections = False
        self._hooks = ModuleHooks(self._enter, self._leave)

    def detach(self) -> None:
        """Take the global hooks away; without them the graph and the weights still tell their part."""
        self._hooks.remove()

    def before_backward(self, loss: Sequence[Tensor], weights: Any, models: Models, scale: float) -> None:
        """Read the script's graph while it is whole; from here on arriving gradients count."""
        graph = walk(loss)
        self.leaves = graph.leaves
        self._skip_connections = graph.has_skip_connections()
        as_it_is = not self._feedforward.stored_elsewhere  # else reading it makes what was dropped anew
        if as_it_is:
            self._depth.read_activations(graph)
        self._recurrent.before_backward()
        taken = self._recurrent.modules()
        for loop in self._loops.find(taken) if as_it_is else ():
            seen = look_at_loop(loop, loss, weights, models, scale)
            if seen is not None:
                self._loop_looks.append(seen[0])
                self._loop_errors += () if seen[1] is None else (seen[1],)
        if not self._recurrent.ran and not self._loop_looks:
            self._feedforward.find(graph, self._given)
        self._depth.recording = self._recurrent.recording = True

    def probe(self, loss: Sequence[Tensor], weights: Any, models: Models) -> None:
        """How far back a model without a recurrence reaches, by passes over the script's graph before its own."""
        module = self._feedforward.module
        if module is None:
            return
        begin = time.perf_counter()
        self._depth.recording = self._recurrent.recording = False
        try:
            probe = self._feedforward.probe(loss, weights, models.path(module))
            self._probes = () if probe is None else (probe,)
        finally:
            self._depth.recording = self._recurrent.recording = True
        self.probe_seconds = time.perf_counter() - begin

    def finish(self, models: Models, *, step: int, site: int, scale: float) -> Look:
        """The look, without the update that is still to come."""
        self._depth.recording = self._recurrent.recording = False
        self._depth.add_silent(models, self.leaves)
        self._look = Look(
            step=step,
            site=site,
            seconds=0.0,
            time=(*self._recurrent.looks(models, scale), *self._loop_looks),
            depth=self._depth.looks(models, scale),
            probes=self._probes,
            without_gradient=trainable_without_gradient(models),
            skip_connections=self._skip_connections,
        )
        return self._look

    def modules(self) -> list[nn.Module]:
        """The leaf modules that ran."""
        return self._depth.modules()

    def hand_over(self, pools: Pools, models: Models, scale: float) -> None:
        """After `finish`: what the score test needs of this look."""
        if self._look is not None:
            pools.take(self._look, self._residuals(models, scale), led=self._led)

    def lead_up(self, stream: Stream, step: int) -> None:
        """Hand over what a step was given that leads up to the one to be looked at; all is as new for the next."""
        self.lead, self.began, self._led = self.lead - 1, None, True
        sequences = self._recurrent.called_sequences()
        chunk = chunk_of(sequences[-1], self._given) if sequences else None
        self._given, self._recurrent = Given(), RecurrentLens()
        stream.extend(step, chunk)

    def _residuals(self, models: Models, scale: float) -> list[Residual]:
        """The errors where nothing recurs any more: at the output of the last recurrent module or, without one, at the
        last output that is a sequence."""
        last = [
            sequence for sequence in self._recurrent.last if sequence.error is not None and bool(sequence.error.any())
        ]
        if last:
            return [of_sequence(sequence, models.path(sequence.module), self._given) for sequence in last]
        found = None
        if self._loop_errors:
            errors = self._loop_errors[-1]
            found = of_loop(errors, models.path(errors.module), self._given)
        elif self._feedforward.module is not None:
            found = self._feedforward.residual(scale, models.path(self._feedforward.module))
        return [] if found is None else [found]

    def _enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:  # noqa: ARG002
        if torch.compiler.is_compiling() or not self._concerned(module):
            return
        begin = time.perf_counter()
        if self.began is None:
            self.began = begin
        if not self._stack:
            self._generators = Generators.now()
            if module not in self.roots:
                self.roots.append(module)
        self._stack.append(module)
        if not self.lead:
            self._recurrent.entering(module)
            self._feedforward.entering()
        self.seconds += time.perf_counter() - begin

    def _leave(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if torch.compiler.is_compiling() or not self._concerned(module) or module not in self._stack:
            return
        begin = time.perf_counter()
        while self._stack.pop() is not module:  # calls that raised never came back
            pass
        root = self._stack[0] if self._stack else module
        is_model = next(root.parameters(), None) is not None  # transforms and criteria are none
        fed = is_model and self._given.called(args, kwargs, outermost=not self._stack)
        if isinstance(module, RECURRENT):
            self._recurrent.called(module, args, kwargs, output)
        if not self.lead:
            self._look_at(module, args, kwargs, output, is_model=is_model, fed=fed)
        if not self._stack and self._generators is not None:
            self._sentinel.meet(module, args, kwargs, self._generators, output)
        self.seconds += time.perf_counter() - begin

    def _look_at(
        self,
        module: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        output: Any,
        *,
        is_model: bool,
        fed: bool,
    ) -> None:
        if is_model and (not module._modules or next(module.parameters(recurse=False), None) is not None):
            self._depth.called(module, output)
        if is_model:
            self._feedforward.called(module, args, output, fed=fed)
        self._loops.called(module, (args, tuple(kwargs.values())), output)

    def _concerned(self, module: nn.Module) -> bool:
        mine = self._parts is None or id(module) in self._parts
        return mine and torch.is_grad_enabled() and threading.get_ident() == self._thread and not is_transformed()
