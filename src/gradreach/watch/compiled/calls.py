"""What `torch.compile` returned, and what each call of it is shown to while a script runs."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Sequence
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.engine.norms import is_sharded
from gradreach.watch.compiled.shadow import Shadow
from gradreach.watch.compiled.side_effects import modules_behind
from gradreach.watch.home import Home
from gradreach.watch.lens import BackwardPass
from gradreach.watch.models import modules_of
from gradreach.watch.module_hooks import is_transformed
from gradreach.watch.nonfinite.kept_calls import KeptCalls
from gradreach.watch.own_work import OwnWork
from gradreach.watch.samples.stream import Chunk
from gradreach.watch.step_watch import StepWatch

_OURS = "_gradreach_follows"
"""The mark of a function that stands for a compiled one."""


class CompiledCalls:
    """Follows the calls of what the script compiles, until `release`.

    Compiled code meets no hook of ours: while a call of it runs they are set aside. `watch_of` gives the watch of the
    step under way; where there is one, the eager form runs beside in a `shadow`, which `shadow_watch` makes the watch
    for. `others` says that something else than a module was compiled, which may step optimizers too.
    """

    def __init__(
        self,
        own_work: OwnWork,
        kept: KeptCalls,
        home: Home,
        watch_of: Callable[[], StepWatch | None],
        shadow_watch: Callable[[StepWatch], StepWatch],
    ) -> None:
        self.others = False
        self.shadow: Shadow | None = None
        self._is_inside = False
        self._own_work = own_work
        self._kept = kept
        self._home = home
        self._watch_of = watch_of
        self._shadow_watch = shadow_watch
        self._is_over = False
        self._replaced: list[tuple[nn.Module, Any]] = []
        self._class_call: tuple[Any, Callable[..., Any]] | None = None
        if "torch._dynamo.eval_frame" in sys.modules:  # something may be compiled already
            self._follow_class()

    def taken(self, target: Any, made: Any) -> Any:
        """What the script is given for what `torch.compile` made of a target."""
        if isinstance(made, nn.Module):
            self._follow_class()
            return made
        if not isinstance(made, FunctionType) or not callable(
            target
        ):  # a decorator that is still to be given its target
            return made
        self.others = self.others or _module_of(target) is None
        return self._followed(target, made)

    def follow(self, root: nn.Module) -> bool:
        """Follow what of a model was compiled before it was watched; whether anything was."""
        found = False
        for _, module in modules_of(root):
            made = module._compiled_call_impl
            found = found or made is not None or _is_made_of_another(module)
            if made is not None and not hasattr(made, _OURS):
                module._compiled_call_impl = self._followed(module._call_impl, made)
                self._replaced.append((module, made))
        return found

    def parts(self) -> Callable[[BackwardPass], tuple[BackwardPass, BackwardPass]] | None:
        """What takes the script's pass apart where the shadow of this step tells of a part; None without a shadow."""
        return None if self.shadow is None or self.shadow.is_empty else self.shadow.parts_of

    def lead(self, watch: StepWatch, losses: Sequence[Tensor]) -> Chunk | None:
        """What a step that leads up to a look was given, by its own watch or by the shadow's."""
        chunk = watch.lead(losses)
        return self.shadow.watch.lead(losses) if chunk is None and self.shadow is not None else chunk

    def why_not(self) -> str:
        """A sentence on the compiled code of this step that no shadow shows; empty where there is none."""
        why = "the backward pass runs within it" if self._is_inside else self.shadow.why_not if self.shadow else ""
        if not why:
            return ""
        return (
            f"Compiled code is not looked into, for {why}: its modules, their activations and times are not reported."
        )

    def release(self) -> None:
        """Follow nothing any more."""
        self._is_over, self.shadow = True, None
        if self._class_call is not None:
            kind, own = self._class_call
            kind.__call__ = own
        for module, made in self._replaced:
            module._compiled_call_impl = made

    def _followed(self, target: Any, made: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(made)
        def compiled(*args: Any, **kwargs: Any) -> Any:
            return self._call(target, made, args, kwargs)

        setattr(compiled, _OURS, True)
        return compiled

    def _follow_class(self) -> None:
        """Follow the calls of all modules that were compiled as such: they share one class."""
        if self._class_call is not None:
            return
        kind = sys.modules["torch._dynamo.eval_frame"].OptimizedModule
        own: Callable[..., Any] = kind.__call__
        self._class_call = kind, own

        @functools.wraps(own)
        def compiled(module: nn.Module, /, *args: Any, **kwargs: Any) -> Any:
            return self._call(module._modules["_orig_mod"], functools.partial(own, module), args, kwargs)

        kind.__call__ = compiled

    def _call(self, target: Any, made: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._own_work.is_running:  # a replay or a shadow of ours
            return target(*args, **kwargs)
        if self._is_over or self._is_inside or not self._home.is_here() or is_transformed():
            return made(*args, **kwargs)
        watch = self._watch_of()
        call = made if watch is None else functools.partial(self._watched, watch, target, made)
        self._is_inside = True
        try:
            root = _module_of(target)
            if root is None:
                return call(*args, **kwargs)
            return self._kept.through(root, call, args, kwargs, sys._getframe(2))
        finally:
            self._is_inside = False

    def _watched(
        self,
        watch: StepWatch,
        target: Any,
        made: Callable[..., Any],
        /,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        before, beside = None, _alone(target)
        if self.shadow is None:
            self.shadow = Shadow(self._shadow_watch(watch), watch, self._own_work)
        shadow = self.shadow
        begin = time.perf_counter()
        with self._own_work:
            if (root := _module_of(target)) is not None and torch.is_grad_enabled():
                watch.met(root, args, kwargs)
            if self._may_run_beside(shadow, target, args, kwargs):
                before = shadow.before(beside, (*args, *kwargs.values()))
        start = time.perf_counter()
        with watch.aside():
            output = made(*args, **kwargs)
            end = time.perf_counter()
            if before is not None:
                with self._own_work:
                    shadow.after(beside, args, kwargs, output, before)
                    for module in shadow.watch.roots:
                        watch.add_root(module)
        watch.seconds += start - begin + time.perf_counter() - end
        return output

    def _may_run_beside(self, shadow: Shadow, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Not where a forward pass waits for the other ranks, which may not look at this step."""
        modules = [*modules_behind(target, (*args, *kwargs.values()))]
        if any(is_sharded(p) for module in modules for p in module._parameters.values() if p is not None):
            shadow.why_not = "its parameters are sharded over ranks"
        elif any(isinstance(module, nn.SyncBatchNorm) for module in modules):
            shadow.why_not = "its batch norms wait for the other ranks"
        return not shadow.why_not


def _module_of(target: Any) -> nn.Module | None:
    """The module whose call a compiled target is."""
    if isinstance(target, MethodType) and isinstance(target.__self__, nn.Module):
        return target.__self__ if target.__name__ in ("forward", "_call_impl", "__call__") else None
    return target if isinstance(target, nn.Module) else None


def _is_made_of_another(module: nn.Module) -> bool:
    """Whether a module is what `torch.compile` made of another."""
    return "_orig_mod" in module._modules and type(module).__module__.startswith("torch._dynamo")


def _alone(target: Any) -> Any:
    """The eager form that runs beside: a data-parallel wrapper would wait for the other ranks."""
    is_parallel = isinstance(target, nn.parallel.DistributedDataParallel)
    return target.module if is_parallel else target
