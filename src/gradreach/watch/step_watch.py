"""Drives the lenses over one watched step, from its first forward pass to the end of its backward pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.loop import CutPass
from gradreach.record.seen.loss import LossLook
from gradreach.watch.graph import walk
from gradreach.watch.home import Home
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep, all_lenses
from gradreach.watch.models import modules_of, parameters_of
from gradreach.watch.module_hooks import ModuleHooks, is_transformed
from gradreach.watch.nonfinite.kept_calls import Generators, KeptCalls
from gradreach.watch.own_work import is_ours
from gradreach.watch.samples.local_errors import LocalErrors
from gradreach.watch.samples.stream import Chunk
from gradreach.watch.sharded import kept_for

MOST_NAMED = 8

EVENTS = (Lens.entering, Lens.called, Lens.ended, Lens.before_backward, Lens.look, Lens.leads, Lens.let_go)


class StepWatch:
    """Drives the lenses over one step, on the calls of all modules or on those of `only`.

    A step that `is_leading` only leads up to a look: the lenses that follow streams are driven, and tell its chunk.
    A watch `beside` that of the script's own step is of its shadow, our own run of the script's modules, and hooked
    while that lasts alone: what is to be held against the script's loss it shows to the lenses of the other.
    `roots` are the modules that no other module called. `began` is when the first of them was entered, and `seconds` is
    what the hooks took.
    """

    def __init__(
        self,
        step: WatchedStep,
        kept: KeptCalls,
        home: Home,
        only: nn.Module | None = None,
        *,
        is_leading: bool = False,
        beside: StepWatch | None = None,
    ) -> None:
        self.is_leading = is_leading
        self.roots: list[nn.Module] = []
        self.began: float | None = None
        self.worked_before = 0.0
        self.seconds = 0.0
        self.step = step
        driven = [lens for lens in all_lenses() if lens.follows_streams or not is_leading]
        if beside is not None:
            driven = [lens for lens in driven if not lens.asks_the_loss]
        self._lenses = [lens(step) for lens in driven if not step.own_work.is_out(_name(lens))]
        self._that = {does: [lens for lens in self._lenses if _overrides(type(lens), does)] for does in EVENTS}
        if beside is not None:
            self._that[Lens.called] += [lens for lens in beside._that[Lens.called] if lens.asks_the_loss]
        self._kept = kept
        self._parts = None if only is None else {id(module) for _, module in modules_of(only)}
        self._generators: Generators | None = None
        self._stack: list[nn.Module] = []
        self._home = home
        self._thread = threading.get_ident() if home.is_here() else 0
        self._is_over = False
        self._hooks = None if beside is not None else self._hook()

    def is_of_another_thread(self) -> bool:
        """Whether it is not the thread that runs now whose calls are heard."""
        return threading.get_ident() != self._thread

    def detach(self) -> None:
        """Take the global hooks away for good; without them the graph and the weights still tell their part."""
        self._is_over = True
        self._unhook()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Without the global hooks, as compiled code needs it, which would warn of them or be compiled anew."""
        self._unhook()
        try:
            yield
        finally:
            if not self._is_over:
                self._hooks = self._hook()

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """With the global hooks for as long as a part of a shadow runs."""
        self._hooks = self._hook()
        try:
            yield
        finally:
            self._unhook()

    def add_root(self, root: nn.Module) -> None:
        """Take in a module as one that no other called, where none is being called."""
        if not self._stack and not any(known is root for known in self.roots):
            self.roots.append(root)

    def met(self, root: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The script calls a root whose hooks may not be heard: take in the root and its data."""
        self.add_root(root)
        self.step.called.setdefault(id(root), len(self.step.called))
        self.step.data.called(args, kwargs, outermost=not self._stack)

    def in_its_own_terms(self, marks: Mapping[Any, Any]) -> dict[Any, Any]:
        """Marks that the lenses of another watch made on a node, as this one's lenses make them."""
        mine = {type(lens): lens for lens in self._lenses}
        return {mine.get(type(key), key): value for key, value in marks.items()}

    def before_backward(
        self,
        losses: Sequence[Tensor],
        weights: Any,
        scale: float,
        parts: Callable[[BackwardPass], tuple[BackwardPass, BackwardPass]] | None = None,
    ) -> None:
        """Show the lenses the script's graph while it is whole; from here on arriving gradients count. Where a shadow
        tells of a part of it, `parts` gives what is left, and what both are together."""
        own = BackwardPass(losses, weights, walk(losses))
        own, joined = (own, own) if parts is None else parts(own)
        self.step.leaves, self.step.scale = kept_for(own.graph.leaves, self.step.models), scale
        self._each(Lens.before_backward, lambda lens: lens.before_backward(joined if lens.asks_the_loss else own))
        self.step.is_recording = True

    def asks_for(self, asked: Sequence[int]) -> None:
        """The script is given the gradients of these of the graph's leaves, by identity, and of no others."""
        self.step.unasked = frozenset(map(id, self.step.leaves)).difference(asked)
        self.step.leaves = tuple(leaf for leaf in self.step.leaves if id(leaf) not in self.step.unasked)
        self.step.is_given = True

    def look(self, step: int, site: int, losses: tuple[LossLook, ...] = ()) -> Look:
        """The look, without the update that is still to come; `losses` are known of what the script computed itself."""
        self.step.is_recording = False
        if self.step.is_given:
            self.step.gradients = {id(leaf): leaf.grad for leaf in self.step.leaves}
        looks = [Look(step=step, site=site, seconds=0.0, losses=losses)]
        self._each(Lens.look, lambda lens: looks.append(lens.look(looks[-1])))
        return looks[-1]

    def cut_pass(self, step: int) -> CutPass | None:
        """Where the pass raised: a model all of whose weights were used where gradients are switched off; None where
        there is none."""
        cut = self.step.called_without_gradient
        for root in self.roots:
            ran = [(path, part) for path, part in modules_of(root) if part._parameters and id(part) in self.step.called]
            if ran and all(id(part) in cut for _, part in ran):
                return CutPass(step, type(root).__name__, tuple(path for path, _ in ran)[:MOST_NAMED])
        outermost = next((module for module in cut.values() if module._modules or module._parameters), None)
        return None if outermost is None or self.roots else CutPass(step, type(outermost).__name__, ())

    def local_errors(self) -> Sequence[LocalErrors]:
        """After `look`: the errors where nothing recurs any more, for the test of what they depend on."""
        return next((errors for lens in self._lenses if (errors := lens.local_errors())), ())

    def let_go(self) -> None:
        """Have the lenses let go of what they kept of the step."""
        self._each(Lens.let_go, lambda lens: lens.let_go())

    def lead(self, losses: Sequence[Tensor]) -> Chunk | None:
        """Show a step that leads up to a look to the lenses that follow it; what it was given."""
        self._each(Lens.leads, lambda lens: lens.leads(losses))
        return next((chunk for lens in self._lenses if (chunk := lens.chunk()) is not None), None)

    def _each(self, does: Callable[..., Any], act: Callable[[Lens], None]) -> None:
        """Drive every lens that has a method of its own in the place of `does`; one that fails is left out of this
        step."""
        for lens in tuple(self._that[does]):
            try:
                act(lens)
            except Exception as error:
                if not is_ours(error):
                    raise
                for lenses in (self._lenses, *self._that.values()):
                    if lens in lenses:
                        lenses.remove(lens)
                self.step.own_work.tell(error, _name(type(lens)))

    def _enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:  # noqa: ARG002
        if torch.compiler.is_compiling() or not self._is_of_script(module):
            return
        self.step.called.setdefault(id(module), len(self.step.called))
        if not torch.is_grad_enabled():
            self.step.called_without_gradient[id(module)] = module
        if not torch.is_grad_enabled() or is_transformed():
            return
        begin = time.perf_counter()
        if self.began is None:
            self.began, self.worked_before = begin, time.process_time()
        with self.step.own_work:
            if not self._stack:
                self._generators = None if self.step.is_shadow else Generators.now()
                self.add_root(module)
            self._stack.append(module)
            self.step.is_stored_elsewhere = self.step.is_stored_elsewhere or _saves_elsewhere()
            self.step.spans.entering(module)
            self._each(Lens.entering, lambda lens: lens.entering(module))
        self.seconds += time.perf_counter() - begin

    def _leave(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if torch.compiler.is_compiling() or not any(entered is module for entered in self._stack):
            return
        if not self._is_of_script(module) or not torch.is_grad_enabled() or is_transformed():
            return
        begin = time.perf_counter()
        with self.step.own_work:
            while self._stack.pop() is not module:  # calls that raised never came back
                pass
            self.step.spans.called(module)
            root = self._stack[0] if self._stack else module
            of_model = next(parameters_of(root), None) is not None  # transforms and criteria are none
            is_fed = of_model and self.step.data.called(args, kwargs, outermost=not self._stack)
            call = ModuleCall(module, args, kwargs, output, of_model, is_fed)
            self._each(Lens.called, lambda lens: lens.called(call))
            if not self._stack and self._generators is not None:
                self._kept.meet(module, args, kwargs, self._generators, output)
        self.seconds += time.perf_counter() - begin

    def _end(self, module: nn.Module, args: object, output: object) -> None:  # noqa: ARG002
        if self._that[Lens.ended] and not torch.compiler.is_compiling() and not self.is_of_another_thread():
            with self.step.own_work:
                self._each(Lens.ended, lambda lens: lens.ended(module))

    def _is_of_script(self, module: nn.Module) -> bool:
        """Whether the script calls this module, in its own thread, and watching is asked of it."""
        mine = self._parts is None or id(module) in self._parts
        is_asked = self.step.is_shadow or not self.step.own_work.is_running
        return mine and is_asked and (not self.is_of_another_thread() or self._moves())

    def _moves(self) -> bool:
        """Whether the calls of this thread are heard from now on: none was heard before."""
        if self.began is not None or not self._home.calls():
            return False
        self._thread = threading.get_ident()
        return True

    def _hook(self) -> ModuleHooks:
        return ModuleHooks(self._enter, self._leave, self._end)

    def _unhook(self) -> None:
        if self._hooks is not None:
            self._hooks.remove()
            self._hooks = None


def _name(lens: type[Lens]) -> str:
    return f"The lens {lens.__name__}"


def _overrides(lens: type[Lens], does: Callable[..., Any]) -> bool:
    return getattr(lens, does.__name__) is not does


def _saves_elsewhere() -> bool:
    """Whether hooks store what the graph saves, as checkpointing and offloading do; yes where torch does not tell."""
    tell = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", None)
    return tell is None or tell(False) is not None
