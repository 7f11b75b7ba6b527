"""Where the first non-finite value came from: the step is run again from what the sentinel kept, with everything on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode

from gradreach.observe.graph import Node, parents, walk
from gradreach.observe.models import Models
from gradreach.observe.sentinel import Generators, KeptCall, tensors_of
from gradreach.record.schema import NonFinite

_FILLS = ("full", "fill", "masked_fill", "where", "triu", "tril", "empty", "zeros", "copy", "clone", "detach", "to")
"""Operations that put an infinity where it is meant (attention masks), or hand on what they were given."""


def value_of(tensors: Sequence[Tensor]) -> Literal["nan", "inf"] | None:
    """Which non-finite value stands in floating-point tensors: NaN before infinity; None where all are finite."""
    floating = [t.detach() for t in tensors if t.is_floating_point() or t.is_complex()]
    bad = [t for t in floating if not bool(torch.isfinite(t).all())]
    if not bad:
        return None
    return "nan" if any(bool(torch.isnan(t).any()) for t in bad) else "inf"


def trace(
    calls: Sequence[KeptCall], models: Models, loss: Sequence[Tensor], *, step: int, site: int, complete: bool
) -> NonFinite:
    """The first non-finite value of a step whose loss or gradient was not finite.

    Looks in the order in which a step computes: inputs, weights, forward passes, loss, backward passes. Leaves
    weights, buffers, attributes, gradients and generators as they were.
    """
    found = NonFinite(step=step, site=site, phase="backward", value="nan")
    for kept in calls:
        value = value_of(tensors_of((kept.args, kept.kwargs)))
        if value:
            return replace(
                found,
                phase="input",
                value=value,
                module=models.path(kept.root),
                replayed=True,
                detail=_which_input(kept),
            )
    names = models.parameter_names()
    for parameter in models.parameters():
        value = value_of([parameter])
        if value:
            name = names[id(parameter)]
            return replace(
                found,
                phase="parameters",
                value=value,
                module=name.rpartition(".")[0],
                operation=name,
                replayed=True,
                detail=f"{name} was not finite before the step began",
            )
    if calls and complete:
        replayed = _replay(calls, models, found, loss)
        if replayed is not None:
            return replayed
    return _from_gradients(models, found, loss)


def _which_input(kept: KeptCall) -> str:
    for index, argument in enumerate((*kept.args, *kept.kwargs.values())):
        for tensor in tensors_of(argument):
            if value_of([tensor]):
                place = tuple(int(i) for i in (~torch.isfinite(tensor)).nonzero()[0])
                return f"argument {index} of the model, shape {tuple(tensor.shape)}, first at index {place}"
    return ""


def _replay(calls: Sequence[KeptCall], models: Models, found: NonFinite, loss: Sequence[Tensor]) -> NonFinite | None:
    with _undisturbed([kept.root for kept in calls]):
        probes = []
        for kept in calls:
            probe = _Probe(models)
            kept.generators.restore()
            try:
                with probe.attached(), torch.enable_grad():
                    probe.output = kept.root(*kept.args, **kept.kwargs)
            except Exception as error:
                return replace(_from_gradients(models, found, loss), detail=f"the step could not be run again: {error}")
            probes.append(probe)
            if probe.culprit and value_of(tensors_of(probe.output)):
                return _forward_origin(probe, found, loss)
        if value_of(list(loss)):
            return replace(
                found,
                phase="loss",
                value=value_of(list(loss)) or "nan",
                replayed=True,
                operation=_loss_operation(loss),
                detail="every model's output was finite, the loss was not",
            )
        for probe, kept in reversed(list(zip(probes, calls, strict=True))):
            arrived = list(kept.gradients.values())
            value = value_of(arrived)
            if value:
                return replace(
                    found,
                    phase="loss",
                    value=value,
                    replayed=True,
                    operation=_loss_operation(loss),
                    module=models.path(kept.root),
                    detail="the loss was finite; its gradient with respect to the model's output was not",
                )
            origin = probe.backward_origin(kept, found)
            if origin is not None:
                return origin
    return None


def _forward_origin(probe: _Probe, found: NonFinite, loss: Sequence[Tensor]) -> NonFinite:
    culprit = probe.culprit
    assert culprit is not None
    is_loss = any(a.shape == b.shape and a.dim() == 0 for a in tensors_of(probe.output) for b in loss)
    return replace(
        found,
        phase="loss" if is_loss else "forward",
        value=culprit.value,
        module=culprit.path,
        operation=culprit.operation,
        time_step=culprit.time_step,
        replayed=True,
        detail=f"the inputs of {culprit.path} were finite, its output was not" if culprit.inputs_finite else "",
    )


def _from_gradients(models: Models, found: NonFinite, loss: Sequence[Tensor]) -> NonFinite:
    """Without a replay: the last module, in the order of definition, whose own gradient is not finite."""
    value = value_of(list(loss))
    if value:
        return replace(found, phase="loss", value=value, operation=_loss_operation(loss))
    names = models.parameter_names()
    bad = [p for p in models.parameters() if p.grad is not None and value_of([p.grad])]
    if not bad:
        return found
    name = names[id(bad[-1])]
    return replace(
        found,
        value=value_of([p.grad for p in bad if p.grad is not None]) or "nan",
        module=name.rpartition(".")[0],
        operation=name,
        detail=f"{len(bad)} parameters have a non-finite gradient, {name} nearest the loss",
    )


def _loss_operation(loss: Sequence[Tensor]) -> str:
    """The operations between the loss and the model, nearest the loss first; of these the risky ones, if any."""
    risky = ("Log", "Div", "Sqrt", "Pow", "Exp", "Norm", "Reciprocal", "Rsqrt", "Acos", "Asin", "Atanh", "BinaryCross")
    names = [node.name().removesuffix("Backward0") for node in walk(loss).nodes[:12]]
    telling = [name for name in names if name.startswith(risky)]
    return " ← ".join(telling[:3] or names[:3])


@contextmanager
def _undisturbed(roots: Sequence[nn.Module]) -> Iterator[None]:
    """Whatever a replay changes in the models or the generators is put back."""
    modules = list({id(m): m for root in roots for m in root.modules()}.values())
    attributes = [dict(module.__dict__) for module in modules]
    buffers = [(buffer, buffer.detach().clone()) for root in roots for buffer in root.buffers()]
    generators = Generators.now()
    try:
        yield
    finally:
        generators.restore()
        for module, before in zip(modules, attributes, strict=True):
            module.__dict__.clear()
            module.__dict__.update(before)
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)


@dataclass(frozen=True)
class _Culprit:
    path: str
    operation: str
    value: Literal["nan", "inf"]
    time_step: int | None
    inputs_finite: bool


@dataclass
class _Call:
    module: nn.Module
    index: int
    inputs_finite: bool
    operation: str = ""


class _Operations(TorchDispatchMode):
    """Names the first operation of the running module that made a non-finite value from finite ones."""

    def __init__(self, stack: list[_Call]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._stack = stack

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        call = self._stack[-1] if self._stack else None
        if call is not None and not call.operation:
            name = func.overloadpacket.__name__
            made = value_of(tensors_of(result))
            if made and not name.startswith(_FILLS) and not value_of(tensors_of(args)):
                call.operation = name
        return result


@dataclass
class _Probe:
    """One root call, run again: the first module whose output is not finite, and who owns which node of its graph."""

    models: Models
    culprit: _Culprit | None = None
    output: Any = None
    _stack: list[_Call] = field(default_factory=list)
    _calls: dict[int, int] = field(default_factory=dict)
    _owners: dict[Node, _Call] = field(default_factory=dict)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Global hooks and the operations' watch, for one forward pass."""
        handles = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave),
        ]
        try:
            with _Operations(self._stack):
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        if self._stack:
            self._claim(tensors_of(args), self._stack[-1])
        index = self._calls.get(id(module), 0)
        self._calls[id(module)] = index + 1
        self._stack.append(_Call(module, index, value_of(tensors_of(args)) is None))

    def _leave(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:  # noqa: ARG002
        call = self._stack.pop()
        tensors = tensors_of(output)
        self._claim(tensors, call)
        value = value_of(tensors)
        if value and self.culprit is None and not (self._masks(call, tensors)):
            self.culprit = _Culprit(
                self.models.path(module),
                call.operation or type(module).__name__,
                value,
                _time_step(module, call.index, tensors),
                call.inputs_finite,
            )

    @staticmethod
    def _masks(call: _Call, tensors: Sequence[Tensor]) -> bool:
        """A module that hands out a mask of −inf, made by filling, has done nothing wrong."""
        return call.inputs_finite and not call.operation and not any(bool(torch.isnan(t).any()) for t in tensors)

    def _claim(self, tensors: Sequence[Tensor], call: _Call) -> None:
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
        made: list[tuple[Node, Literal["nan", "inf"]]] = []

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


def _time_step(module: nn.Module, index: int, tensors: Sequence[Tensor]) -> int | None:
    """The first bad step of a recurrent layer's output; the call's number of a module in a loop."""
    if isinstance(module, nn.RNNBase) and tensors and tensors[0].dim() == 3:
        batch_axis = 0 if module.batch_first else 1
        bad = (~torch.isfinite(tensors[0].detach())).any(-1).any(batch_axis)
        return int(bad.nonzero()[0]) if bool(bad.any()) else None
    return index if index > 0 else None
