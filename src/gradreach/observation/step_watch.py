"""Everything that is gathered on one watched step, from its first forward pass to the end of its backward pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.observation.depth import Depth
from gradreach.observation.graph import walk
from gradreach.observation.hooks import ModuleHooks
from gradreach.observation.loops import Loops, look_at_loop
from gradreach.observation.models import Models, trainable_without_gradient
from gradreach.observation.recurrent import CELLS, STOCK, Recurrent
from gradreach.observation.sentinel import Generators, Sentinel
from gradreach.record.schema import Look, TimeLook


class StepWatch:
    """Global module hooks for one step, on all modules or on those of `only`.

    `roots` are the modules that no other module called.
    """

    def __init__(self, sentinel: Sentinel, only: nn.Module | None = None) -> None:
        self._parts = None if only is None else {id(module) for module in only.modules()}
        self.roots: list[nn.Module] = []
        self.leaves: tuple[Tensor, ...] = ()
        self.seconds = 0.0
        self.began: float | None = None
        self._depth = Depth()
        self._recurrent = Recurrent()
        self._loops = Loops()
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
        self._depth.read_activations(graph)
        self._recurrent.before_backward()
        for loop in self._loops.find(self._recurrent.modules()):
            look = look_at_loop(loop, loss, weights, models, scale)
            if look is not None:
                self._loop_looks.append(look)
        self._depth.recording = self._recurrent.recording = True

    def finish(self, models: Models, *, step: int, site: int, scale: float) -> Look:
        """The look, without the update that is still to come."""
        self._depth.recording = self._recurrent.recording = False
        self._depth.add_silent(models, self.leaves)
        return Look(
            step=step,
            site=site,
            seconds=0.0,
            time=(*self._recurrent.looks(models, scale), *self._loop_looks),
            depth=self._depth.looks(models, scale),
            without_gradient=trainable_without_gradient(models),
            skip_connections=self._skip_connections,
        )

    def modules(self) -> list[nn.Module]:
        """The leaf modules that ran."""
        return self._depth.modules()

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
        self._recurrent.entering(module)
        self.seconds += time.perf_counter() - begin

    def _leave(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if torch.compiler.is_compiling() or not self._concerned(module) or module not in self._stack:
            return
        begin = time.perf_counter()
        while self._stack.pop() is not module:  # calls that raised never came back
            pass
        root = self._stack[0] if self._stack else module
        whole = not module._modules or next(module.parameters(recurse=False), None) is not None
        if whole and next(root.parameters(), None) is not None:  # transforms and criteria are no models
            self._depth.called(module, output)
        if isinstance(module, STOCK + CELLS):
            self._recurrent.called(module, args, kwargs, output)
        self._loops.called(module, (args, tuple(kwargs.values())), output)
        if not self._stack and self._generators is not None:
            self._sentinel.meet(module, args, kwargs, self._generators, output)
        self.seconds += time.perf_counter() - begin

    def _concerned(self, module: nn.Module) -> bool:
        mine = self._parts is None or id(module) in self._parts
        return mine and torch.is_grad_enabled() and threading.get_ident() == self._thread
