"""How hard an optimizer's weight decay pulls at the weights, beside what the gradient asks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gradreach.engine.norms import each_norm, to_host
from gradreach.record.seen.loop import Decay
from gradreach.watch.tensors import is_dense_and_real
from gradreach.watch.update import sample, scale

_ADDS_TO_GRADIENT = tuple(
    getattr(torch.optim, name)
    for name in ("SGD", "Adam", "NAdam", "RAdam", "Adagrad", "Adadelta", "Adamax", "ASGD", "RMSprop")
)
_TAKES_FROM_WEIGHTS = tuple(
    getattr(torch.optim, name) for name in ("AdamW", "Adafactor", "Muon") if hasattr(torch.optim, name)
)


class Decays:
    """What the decay does to weight matrices at the first step by each of them. It hears before and after each step."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self.told: list[Decay] = []
        self._names = names
        self._waiting: list[tuple[Tensor, Tensor, Mapping[str, Any]]] = []

    def before(self, optimizer: Any, group: Mapping[str, Any], parameters: Sequence[Tensor]) -> None:
        """An optimizer is about to step, by these parameters of one of its groups for the first time."""
        weights = [p for p in parameters if _is_decayed(p)]
        decoupled = _is_decoupled(optimizer, group)
        if not weights or decoupled is None or not float(group.get("weight_decay") or 0.0) > 0.0:
            return
        if decoupled:
            self._waiting += [(p, sample(p).clone(), dict(group)) for p in weights]
            return
        sizes = to_host(each_norm(weights))
        pulls = to_host(each_norm([p.grad for p in weights if p.grad is not None]))
        strength = float(group["weight_decay"])
        for p, size, pull in zip(weights, sizes, pulls, strict=True):
            self.told.append(Decay(self._names[id(p)], strength, size, strength * size, pull))

    @torch.no_grad()
    def after(self) -> None:
        """The optimizer has stepped."""
        wide = [before.to(torch.promote_types(before.dtype, torch.float32)) for _, before, _ in self._waiting]
        rests = [
            sample(p).to(before.dtype) - (1 - _share(group)) * before
            for (p, _, group), before in zip(self._waiting, wide, strict=True)
        ]
        sizes = to_host(each_norm([*wide, *rests]))
        for (p, _, group), size, rest in zip(self._waiting, sizes, sizes[len(wide) :], strict=False):
            size, rest = scale(p) * size, scale(p) * rest
            name, strength = self._names[id(p)], float(group["weight_decay"])
            self.told.append(Decay(name, strength, size, _share(group) * size, rest, is_decoupled=True))
        self._waiting.clear()


def _share(group: Mapping[str, Any]) -> float:
    """The part of its weights that a decoupled decay takes at a step."""
    return float(group["lr"]) * float(group["weight_decay"])


def _is_decayed(parameter: Tensor) -> bool:
    """Whether it is a weight matrix whose gradient can be measured: biases and norms' scales hold no features."""
    gradient = parameter.grad
    dense = is_dense_and_real(parameter) and gradient is not None and is_dense_and_real(gradient)
    return dense and parameter.dim() >= 2


def _is_decoupled(optimizer: Any, group: Mapping[str, Any]) -> bool | None:
    """Whether the decay is taken from the weights, and not added to their gradient; None where neither is known."""
    if getattr(optimizer, "grad_scale", None) is not None:  # the step itself divides the gradient by a loss scale
        return None
    if group.get("decoupled_weight_decay") or isinstance(optimizer, _TAKES_FROM_WEIGHTS):
        return True
    return False if isinstance(optimizer, _ADDS_TO_GRADIENT) else None
