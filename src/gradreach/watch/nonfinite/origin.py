"""Where the first non-finite value came from: the step is run again from what was kept of it, with everything on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from gradreach.engine.norms import is_sharded
from gradreach.record.nonfinite import NonFiniteValue
from gradreach.record.schema import NonFinite
from gradreach.watch.graph import walk
from gradreach.watch.models import Models
from gradreach.watch.nonfinite.call_replay import CallReplay, value_of
from gradreach.watch.nonfinite.kept_calls import Generators, KeptCall
from gradreach.watch.tensors import tensors_of


def trace(
    calls: Sequence[KeptCall], models: Models, loss: Sequence[Tensor], *, step: int, site: int, complete: bool
) -> NonFinite:
    """The first non-finite value of a step whose loss or gradient was not finite.

    It is looked for in the order in which a step computes: inputs, weights, forward passes, loss, backward passes; the
    last three by running the step again, where all its calls are there (`complete`). Weights, buffers, attributes,
    gradients and generators are left as they were.
    """
    found = NonFinite(step=step, site=site, phase="backward", value="nan")
    origin = _in_inputs(calls, models, found) or _in_parameters(models, found)
    if origin is None and calls and complete and not any(is_sharded(p) for p in models.parameters()):
        origin = _replay(calls, models, found, loss)
    return origin or _from_gradients(models, found, loss)


def _in_inputs(calls: Sequence[KeptCall], models: Models, found: NonFinite) -> NonFinite | None:
    for kept in calls:
        value = value_of(tensors_of(*kept.args, *kept.kwargs.values()))
        if value:
            module, detail = models.path(kept.root), _which_input(kept)
            return replace(found, phase="input", value=value, module=module, replayed=True, detail=detail)
    return None


def _in_parameters(models: Models, found: NonFinite) -> NonFinite | None:
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
    return None


def _alone(root: nn.Module) -> nn.Module:
    """The model itself: its data-parallel wrapper would wait for the other ranks, which do not run the step again."""
    return root.module if isinstance(root, nn.parallel.DistributedDataParallel) else root


def _which_input(kept: KeptCall) -> str:
    for index, argument in enumerate((*kept.args, *kept.kwargs.values())):
        for tensor in tensors_of(argument):
            if value_of([tensor]):
                place = tuple(int(i) for i in (~torch.isfinite(tensor)).nonzero()[0])
                return f"argument {index} of the model, shape {tuple(tensor.shape)}, first at index {place}"
    return ""


def _replay(calls: Sequence[KeptCall], models: Models, found: NonFinite, loss: Sequence[Tensor]) -> NonFinite | None:
    """Run the step again, call by call; None where nothing is found on the way."""
    replays = []
    with _undisturbed([kept.root for kept in calls]):
        for kept in calls:
            replay = CallReplay(models)
            kept.generators.restore()
            try:
                with replay.attached(), torch.enable_grad():
                    replay.output = _alone(kept.root)(*kept.args, **kept.kwargs)
            except Exception as error:
                return replace(_from_gradients(models, found, loss), detail=f"the step could not be run again: {error}")
            replays.append(replay)
            if replay.culprit and value_of(tensors_of(replay.output)):
                return _forward_origin(replay, found, loss)
        value = value_of(loss)
        if value:
            return _loss_origin(found, value, loss, "", "every model's output was finite, the loss was not")
        for replay, kept in reversed(list(zip(replays, calls, strict=True))):
            value = value_of(list(kept.gradients.values()))
            if value:
                detail = "the loss was finite; its gradient with respect to the model's output was not"
                return _loss_origin(found, value, loss, models.path(kept.root), detail)
            origin = replay.backward_origin(kept, found)
            if origin is not None:
                return origin
    return None


def _loss_origin(
    found: NonFinite, value: NonFiniteValue, loss: Sequence[Tensor], module: str, detail: str
) -> NonFinite:
    operation = _loss_operation(loss)
    return replace(found, phase="loss", value=value, replayed=True, operation=operation, module=module, detail=detail)


def _forward_origin(replay: CallReplay, found: NonFinite, loss: Sequence[Tensor]) -> NonFinite:
    culprit = replay.culprit
    assert culprit is not None
    is_loss = any(a.shape == b.shape and a.dim() == 0 for a in tensors_of(replay.output) for b in loss)
    return replace(
        found,
        phase="loss" if is_loss else "forward",
        value=culprit.value,
        module=culprit.path,
        operation=culprit.operation,
        time_step=culprit.time_step,
        layer=culprit.layer,
        direction=culprit.direction,
        replayed=True,
        detail=f"the inputs of {culprit.path} were finite, its output was not" if culprit.inputs_finite else "",
    )


def _from_gradients(models: Models, found: NonFinite, loss: Sequence[Tensor]) -> NonFinite:
    """What the gradients tell without a replay: the last module, in the order of definition, with one that is not
    finite."""
    value = value_of(loss)
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
    """The operations between the loss and the model, nearest the loss first; the risky ones alone if any."""
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
