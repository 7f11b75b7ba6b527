"""Subnormal numbers in what an optimizer keeps of its parameters, and what they cost its updates on this CPU."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from gradreach.engine.subnormals import subnormal_shares
from gradreach.record.seen.subnormal import SubnormalPlace
from gradreach.watch.flush_trials import LEAST_SHARE, FlushTrials
from gradreach.watch.optimizer_names import torch_name
from gradreach.watch.seldom import may_be_found, was_found
from gradreach.watch.tensors import is_real_on_cpu

SQUARES = ("exp_avg_sq", "square_avg", "sum")
"""Where torch's optimizers keep means of the gradient's square."""

MEANS = ("exp_avg", "momentum_buffer", "grad_avg")
"""Where they keep means of the gradient."""

MOST_ELEMENTS = 1 << 22
"""Numbers of one state that are worked on once more; a larger one is timed by its first."""


@torch.no_grad()
def subnormal_states(
    optimizer: Any, stepped: Collection[int], names: dict[int, str], trials: FlushTrials
) -> list[SubnormalPlace]:
    """Of an optimizer that has just stepped, the states of the parameters whose identities are `stepped` that have
    subnormal entries; that with the most of them is timed where it may be. Nothing where they cost nothing.
    """
    kind = torch_name(optimizer)
    if trials.arithmetic() != "kept":
        return []
    if not may_be_found(trials.carried, kind):
        was_found(trials.carried, kind, found=False)
        return []
    own = [p for group in optimizer.param_groups for p in group["params"] if id(p) in stepped]
    kept_of = [(p, states) for p in own if isinstance(states := optimizer.state.get(p), Mapping)]
    every = [(p, key, states.get(key)) for p, states in kept_of for key in (*SQUARES, *MEANS)]
    held = [
        (p, key, state)
        for p, key, state in every
        if isinstance(state, Tensor) and is_real_on_cpu(state) and state.shape == p.shape
    ]
    shares = subnormal_shares([state for _, _, state in held])
    found = [(n, share) for n, share in enumerate(shares) if share >= LEAST_SHARE]
    was_found(trials.carried, kind, found=bool(found))
    places = [SubnormalPlace("state", names[id(held[n][0])], f"{kind}.{held[n][1]}", share) for n, share in found]
    most = max(range(len(found)), key=lambda at: found[at][1] * held[found[at][0]][2].numel(), default=None)
    if most is not None and trials.may_time(places[most]):
        p, key, state = held[found[most][0]]
        times = max(1.0, state.numel() / MOST_ELEMENTS)
        places[most] = trials.timed(places[most], state_update(key, state, p.grad), times)
    return places


def state_update(key: str, state: Tensor, gradient: Tensor | None) -> Callable[[], object]:
    """What an update does with each element of a parameter's state, by any factor; the state itself stays as it is."""
    old = state.detach().reshape(-1)[:MOST_ELEMENTS]
    new = torch.zeros_like(old)
    if gradient is not None and is_real_on_cpu(gradient):
        new = gradient.detach().reshape(-1)[:MOST_ELEMENTS].to(old.dtype)

    @torch.no_grad()
    def square() -> None:
        old.mul(0.9).addcmul_(new, new, value=0.1).sqrt_()

    @torch.no_grad()
    def mean() -> None:
        old.lerp(new, 0.1)

    return square if key in SQUARES else mean
