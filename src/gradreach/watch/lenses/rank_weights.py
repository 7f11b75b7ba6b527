"""Of a training by several processes: the weights that a recurrent layer ran with on this rank, and the gradients that
this rank's own loss gave them, before any sum over ranks."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.watch.graph import Node, is_leaf
from gradreach.watch.models import named_parameters_of
from gradreach.watch.own_work import OwnWork


class RankWeights:
    """Follows the layers that are called, from `called` over `before_backward` to `release`. Where one process trains
    by itself it does nothing."""

    def __init__(self, own_work: OwnWork) -> None:
        self._own_work = own_work
        self._used: dict[int, dict[str, nn.Parameter]] = {}
        self._twins: dict[int, nn.Module] = {}
        self._arrived: dict[int, Tensor] = {}
        self._handles: list[Any] = []

    @property
    def is_needed(self) -> bool:
        """Whether several processes train together by now: the first step is watched from before they meet."""
        return torch.distributed.is_available() and torch.distributed.is_initialized()

    def called(self, module: nn.Module) -> None:
        """A layer has returned: its weights are still those that it ran with."""
        if self.is_needed and id(module) not in self._used:
            self._used[id(module)] = dict(named_parameters_of(module))
            if "torch.distributed.fsdp._fully_shard" in sys.modules:
                self._twins[id(module)] = _twin(module)

    def before_backward(self, nodes: Iterable[Node]) -> None:
        """Take what arrives at the leaves that are weights of these layers."""
        mine = {id(p) for used in self._used.values() for p in used.values()}
        for node in nodes if mine else ():
            if is_leaf(node) and id(node.variable) in mine:
                take = self._own_work.hook(partial(_tell, weakref.ref(self), id(node.variable)))
                self._handles.append(node.register_prehook(take))

    def twin(self, module: nn.Module) -> nn.Module:
        """The layer with the weights that it ran with."""
        return self._twins.get(id(module), module)

    def gradients(self, module: nn.Module, scale: float) -> dict[str, Tensor]:
        """What the pass gave each of the layer's weights on this rank, without the loss scale."""
        used = self._used.get(id(module), {})
        return {name: self._arrived[id(p)] / scale for name, p in used.items() if id(p) in self._arrived}

    def release(self) -> None:
        """Let go of all."""
        for handle in self._handles:
            handle.remove()
        for kept in (self._handles, self._used, self._twins, self._arrived):
            kept.clear()

    def _arrives(self, key: int, gradients: tuple[Tensor | None, ...]) -> None:
        gradient = gradients[0]
        if gradient is not None:
            before = self._arrived.get(key)
            self._arrived[key] = gradient.detach().clone() if before is None else before + gradient.detach()


def _tell(weights: weakref.ref[RankWeights], key: int, gradients: tuple[Tensor | None, ...]) -> None:
    """Hand on what arrives, unless the step that asked is over: a pass that raised leaves its hooks behind."""
    if (mine := weights()) is not None:
        mine._arrives(key, gradients)


@torch.no_grad()
def _twin(module: nn.Module) -> nn.Module:
    """A layer like this one with copies of its weights: FSDP2 gives their memory back when the layer has run."""
    twin: nn.Module = object.__new__(type(module))  # FSDP2's classes make no copies of themselves
    twin.__dict__.update(module.__dict__)
    kept = {name: None if p is None else p.detach().clone() for name, p in module._parameters.items()}
    twin.__dict__["_parameters"] = kept
    if isinstance(module, nn.RNNBase):
        twin.__dict__["_flat_weights"] = [kept.get(name) for name in module._flat_weights_names]
    return twin
