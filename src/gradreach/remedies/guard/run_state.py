"""All that a training run consists of, read as one tree of plain values and tensors, and put back in place."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from gradreach.engine.norms import each_norm, local, to_host

Tree = dict[str, Any]
_EXTRA = "_extra_state"
_PLAIN = (int, float, bool, str, type(None))


@dataclass(frozen=True)
class RunState:
    """The live objects of one run. `keep`: whatever else has a state_dict, or is a torch.Generator, by name."""

    models: Mapping[str, nn.Module]
    optimizer: torch.optim.Optimizer
    schedulers: Sequence[Any] = ()
    scaler: Any = None
    keep: Mapping[str, Any] = field(default_factory=dict)
    clip: Any = None

    def parameters(self) -> Iterator[Tensor]:
        """Every parameter once: the models', and the optimizer's own."""
        seen: set[int] = set()
        for source in (self._of_models(), (p for group in self.optimizer.param_groups for p in group["params"])):
            for parameter in source:
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield parameter

    def held(self) -> tuple[int, ...]:
        """The identities of the optimizer's parameters."""
        return tuple(id(p) for group in self.optimizer.param_groups for p in group["params"])

    def every_scheduler(self) -> list[Any]:
        """The optimizer's schedulers, those in keep included."""
        kept = [each for each in self.keep.values() if isinstance(each, LRScheduler)]
        return [*self.schedulers, *(each for each in kept if each.optimizer is self.optimizer)]

    def loose(self) -> list[Tensor]:
        """The optimizer's parameters that belong to no model."""
        known = {id(t) for model in self.models.values() for t in tensors_of(model).values()}
        return [p for group in self.optimizer.param_groups for p in group["params"] if id(p) not in known]

    def spoilt(self) -> list[str]:
        """The names of the trained parameters that hold something not finite."""
        named = {f"{name}.{at}": t for name, model in self.models.items() for at, t in tensors_of(model).items()}
        named.update({f"the optimizer's parameter {index}": p for index, p in enumerate(self.loose())})
        named = {name: p for name, p in named.items() if _trained(p)}
        norms = to_host(each_norm(list(named.values())))
        return [name for name, norm in zip(named, norms, strict=True) if not isfinite(norm)]

    def devices(self) -> list[int]:
        """Indices of the GPUs in use."""
        return sorted({p.device.index for p in self.parameters() if p.device.type == "cuda"})

    def read(self) -> Tree:
        """The live tree: its tensors are the run's own, to be copied before the next step."""
        return {
            "models": {name: tensors_of(model) for name, model in self.models.items()},
            "loose": self.loose(),
            "optimizer": self.optimizer.state_dict(),
            "schedulers": [scheduler.state_dict() for scheduler in self.schedulers],
            "classes": self._classes(),
            "scaler": self._of_scaler(),
            "keep": {name: _state(thing) for name, thing in self.keep.items()},
            "clip": self._of_clip(),
            "generators": self._generators(),
        }

    def _classes(self) -> list[str]:
        return [type(each).__name__ for each in (self.optimizer, *self.schedulers)]

    def _of_scaler(self) -> Tree:
        return {} if self.scaler is None else dict(self.scaler.state_dict())

    def _of_clip(self) -> Tree:
        return {} if self.clip is None else dict(self.clip.state_dict())

    @torch.no_grad()
    def write(self, tree: Tree, generators: bool) -> None:
        """Put a copied tree back, tensors in place; nothing live shares memory with the tree afterwards.

        The user's objects come first: if one refuses its state, nothing else has been changed.
        """
        for name, thing in self.keep.items():
            _set_state(thing, own(tree["keep"][name]))
        pairs: list[tuple[Tensor, Tensor]] = []
        for name, model in self.models.items():
            _write_module(model, tree["models"][name], pairs)
        pairs += zip((local(t) for t in self.loose()), tree["loose"], strict=True)
        _write_optimizer(self.optimizer, tree["optimizer"], pairs)
        copy_all(pairs)
        for scheduler, saved in zip(self.schedulers, tree["schedulers"], strict=True):
            scheduler.load_state_dict(own(saved))
        if self.scaler is not None:
            self.scaler.load_state_dict(own(tree["scaler"]))
        if self.clip is not None:
            self.clip.load_state_dict(own(tree["clip"]))
        if generators:
            self._set_generators(tree["generators"])

    def mismatch(self, tree: Tree) -> str | None:
        """What keeps a tree from being put back, in words; None where nothing does."""
        if set(self.models) != set(tree["models"]):
            return f"the models are {sorted(self.models)}, in the snapshot {sorted(tree['models'])}"
        for name, model in self.models.items():
            if why := _differs(shapes(tensors_of(model)), shapes(tree["models"][name])):
                return f"model {name!r}: {why}"
            for at, parameter in model.named_parameters():
                if parameter.dtype != (dtype := tree["models"][name][at].dtype):
                    return f"model {name!r}: {at!r} is of {parameter.dtype}, in the snapshot of {dtype}"
        groups = [len(group["params"]) for group in self.optimizer.param_groups]
        saved_groups = [len(group["params"]) for group in tree["optimizer"]["param_groups"]]
        if groups != saved_groups:
            return f"the optimizer has groups of {groups} parameters, the snapshot has {saved_groups}"
        if [(t.shape, t.dtype) for t in map(local, self.loose())] != [(t.shape, t.dtype) for t in tree["loose"]]:
            return "the optimizer's parameters that belong to no model have other shapes or dtypes in the snapshot"
        if len(self.schedulers) != len(tree["schedulers"]):
            return f"there are {len(self.schedulers)} schedulers, the snapshot has {len(tree['schedulers'])}"
        for here, then in zip(self._classes(), tree["classes"], strict=True):
            if here != then:
                return f"{here} stands where the snapshot has {then}"
        for group in tree["optimizer"]["param_groups"]:
            if missing := sorted(self.optimizer.defaults.keys() - group.keys()):
                return f"the optimizer's groups have {missing[0]!r}, in the snapshot they have not"
        for scheduler, saved in zip(self.schedulers, tree["schedulers"], strict=True):
            if odd := sorted(scheduler.state_dict().keys() ^ saved.keys()):
                return f"{type(scheduler).__name__}: one of the two, the run or the snapshot, has {odd[0]!r}"
        if set(self.keep) != set(tree["keep"]):
            return f"keep has {sorted(self.keep)}, the snapshot has {sorted(tree['keep'])}"
        if bool(self._of_scaler()) != bool(tree["scaler"]):
            return "one of the two, the run or the snapshot, has a scaler, the other has not"
        rule, saved = self._of_clip().get("rule"), tree["clip"].get("rule")
        if rule != saved:
            return f"the clip's rule is {rule}, in the snapshot {saved}"
        return None

    def _of_models(self) -> Iterator[Tensor]:
        for model in self.models.values():
            yield from model.parameters()

    def _generators(self) -> Tree:
        numpy: Any = np.random.get_state(legacy=False)
        if numpy["bit_generator"] == "MT19937":
            numpy["state"]["key"] = torch.from_numpy(numpy["state"]["key"].astype(np.int64))
        return {
            "torch": torch.get_rng_state(),
            "cuda": {index: torch.cuda.get_rng_state(index) for index in self.devices()},
            "python": random.getstate(),
            "numpy": numpy,
        }

    def _set_generators(self, saved: Tree) -> None:
        torch.set_rng_state(saved["torch"].clone())
        for index, state in saved["cuda"].items():
            torch.cuda.set_rng_state(state.clone(), index)
        random.setstate(saved["python"])
        numpy = own(saved["numpy"])
        if numpy["bit_generator"] == "MT19937":
            numpy["state"]["key"] = numpy["state"]["key"].numpy().astype(np.uint32)
        np.random.set_state(numpy)


def tensors_of(model: nn.Module, prefix: str = "") -> Tree:
    """A module's parameters, buffers (those that state_dict leaves out too) and extra states, by state_dict's names.

    A tensor that stands in several places stands under each of its names. In one walk: the module's own iterators take
    one each, which is a good part of a snapshot of many small tensors.
    """
    tree: Tree = {
        prefix + name: tensor
        for tensors in (model._parameters, model._buffers)
        for name, tensor in tensors.items()
        if tensor is not None
    }
    if type(model).get_extra_state is not nn.Module.get_extra_state:
        tree[prefix + _EXTRA] = model.get_extra_state()
    for name, child in model._modules.items():
        if child is not None:
            tree.update(tensors_of(child, f"{prefix}{name}."))
    return tree


def _trained(tensor: Any) -> bool:
    return isinstance(tensor, Tensor) and tensor.requires_grad and tensor.numel() > 0


def same(one: Tensor, other: Tensor) -> bool:
    """Equal, NaN where there is NaN."""
    return torch.equal(one, other) or bool(((one == other) | ((one != one) & (other != other))).all())


def copied(tree: Any, room: Any = None) -> Any:
    """A copy in the host's memory, into the tensors of `room` where they fit; a tensor that stands twice, once.

    A GPU's tensors go to pinned memory and the host does not wait for them.
    """
    pairs: list[tuple[Tensor, Tensor]] = []
    made: dict[int, Tensor] = {}
    taken: set[int] = set()

    def place(live: Any, old: Any) -> Any:
        if isinstance(live, Tensor):
            if id(live) not in made:
                source = local(live)
                free = isinstance(old, Tensor) and id(old) not in taken and old.dtype == source.dtype
                target = old if free and old.shape == source.shape else _room_for(source)
                taken.add(id(target))
                pairs.append((target, source))
                made[id(live)] = target
            return made[id(live)]
        if isinstance(live, Mapping):
            known = old if isinstance(old, Mapping) else {}
            return {key: place(value, known.get(key)) for key, value in live.items()}
        if type(live) in (list, tuple):
            was = old if isinstance(old, list | tuple) and len(old) == len(live) else [None] * len(live)
            return type(live)(place(value, before) for value, before in zip(live, was, strict=True))
        return live if type(live) in _PLAIN else copy.deepcopy(live)

    tree = place(tree, room)
    with torch.no_grad():
        copy_all(pairs)
    return tree


def own(tree: Any) -> Any:
    """A copy for someone who may keep and change it."""
    return copy.deepcopy(tree)


def copy_all(pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Source into target for every (target, source), in as few kernels as there are."""
    sparse = [pair for pair in pairs if pair[0].layout != torch.strided]
    dense = [pair for pair in pairs if pair[0].layout == torch.strided]
    for target, source in sparse:
        target.copy_(source)
    if dense:
        targets, sources = zip(*dense, strict=True)
        on_gpu = any(t.device.type == "cuda" for t in (*targets, *sources))
        torch._foreach_copy_(list(targets), list(sources), non_blocking=on_gpu)


def shapes(tree: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a flat tree."""
    tensors = {name: t for name, t in tree.items() if isinstance(t, Tensor) and name.rpartition(".")[2] != _EXTRA}
    return {name: tuple(local(t).shape) for name, t in tensors.items()}


def _room_for(source: Tensor) -> Tensor:
    if source.layout != torch.strided:
        return torch.empty_like(source, device="cpu")
    return torch.empty_like(source, device="cpu", pin_memory=source.device.type == "cuda")


def _state(thing: Any) -> Any:
    return thing.get_state() if isinstance(thing, torch.Generator) else thing.state_dict()


def _set_state(thing: Any, state: Any) -> None:
    if isinstance(thing, torch.Generator):
        thing.set_state(state)
    else:
        thing.load_state_dict(state)


def _differs(here: Mapping[str, tuple[int, ...]], saved: Mapping[str, tuple[int, ...]]) -> str | None:
    if missing := sorted(here.keys() - saved.keys()):
        return f"{missing[0]!r} is not in the snapshot"
    if surplus := sorted(saved.keys() - here.keys()):
        return f"the snapshot has {surplus[0]!r}, the model has not"
    for name, shape in here.items():
        if shape != saved[name]:
            return f"{name!r} has the shape {shape}, in the snapshot {saved[name]}"
    return None


def _write_module(model: nn.Module, saved: Tree, pairs: list[tuple[Tensor, Tensor]]) -> None:
    """Tensors in place; what has come, gone or changed its shape since among the buffers is put there anew."""
    live = tensors_of(model)
    for name in live.keys() | saved.keys():
        here, then = live.get(name), saved.get(name)
        path, _, last = name.rpartition(".")
        module = model.get_submodule(path)
        if last == _EXTRA:
            module.set_extra_state(own(then))
        elif isinstance(here, Tensor) and isinstance(then, Tensor) and local(here).shape == then.shape:
            pairs.append((local(here), then))
        elif last in module._buffers:
            module._buffers[last] = None if then is None else then.to(_device(model), copy=True)
        else:
            raise RuntimeError(f"parameter {name!r} no longer fits the snapshot; make a new Guard after such a change")


def _write_optimizer(optimizer: torch.optim.Optimizer, saved: Tree, pairs: list[tuple[Tensor, Tensor]]) -> None:
    """In place, so that references to the state stay valid; state made since the snapshot goes."""
    order = [index for group in saved["param_groups"] for index in group["params"]]
    if any(
        saved["state"].get(i, {}).keys() - optimizer.state.get(p, {}).keys() for i, p in _numbered(optimizer, order)
    ):
        optimizer.load_state_dict(own(saved))  # a new optimizer, which has no tensors to copy into
    for index, parameter in _numbered(optimizer, order):
        then = saved["state"].get(index)
        if then is None:
            optimizer.state.pop(parameter, None)
        else:
            _write_entries(optimizer.state[parameter], then, pairs)
    for group, then in zip(optimizer.param_groups, saved["param_groups"], strict=False):
        _write_entries(group, then, pairs)


def _numbered(optimizer: torch.optim.Optimizer, order: Sequence[int]) -> list[tuple[int, Tensor]]:
    """The optimizer's parameters under the snapshot's numbers; parameters added since have none."""
    return list(zip(order, (p for group in optimizer.param_groups for p in group["params"]), strict=False))


def _write_entries(live: Tree, then: Tree, pairs: list[tuple[Tensor, Tensor]]) -> None:
    for key in live.keys() - then.keys():
        del live[key]
    for key, value in then.items():
        here = live.get(key)
        if key == "params":
            continue
        if isinstance(value, Tensor) and isinstance(here, Tensor):
            if local(here).shape == value.shape and here.dtype == value.dtype:
                pairs.append((local(here), value))
            else:
                live[key] = value.to(here.device, copy=True)
        else:
            live[key] = own(value)


def _device(model: nn.Module) -> torch.device:
    return next((p.device for p in model.parameters()), torch.device("cpu"))
