"""One root call of a step, run again: which module, operation and time step made a value non-finite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gradreach.engine.replay import replay
from gradreach.record.nonfinite import NonFiniteValue
from gradreach.record.schema import Direction, NonFinite
from gradreach.watch.graph import Node, parents
from gradreach.watch.models import Models
from gradreach.watch.module_hooks import ModuleHooks
from gradreach.watch.nonfinite.kept_calls import KeptCall
from gradreach.watch.tensors import tensors_of

_FILLS = ("full", "fill", "masked_fill", "where", "triu", "tril", "empty", "zeros", "copy", "clone", "detach", "to")
"""Operations that put an infinity where it is meant (attention masks), or only hand on what they were given."""


def value_of(tensors: Sequence[Tensor]) -> NonFiniteValue | None:
    """Which non-finite value stands in floating-point tensors: NaN before infinity; None where all are finite."""
    floating = [t.detach() for t in tensors if t.is_floating_point() or t.is_complex()]
    bad = [t for t in floating if not bool(torch.isfinite(t).all())]
    if not bad:
        return None
    return "nan" if any(bool(torch.isnan(t).any()) for t in bad) else "inf"


@dataclass(frozen=True)
class Culprit:
    """The first module whose output was not finite, and where inside it."""

    path: str
    operation: str
    value: NonFiniteValue
    time_step: int | None
    layer: int | None
    direction: Direction | None
    inputs_finite: bool


@dataclass
class _RunningCall:
    module: nn.Module
    index: int
    inputs_finite: bool
    operation: str = ""


class _Operations(TorchDispatchMode):
    """Names the first operation of the running module that made a non-finite value from finite ones."""

    def __init__(self, stack: list[_RunningCall]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._stack = stack

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        call = self._stack[-1] if self._stack else None
        if call is not None and not call.operation:
            name = func.overloadpacket.__name__
            made = value_of(tensors_of(result))
            if made and not name.startswith(_FILLS) and not value_of(tensors_of(*args)):
                call.operation = name
        return result


@dataclass
class CallReplay:
    """One root call, run again: the first module whose output is not finite, and who owns which node of its graph."""

    models: Models
    culprit: Culprit | None = None
    output: Any = None
    _stack: list[_RunningCall] = field(default_factory=list)
    _calls: dict[int, int] = field(default_factory=dict)
    _owners: dict[Node, _RunningCall] = field(default_factory=dict)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Watch every module call and every operation for one forward pass."""
        hooks = ModuleHooks(self._enter, self._leave)
        try:
            with _Operations(self._stack):
                yield
        finally:
            hooks.remove()

    def _enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        if self._stack:
            self._claim(tensors_of(*args), self._stack[-1])
        index = self._calls.get(id(module), 0)
        self._calls[id(module)] = index + 1
        self._stack.append(_RunningCall(module, index, value_of(tensors_of(*args)) is None))

    def _leave(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        call = self._stack.pop()
        tensors = tensors_of(output)
        self._claim(tensors, call)
        value = value_of(tensors)
        if value and self.culprit is None and not (self._masks(call, tensors)):
            step, layer, direction = _place(module, call.index, args, kwargs)
            operation = call.operation or type(module).__name__
            path = self.models.path(module)
            self.culprit = Culprit(path, operation, value, step, layer, direction, call.inputs_finite)

    @staticmethod
    def _masks(call: _RunningCall, tensors: Sequence[Tensor]) -> bool:
        """A module that hands out a mask of −inf, made by filling, has done nothing wrong."""
        return call.inputs_finite and not call.operation and not any(bool(torch.isnan(t).any()) for t in tensors)

    def _claim(self, tensors: Sequence[Tensor], call: _RunningCall) -> None:
        front = [t.grad_fn for t in tensors if t.grad_fn is not None and t.grad_fn not in self._owners]
        for node in front:
            if node not in self._owners:
                self._owners[node] = call
                front.extend(parent for parent in parents(node) if parent not in self._owners)

    def backward_origin(self, kept: KeptCall, found: NonFinite) -> NonFinite | None:
        """The first node on the way back that made a non-finite gradient from a finite one."""
        outputs = tensors_of(self.output)
        arrived = [(outputs[place], g) for place, g in kept.gradients.items() if outputs[place].requires_grad]
        pairs = [(output, gradient) for output, gradient in arrived if output.shape == gradient.shape]
        parameters = [p for p in kept.root.parameters() if p.requires_grad]
        if not pairs or not parameters:
            return None
        made: list[tuple[Node, NonFiniteValue]] = []

        def watch(node: Node) -> Any:
            def gradient_passes(
                grad_inputs: tuple[Tensor | None, ...], grad_outputs: tuple[Tensor | None, ...]
            ) -> None:
                if not made:
                    value = value_of([g for g in grad_inputs if g is not None])
                    if value and not value_of([g for g in grad_outputs if g is not None]):
                        made.append((node, value))

            return node.register_hook(gradient_passes)

        handles = [watch(node) for node in self._owners]
        try:
            torch.autograd.grad([o for o, _ in pairs], parameters, [g for _, g in pairs], allow_unused=True)
        finally:
            for handle in handles:
                handle.remove()
        if not made:
            return None
        node, value = made[0]
        call = self._owners[node]
        many = self._calls.get(id(call.module), 1) > 1
        operation = node.name().removesuffix("0").removesuffix("Backward")
        return replace(
            found,
            phase="backward",
            value=value,
            module=self.models.path(call.module),
            operation=operation,
            time_step=call.index if many else None,
            replayed=True,
            detail=f"the gradient that reached {operation} was finite, the one it passed on was not",
        )


def _place(
    module: nn.Module, index: int, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[int | None, int | None, Direction | None]:
    """Time step, layer, direction: of a recurrent layer by the closed form; of a module in a loop its call's number."""
    if not isinstance(module, nn.RNNBase):
        return index or None, None, None
    x = args[0] if args else kwargs["input"]
    hx = args[1] if len(args) > 1 else kwargs.get("hx")
    played = replay(module, x, hx)
    for n, run in enumerate(played.unrolls):
        bad = (~torch.isfinite(run.h[1:])).flatten(1).any(1).nonzero()
        if len(bad):
            step = len(run.x) - 1 - int(bad[0]) if run.reverse else int(bad[0])
            return step, n // played.directions, "reverse" if run.reverse else "forward"
    return None, None, None
