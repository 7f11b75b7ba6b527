"""Keep recurrent weights orthogonal while any optimizer trains them."""

from __future__ import annotations

import weakref
from functools import cache
from typing import Any

from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from gradreach.engine.replay import names_of
from gradreach.remedies.polar import orthogonalise_

_kept: weakref.WeakSet[nn.RNNBase] = weakref.WeakSet()


def orthogonalise(layer: nn.RNNBase) -> None:
    """Bring every W_hh of a layer to the nearest orthogonal one, gate by gate, in place."""
    for name in names_of(layer):
        orthogonalise_(getattr(layer, "weight_hh" + name).detach())


def keep_orthogonal(layer: nn.RNNBase) -> None:
    """Orthogonalise the layer after every step of every torch optimizer, as long as it lives."""
    _watch_optimizers()
    _kept.add(layer)


@cache
def _watch_optimizers() -> None:
    def after_step(*_: Any) -> None:
        for layer in _kept:
            orthogonalise(layer)

    register_optimizer_step_post_hook(after_step)
