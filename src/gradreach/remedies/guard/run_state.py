"""All that a training run consists of, read as one tree of plain values and tensors, and put back in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from gradreach.engine.norms import each_norm, local, to_host
from gradreach.remedies.guard.copies import copy_all
from gradreach.remedies.guard.generators import generator_states, set_generator_states

Tree = dict[str, Any]
EXTRA = "_extra_state"


@dataclass(frozen=True)
class RunState:
    """The live objects of one run. `keep`: whatever else has a state_dict, or is a torch.Generator, by name."""

    models: Mapping[str, nn.Module]
    optimizer: torch.optim.Optimizer
    schedulers: Sequence[Any] = ()
    scaler: Any = None
    keep: Mapping[str, Any] = field(default_factory=dict)
    clip: Any = None

    def optimized(self) -> list[Tensor]:
        """The optimizer's parameters."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def parameters(self) -> list[Tensor]:
        """Every parameter once: the models', and the optimizer's own."""
        of_models = (p for model in self.models.values() for p in model.parameters())
        return list({id(p): p for p in (*of_models, *self.optimized())}.values())

    def every_scheduler(self) -> list[Any]:
        """The optimizer's schedulers, those in `keep` included."""
        kept = [each for each in self.keep.values() if isinstance(each, LRScheduler)]
        return [*self.schedulers, *(each for each in kept if each.optimizer is self.optimizer)]

    def loose(self) -> list[Tensor]:
        """The optimizer's parameters that belong to no model."""
        known = {id(t) for model in self.models.values() for t in tensors_of(model).values()}
        return [p for p in self.optimized() if id(p) not in known]

    def not_finite(self) -> list[str]:
        """The names of the trained parameters that hold something which is not finite."""
        named = {f"{name}.{at}": t for name, model in self.models.items() for at, t in tensors_of(model).items()}
        named.update({f"the optimizer's parameter {index}": p for index, p in enumerate(self.loose())})
        named = {n: p for n, p in named.items() if isinstance(p, Tensor) and p.requires_grad and p.numel()}
        norms = to_host(each_norm(list(named.values())))
        return [name for name, norm in zip(named, norms, strict=True) if not isfinite(norm)]

    def devices(self) -> list[int]:
        """The indices of the GPUs in use."""
        return sorted({p.device.index for p in self.parameters() if p.device.type == "cuda"})

    def read(self) -> Tree:
        """The live tree: its tensors are the run's own, to be copied before the next step."""
        return {
            "models": {name: tensors_of(model) for name, model in self.models.items()},
            "loose": self.loose(),
            "optimizer": self.optimizer.state_dict(),
            "schedulers": [scheduler.state_dict() for scheduler in self.schedulers],
            "classes": [type(each).__name__ for each in (self.optimizer, *self.schedulers)],
            "scaler": {} if self.scaler is None else dict(self.scaler.state_dict()),
            "keep": {name: _state(thing) for name, thing in self.keep.items()},
            "clip": {} if self.clip is None else dict(self.clip.state_dict()),
            "generators": generator_states(self.devices()),
        }

    @torch.no_grad()
    def write(self, tree: Tree, generators: bool) -> None:
        """Put a copied tree back, tensors in place; nothing live shares memory with the tree afterwards.

        The user's objects come first: if one refuses its state, nothing else has been changed.
        """
        for name, thing in self.keep.items():
            _set_state(thing, deepcopy(tree["keep"][name]))
        pairs: list[tuple[Tensor, Tensor]] = []
        for name, model in self.models.items():
            _write_module(model, tree["models"][name], pairs)
        pairs += zip((local(t) for t in self.loose()), tree["loose"], strict=True)
        _write_optimizer(self.optimizer, tree["optimizer"], pairs)
        copy_all(pairs)
        states = [*zip(self.schedulers, tree["schedulers"], strict=True)]
        states += [(self.scaler, tree["scaler"]), (self.clip, tree["clip"])]
        for thing, state in states:
            if thing is not None:
                thing.load_state_dict(deepcopy(state))
        if generators:
            set_generator_states(tree["generators"])


def tensors_of(model: nn.Module, prefix: str = "") -> Tree:
    """A module's parameters, buffers (those that state_dict leaves out too) and extra states, by state_dict's names.

    A tensor that stands in several places stands under each of its names. It is one walk because the module's own
    iterators take one each, which is a good part of a snapshot of many small tensors.
    """
    tree: Tree = {
        prefix + name: tensor
        for tensors in (model._parameters, model._buffers)
        for name, tensor in tensors.items()
        if tensor is not None
    }
    if type(model).get_extra_state is not nn.Module.get_extra_state:
        tree[prefix + EXTRA] = model.get_extra_state()
    for name, child in model._modules.items():
        if child is not None:
            tree.update(tensors_of(child, f"{prefix}{name}."))
    return tree


def _state(thing: Any) -> Any:
    return thing.get_state() if isinstance(thing, torch.Generator) else thing.state_dict()


def _set_state(thing: Any, state: Any) -> None:
    if isinstance(thing, torch.Generator):
        thing.set_state(state)
    else:
        thing.load_state_dict(state)


def _write_module(model: nn.Module, saved: Tree, pairs: list[tuple[Tensor, Tensor]]) -> None:
    """Tensors are put back in place; buffers that came, went or changed their shape since are put there anew."""
    live = tensors_of(model)
    for name in live.keys() | saved.keys():
        here, then = live.get(name), saved.get(name)
        path, _, last = name.rpartition(".")
        module = model.get_submodule(path)
        if last == EXTRA:
            module.set_extra_state(deepcopy(then))
        elif isinstance(here, Tensor) and isinstance(then, Tensor) and local(here).shape == then.shape:
            pairs.append((local(here), then))
        elif last in module._buffers:
            device = next((p.device for p in model.parameters()), torch.device("cpu"))
            module._buffers[last] = None if then is None else then.to(device, copy=True)
        else:
            raise RuntimeError(f"parameter {name!r} no longer fits the snapshot; make a new Guard after such a change")


def _write_optimizer(optimizer: torch.optim.Optimizer, saved: Tree, pairs: list[tuple[Tensor, Tensor]]) -> None:
    """State is put back in place, so that references to it stay valid; state made since the snapshot goes."""
    order = [index for group in saved["param_groups"] for index in group["params"]]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    numbered = list(zip(order, parameters, strict=False))  # parameters added since have no number
    if any(saved["state"].get(i, {}).keys() - optimizer.state.get(p, {}).keys() for i, p in numbered):
        optimizer.load_state_dict(deepcopy(saved))  # a new optimizer, which has no tensors to copy into
    for index, parameter in numbered:
        then = saved["state"].get(index)
        if then is None:
            optimizer.state.pop(parameter, None)
        else:
            _write_entries(optimizer.state[parameter], then, pairs)
    for group, then in zip(optimizer.param_groups, saved["param_groups"], strict=False):
        _write_entries(group, then, pairs)


def _write_entries(live: Tree, then: Tree, pairs: list[tuple[Tensor, Tensor]]) -> None:
    for key in live.keys() - then.keys():
        del live[key]
    for key, value in then.items():
        here = live.get(key)
        if key == "params":
            continue
        if not (isinstance(value, Tensor) and isinstance(here, Tensor)):
            live[key] = deepcopy(value)
        elif local(here).shape == value.shape and here.dtype == value.dtype:
            pairs.append((local(here), value))
        else:
            live[key] = value.to(here.device, copy=True)
