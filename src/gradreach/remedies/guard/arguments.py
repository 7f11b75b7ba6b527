"""What a guard asks of its arguments, checked before anything is done; every error names the argument and a way out."""

from __future__ import annotations

import inspect
import io
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.remedies.arguments import integer
from gradreach.remedies.clip.clip import Clip
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


def named_objects(keep: Any) -> dict[str, Any]:
    if keep is None:
        return {}
    if not isinstance(keep, Mapping):
        raise TypeError(
            f"keep: expected a mapping from names to objects, got {type(keep).__name__}; write {{'data': …}}"
        )
    for name, thing in keep.items():
        able = hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict")
        if not able and not isinstance(thing, torch.Generator):
            raise TypeError(
                f"keep[{name!r}]: expected state_dict and load_state_dict, or a torch.Generator, "
                f"got {type(thing).__name__}"
            )
    return {str(name): thing for name, thing in keep.items()}


def check_optimizer(optimizer: Any, models: Mapping[str, nn.Module]) -> None:
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer: expected a torch.optim.Optimizer, got {type(optimizer).__name__}")
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if (closure is not None and closure.default is inspect.Parameter.empty) or isinstance(optimizer, torch.optim.LBFGS):
        raise TypeError(
            f"optimizer: {type(optimizer).__name__} steps by a closure that runs several backward passes, "
            "so there is no single step to judge; use an optimizer that steps without one"
        )
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if models and not any(id(p) in held for each in models.values() for p in each.parameters()):
        raise ValueError("optimizer: holds none of the model's parameters; make it from this model's parameters()")


def check_numbers(
    patience: Any, limit: Any, attempts: Any, every: Any, lower_lr: float, lower_threshold: float
) -> None:
    for name, number in (("patience", patience), ("limit", limit), ("attempts", attempts), ("every", every)):
        if integer(name, number) < 1:
            raise ValueError(f"{name}: expected at least 1, got {number}")
    if limit < patience:
        raise ValueError(f"limit: expected at least patience ({patience}), got {limit}")
    for name, factor in (("lower_lr", lower_lr), ("lower_threshold", lower_threshold)):
        if not 0.0 < factor <= 1.0:
            raise ValueError(f"{name}: expected a factor in (0, 1], got {factor}; 1 leaves it as it is")


def check_scaler(scaler: Any) -> None:
    if scaler is not None and not isinstance(scaler, torch.amp.GradScaler):
        raise TypeError(f"scaler: expected a torch.amp.GradScaler or None, got {type(scaler).__name__}")


def check_folder(folder: Any) -> None:
    if folder is not None and not isinstance(folder, str | PathLike):
        raise TypeError(f"folder: expected a path or None, got {type(folder).__name__}")


def check_clip(clip: Clip, optimizer: torch.optim.Optimizer) -> None:
    """What the clip does not measure, the guard does not see."""
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
    """A snapshot must load with weights_only=True: better known now than when it is needed."""
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
