"""What rounding left of an optimizer's step over weights that are kept in half precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradreach.engine.norms import HALF, to_host
from gradreach.record.nonfinite import all_finite
from gradreach.record.seen.half import RoundedStep
from gradreach.watch.tensors import is_dense_and_real
from gradreach.watch.update import sample, scale


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A parameter that is about to be stepped, and a sample of its numbers before."""

    parameter: Tensor
    before: Tensor
    group: Mapping[str, Any]


class RoundedSteps:
    """Compares weights in half precision before and after the first step by each of them. It hears of both.

    What a step asked for follows in float32 from what the optimizer holds after it, which is known of torch's own SGD,
    Adam and AdamW. An optimizer of another class may keep weights in float32 beside these, or round at random.
    """

    def __init__(self) -> None:
        self.told: list[RoundedStep] = []
        self._waiting: list[_Waiting] = []

    @torch.no_grad()
    def before(self, optimizer: Any, group: Mapping[str, Any], parameters: Sequence[Tensor]) -> None:
        """An optimizer is about to step, by these parameters of one of its groups for the first time."""
        if type(optimizer) in _ASKED and getattr(optimizer, "grad_scale", None) is None:
            half = (p for p in parameters if p.dtype in HALF and _has_numbers(p))
            self._waiting += [_Waiting(p, sample(p).clone(), group) for p in half]

    @torch.no_grad()
    def after(self, optimizer: Any) -> None:
        """The optimizer has stepped."""
        waiting, self._waiting = self._waiting, []
        of = sum(p.numel() for group in optimizer.param_groups for p in group["params"] if p.grad is not None)
        for dtype in HALF:
            mine = [each for each in waiting if each.parameter.dtype == dtype and _has_numbers(each.parameter)]
            if mine and (told := _rounded(optimizer, dtype, mine, of)) is not None:
                self.told.append(told)


def _has_numbers(parameter: Tensor) -> bool:
    gradient = parameter.grad
    return gradient is not None and is_dense_and_real(parameter) and is_dense_and_real(gradient)


def _rounded(optimizer: Any, dtype: torch.dtype, waiting: Sequence[_Waiting], of: int) -> RoundedStep | None:
    """What the step came to over all these weights; None where it asked for nothing, or is not finite."""
    parts = [part for each in waiting for part in _sums(optimizer, each)]
    asked, lost, pull, lost_pull, steps, weights = torch.tensor(to_host(parts)).view(-1, 6).sum(0).tolist()
    if not (all_finite(pull, steps, weights) and pull > 0 and weights > 0):
        return None
    return RoundedStep(
        optimizer=type(optimizer).__name__,
        dtype=str(dtype).removeprefix("torch."),
        elements=sum(each.parameter.numel() for each in waiting),
        of=of,
        lost=lost / asked,
        weighed=lost_pull / pull,
        asked=float((steps / weights) ** 0.5),
        rate=max(float(each.group["lr"]) for each in waiting),
    )


def _sums(optimizer: Any, waiting: _Waiting) -> tuple[Tensor, ...]:
    """Over a parameter's sample: the weights that a step other than 0 was due to and those of them that it left as they
    were, Σ |g s| of both, Σ s² and Σ w²."""
    p, before = waiting.parameter, waiting.before
    gradient = sample(p.grad).float() if p.grad is not None else torch.zeros_like(before, dtype=torch.float32)
    state = {
        key: sample(value).float() if value.shape == p.shape else value
        for key, value in optimizer.state.get(p, {}).items()
        if isinstance(value, Tensor)
    }
    step = _ASKED[type(optimizer)](waiting.group, state, gradient, before.float())
    is_asked = (step != 0) & (gradient != 0)
    is_lost = is_asked & (sample(p) == before)
    pull = (gradient * step).abs()
    sizes = (is_asked.sum(), is_lost.sum(), pull.sum(), pull[is_lost].sum())
    squares = (step.square().sum(), before.float().square().sum())
    return tuple(scale(p) ** 2 * each.double() for each in (*sizes, *squares))


State = Mapping[str, Tensor]


def _by_sgd(group: Mapping[str, Any], state: State, gradient: Tensor, before: Tensor) -> Tensor:
    """η (g + λ w), or η times the momentum that holds it."""
    momentum, decayed = float(group["momentum"]), gradient + float(group["weight_decay"]) * before
    held = state.get("momentum_buffer") if momentum else None
    if held is None:
        return float(group["lr"]) * decayed
    return float(group["lr"]) * (decayed + momentum * held if group["nesterov"] else held)


def _by_adam(group: Mapping[str, Any], state: State, gradient: Tensor, before: Tensor) -> Tensor:  # noqa: ARG001
    """η m̂ / (√v̂ + ε): what a decay takes from the weights by itself is no part of it."""
    if "exp_avg" not in state or "exp_avg_sq" not in state:
        return torch.zeros_like(gradient)
    passed = float(state["step"])
    first, second = (1.0 - float(beta) ** passed for beta in group["betas"])
    square = state.get("max_exp_avg_sq", state["exp_avg_sq"])
    root = torch.sqrt(square / second) + float(group["eps"])
    asked: Tensor = float(group["lr"]) / first * state["exp_avg"] / root
    return asked


_ASKED: Mapping[type, Callable[[Mapping[str, Any], State, Tensor, Tensor], Tensor]] = {
    torch.optim.SGD: _by_sgd,
    torch.optim.Adam: _by_adam,
    torch.optim.AdamW: _by_adam,
}
"""What a step asks for, in float32, by torch's own classes."""
