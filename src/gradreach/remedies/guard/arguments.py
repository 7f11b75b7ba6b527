"""Checks of what a Guard is given, done before anything else; every error names the argument and a way out."""

from __future__ import annotations

import inspect
import io
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.remedies.clip import Clip
from gradreach.remedies.guard.run_state import RunState


def modules_by_name(model: Any) -> dict[str, nn.Module]:
    if model is None:
        return {}
    if isinstance(model, nn.Module):
        named = {"model": model}
    elif isinstance(model, Mapping):
        named = {str(name): each for name, each in model.items()}
    elif isinstance(model, Iterable):
        named = {str(index): each for index, each in enumerate(model)}
    else:
        named = {"": model}
    if not named:
        raise ValueError("model: expected a module, several, or None, got none in it; None: the optimizer's parameters")
    for each in named.values():
        if not isinstance(each, nn.Module):
            raise TypeError(f"model: expected an nn.Module, several, or None, got {type(each).__name__}")
        if any(isinstance(p, nn.parameter.UninitializedParameter) for p in each.parameters()):
            raise ValueError("model: expected initialised parameters, got lazy ones; run one batch through it first")
    return named


def list_of_schedulers(scheduler: Any) -> list[Any]:
    schedulers = [] if scheduler is None else list(scheduler) if isinstance(scheduler, list | tuple) else [scheduler]
    for each in schedulers:
        if isinstance(each, torch.optim.lr_scheduler.ReduceLROnPlateau):
            raise TypeError("scheduler: ReduceLROnPlateau steps by a metric; step it yourself and give it in keep")
        if not all(hasattr(each, method) for method in ("step", "state_dict", "load_state_dict")):
            raise TypeError(f"scheduler: expected step, state_dict and load_state_dict, got {type(each).__name__}")
    return schedulers


def check_optimizer(optimizer: Any, models: Mapping[str, nn.Module]) -> None:
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer: expected a torch.optim.Optimizer, got {type(optimizer).__name__}")
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if (closure is not None and closure.default is inspect.Parameter.empty) or isinstance(optimizer, torch.optim.LBFGS):
        raise TypeError(
            f"optimizer: {type(optimizer).__name__} steps by a closure that runs several backward passes, "
            "so there is no single step to judge; use an optimizer that steps without one"
        )
    optimized = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if models and not any(id(p) in optimized for each in models.values() for p in each.parameters()):
        raise ValueError("optimizer: holds none of the model's parameters; make it from this model's parameters()")


def check_scaler(scaler: Any) -> None:
    if scaler is not None and not isinstance(scaler, torch.amp.GradScaler):
        raise TypeError(f"scaler: expected a torch.amp.GradScaler or None, got {type(scaler).__name__}")


def check_clip(clip: Clip, optimizer: torch.optim.Optimizer) -> None:
    """Raise ValueError where the clip leaves out a trained parameter: the guard does not see what is not measured."""
    measured = {id(p) for p in clip._parameters()}
    trained = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    covered = sum(id(p) in measured for p in trained)
    if covered < len(trained):
        raise ValueError(
            f"clip: covers {covered} of {len(trained)} of the optimizer's parameters; make it of the optimizer"
        )


def check_state(state: Any) -> None:
    missing = [name for name in ("state", "clip") if name not in state]
    if missing:
        raise ValueError(f"state: expected what a Guard's state_dict() returned, got one without {missing[0]!r}")


def check_plain(run: RunState) -> None:
    """Raise TypeError where a snapshot would not load with weights_only=True: better now than when it is needed."""
    tree = run.read()
    parts = {f"keep[{name!r}]": state for name, state in tree["keep"].items()}
    parts.update({f"scheduler {index}": state for index, state in enumerate(tree["schedulers"])})
    for name, part in parts.items():
        try:
            torch.save(part, memory := io.BytesIO())
            torch.load(io.BytesIO(memory.getvalue()), weights_only=True)
        except Exception as problem:
            raise TypeError(
                f"{name}: its state_dict cannot be written to `folder` and read back with weights_only=True "
                f"({str(problem).splitlines()[0]}); return tensors, numbers, strings, lists and dicts of them"
            ) from problem


def check_loss(loss: Any) -> None:
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        came = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise ValueError(f"loss: expected a tensor of one element, got {came}; reduce it, e.g. by mean()")
