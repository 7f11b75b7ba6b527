"""The weights of a layer that was swapped in, in the place of the old ones in an optimizer; or a warning."""

from __future__ import annotations

import warnings
import weakref
from functools import cache
from typing import Any

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

_swapped_out: dict[int, tuple[weakref.ref[Tensor], str]] = {}
"""Weights of layers that gave their place away, by id, with the place's name."""


def exchange(optimizer: Optimizer, old: nn.Module, new: nn.Module, name: str) -> None:
    """Put the new weights into the groups of the optimizer, each in the place of the old one of its name."""
    before = {id(p): _plain(own) for own, p in old.named_parameters()}
    after = dict(new.named_parameters())
    added = [(p, f"{name}.{own}") for own, p in after.items() if own not in before.values()]
    groups = [group for group in optimizer.param_groups if any(id(p) in before for p in group["params"])]
    if not groups:
        raise ValueError(
            f"optimizer: expected one that trains {name}, got one without its weights; give the one that has them"
        )
    for group in groups:
        named = list(zip(group["params"], group.get("param_names", group["params"]), strict=True))
        kept = [(after.get(before[id(p)]) if id(p) in before else p, own) for p, own in named]
        kept = [(p, own) for p, own in kept if p is not None] + added
        group["params"][:] = [p for p, _ in kept]  # in place: LBFGS keeps the list
        if "param_names" in group:
            group["param_names"] = [own for _, own in kept]
        added = []
    for parameter in old.parameters():
        optimizer.state.pop(parameter, None)


def _plain(own: str) -> str:
    """weight_hh_l0 of parametrizations.weight_hh_l0.original."""
    return own.split(".")[1] if own.startswith("parametrizations.") else own


@cache
def _watch_optimizers() -> None:
    register_optimizer_step_pre_hook(_before_step)


def _before_step(optimizer: Optimizer, *_: Any) -> None:
    for key in [key for key, (weight, _) in _swapped_out.items() if weight() is None]:
        del _swapped_out[key]
    stale = {
        _swapped_out[id(p)][1] for group in optimizer.param_groups for p in group["params"] if id(p) in _swapped_out
    }
    if stale:
        _swapped_out.clear()
        warnings.warn(
            f"gradreach.swap: {type(optimizer).__name__} still holds the weights that {', '.join(sorted(stale))} had "
            "before the swap, so the new ones do not learn; make it after the swap, or swap with optimizer=",
            stacklevel=2,
        )


def warn_of_optimizers_with(old: nn.Module, name: str) -> None:
    """Warn at the first step of an optimizer that still holds the weights of a layer that gave its place away."""
    _watch_optimizers()
    _swapped_out.update({id(p): (weakref.ref(p), name) for p in old.parameters()})
