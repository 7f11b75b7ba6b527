"""Parameters that FSDP2 keeps sharded, in place of which a step runs with whole ones for the time being."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn

from gradreach.watch.models import modules_of


def kept_for(leaves: Sequence[Tensor], roots: Iterable[nn.Module]) -> tuple[Tensor, ...]:
    """The leaves of a graph, but the sharded parameter, which the optimizer knows and the gradient ends in, for each
    whole one that FSDP2 let stand for it."""
    kept = {id(whole): sharded for root in roots for whole, sharded in _pairs(root)}
    return tuple(kept.get(id(leaf), leaf) for leaf in leaves) if kept else tuple(leaves)


def _pairs(root: nn.Module) -> Iterable[tuple[Tensor, Tensor]]:
    for _, module in modules_of(root):
        state = getattr(module, "_get_fsdp_state", None)
        for group in () if state is None else _groups(state()):
            for each in group.fsdp_params:
                if (whole := getattr(each, "_unsharded_param", None)) is not None:
                    yield whole, each.sharded_param


def _groups(state: Any) -> Sequence[Any]:
    """The groups of parameters that FSDP2 gathers together; torch up to 2.10 has one at most."""
    if hasattr(state, "_fsdp_param_groups"):
        return tuple(state._fsdp_param_groups)
    one = state._fsdp_param_group
    return () if one is None else (one,)
