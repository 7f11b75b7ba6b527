"""`Clip` measures the gradients, applies a rule to them in place, and remembers the course of the norms."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from numbers import Real
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only, tree_structure, tree_unflatten

from gradreach.engine.norms import each_norm, to_global, to_host, total, values
from gradreach.remedies.arguments import check_positive
from gradreach.remedies.clip.auto import REASONS, Auto
from gradreach.remedies.clip.norm_rules import Norm, NormRule
from gradreach.remedies.clip.part_rules import GradientNorms, PartRule
from gradreach.remedies.clip.scalar import Scalar, chosen, is_sound, on_host, where

KEPT = 10_000
"""Steps that the curve keeps."""

WEIGHED = 100
"""Steps between two looks at the weights' norm, which changes by a small part only over as many."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The last steps: the norm before clipping, the threshold, whether it cut, and why the threshold moved."""

    steps: tuple[int, ...]
    norm: tuple[float, ...]
    threshold: tuple[float, ...]
    clipped: tuple[bool, ...]
    reasons: tuple[tuple[int, str], ...]

    @property
    def rate(self) -> float:
        """The share of these steps that was clipped."""
        return sum(self.clipped) / len(self.clipped) if self.clipped else 0.0


class Clip:
    """Clips the gradients of `source` in place, and returns the global norm that they had before.

    Call it after backward and before the optimizer's step. Nothing is read from a GPU. Where the norm is not finite,
    nothing is clipped or remembered: the gradients stay as they are, for whoever looks for the cause. Parameters
    without a gradient are passed over. Where parameters are sharded, every rank must call it.

    Args:
        source: the module, the optimizer or the parameters whose gradients are measured together. `Auto` learns the
            learning rate only from an optimizer. A module or an optimizer may get new parameters later.
        rule: a threshold of the global norm, "auto", or one of the rules in `gr.clip`: `Norm`, `Value`, `PerLayer`,
            `Adaptive`, `Percentile`, `ZScore`, `Auto`.
        scaler: the GradScaler of mixed precision. The gradients are unscaled first where that has not been done. The
            source must then be the optimizer. A step that overflowed is left for the scaler to skip.

    Raises TypeError or ValueError for a source or a rule that is none of these.
    """

    def __init__(
        self,
        source: nn.Module | torch.optim.Optimizer | Iterable[Tensor],
        rule: int | float | str | NormRule | PartRule = "auto",
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        if scaler is not None and not isinstance(source, torch.optim.Optimizer):
            raise TypeError(
                f"source: expected the optimizer, got {type(source).__name__}; a scaler unscales by optimizer"
            )
        self._source = source if isinstance(source, nn.Module | torch.optim.Optimizer) else _listed(source)
        self.rule = rule_of(rule)
        self._scaler = scaler
        self._factor = 1.0
        self._step = 0
        self._state: Any = None
        self._device: torch.device | None = None
        self._weight: Scalar | None = None
        self._found: GradientNorms | None = None
        self._course: deque[tuple[int, Scalar, Scalar, Scalar, Scalar]] = deque(maxlen=KEPT)

    def __call__(self) -> Tensor:
        """Clip, and return the global norm before it: a 0-d tensor on the device of the first gradient."""
        norm = self.measure()
        self.apply()
        return norm

    @torch.no_grad()
    def measure(self) -> Tensor:
        """The global norm as it is, 0-d; it is 0 without any gradient. Nothing is clipped and nothing remembered."""
        if self._scaler is not None:
            _unscale_once(self._scaler, cast(torch.optim.Optimizer, self._source))
        parameters = [p for p in self._parameters() if p.grad is not None]
        gradients = [_coalesced(p) for p in parameters]
        if not gradients:
            self._found = GradientNorms([], [], [], torch.zeros(()))
            return self._found.norm
        norms = to_global(each_norm(gradients), gradients)
        norm = total(norms)
        if on_host(norm.device) and math.isinf(float(norm)):  # in float32 a sum of squares overflows past 1.8e19
            norms = to_global(each_norm(gradients, torch.float64), gradients)
            norm = total(norms)
        self._found = GradientNorms(parameters, gradients, norms, norm)
        return norm

    @torch.no_grad()
    def apply(self) -> None:
        """Clip by what `measure` found last (or finds now), and remember the norm."""
        if self._found is None:
            self.measure()
        found = cast(GradientNorms, self._found)
        self._found = None
        norm: Scalar = float(found.norm) if on_host(found.norm.device) else found.norm
        sound = is_sound(norm)
        self._step += 1
        if not found.gradients or sound is False:
            return
        if isinstance(self.rule, PartRule):
            clipped = self.rule.cut(found, self._factor)
            self._course.append((self._step, norm, self.rule.threshold * self._factor, clipped, 0.0))
            return
        threshold, reason = self._judge(norm, sound, found.norm.device)
        clipped = norm > threshold
        if isinstance(clipped, Tensor):
            _scale_(found.gradients, torch.where(clipped & sound, threshold / norm, 1.0))
        elif clipped:
            _scale_(found.gradients, torch.tensor(threshold / norm, dtype=found.norm.dtype))
        self._course.append((self._step, norm, threshold, clipped, reason))

    @property
    def threshold(self) -> float | Tensor:
        """The threshold at the last step: a float, or a 0-d tensor on a GPU; ∞ before the first step of `Auto`."""
        if self._course:
            return self._course[-1][2]
        return getattr(self.rule, "threshold", math.inf) * self._factor

    @property
    def norm(self) -> float | Tensor | None:
        """The global norm before clipping at the last step, in the form of `threshold`; None before the first step."""
        return self._course[-1][1] if self._course else None

    @property
    def clipped(self) -> bool | Tensor:
        """Whether the last step was clipped. On a GPU this is a 0-d tensor."""
        return cast("bool | Tensor", self._course[-1][3]) if self._course else False

    @property
    def curve(self) -> Curve:
        """The last 10,000 steps that had a finite norm. Reading it waits for the GPU."""
        rows = _rows_on_host(list(self._course))
        sound = [row for row in rows if math.isfinite(row[1])]
        return Curve(
            steps=tuple(int(row[0]) for row in sound),
            norm=tuple(row[1] for row in sound),
            threshold=tuple(row[2] for row in sound),
            clipped=tuple(bool(row[3]) for row in sound),
            reasons=tuple((int(row[0]), REASONS[int(row[4])]) for row in sound if row[4]),
        )

    def lower(self, factor: int | float) -> None:
        """Multiply every threshold by `factor` from now on: of the norm, of a value, of a layer, of a unit."""
        check_positive(factor=factor)
        self._factor *= factor

    def state_dict(self) -> dict[str, Any]:
        """What the rule remembers, in numbers and tensors. The curve is not in it."""
        return {
            "rule": type(self.rule).__name__,
            "step": self._step,
            "factor": self._factor,
            "weight": self._weight,
            "state": None if self._state is None else tree_leaves(self._state),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from the `state_dict` of a Clip with the same rule. Raises ValueError where the rule is another."""
        if state.get("rule") != type(self.rule).__name__:
            came = state.get("rule", "none of a Clip")
            raise ValueError(f"state: expected one of {type(self.rule).__name__}, got {came}; make Clip with that rule")
        self._step, self._factor, self._weight = state["step"], state["factor"], state["weight"]
        self._found = self._state = self._device = None
        if state["state"] is not None and isinstance(self.rule, NormRule):
            self._state = tree_unflatten(state["state"], tree_structure(self.rule.start(torch.device("cpu"))))

    def _parameters(self) -> Iterable[Tensor]:
        if isinstance(self._source, torch.optim.Optimizer):
            return chain.from_iterable(group["params"] for group in self._source.param_groups)
        return self._source.parameters() if isinstance(self._source, nn.Module) else self._source

    def _judge(self, norm: Scalar, sound: bool | Tensor, device: torch.device) -> tuple[Scalar, Scalar]:
        """The rule's threshold for this norm and why it moved. The rule's state goes on where the norm is sound."""
        rule = cast(NormRule, self.rule)
        if self._state is None:
            self._state = rule.start(device)
        elif self._device != device:
            self._state = tree_map_only(Tensor, lambda field: field.to(device), self._state)
        self._device = device
        outcome = rule.judge(self._state, where(sound, norm, 1.0), self._longest())
        self._state = chosen(sound, outcome.state, self._state)
        return outcome.threshold * self._factor, where(sound, outcome.reason, 0.0)

    def _longest(self) -> Scalar:
        """The norm whose step by plain SGD is as long as the weights; it is ∞ for any source whose step is unknown.

        The weights count with at least the norm that rows of norm 1 have: weights that start at 0 have yet to grow.
        """
        if not (isinstance(self.rule, Auto) and isinstance(self._source, torch.optim.SGD)):
            return math.inf
        if self._weight is None or self._step % WEIGHED == 0:
            weights = [p.detach() for p in self._parameters()]
            norm = total(to_global(each_norm(weights), weights))
            least = math.sqrt(sum(len(p) if p.dim() > 1 else 1 for p in weights))
            self._weight = max(float(norm), least) if on_host(norm.device) else norm.clamp(min=least)
        rates = [group["lr"] / (1 - group["momentum"]) for group in self._source.param_groups]
        rate = max(float(r) if isinstance(self._weight, float) else r for r in rates)
        return self._weight / rate if isinstance(rate, Tensor) or rate > 0 else math.inf


def rule_of(rule: Any) -> NormRule | PartRule:
    """The rule that an argument stands for: a number is a threshold of the global norm."""
    if rule == "auto":
        return Auto()
    if isinstance(rule, Real) and not isinstance(rule, bool):
        return Norm(float(rule))
    if isinstance(rule, NormRule | PartRule) and not isinstance(rule, type):
        return rule
    raise TypeError(
        f'rule: expected a threshold, "auto" or a rule as gr.clip.Percentile(10), got {rule!r}; '
        "there are Adaptive, Auto, Norm, PerLayer, Percentile, Value, ZScore"
    )


def _listed(source: Iterable[Any]) -> list[Tensor]:
    if not isinstance(source, Iterable):
        raise TypeError(f"source: expected a module, an optimizer or parameters, got {source!r}; give the optimizer")
    parameters = [source] if isinstance(source, Tensor) else list(source)
    if not parameters or not all(isinstance(p, Tensor) for p in parameters):
        raise TypeError(
            f"source: expected a module, an optimizer or parameters, got {type(source).__name__} "
            f"of {type(parameters[0]).__name__ if parameters else 'nothing'}; give model.parameters()"
        )
    return list({id(p): p for p in parameters}.values())


def _coalesced(parameter: Tensor) -> Tensor:
    """The parameter's gradient, a sparse one with its repeated indices summed, so that it can be scaled in place."""
    gradient = cast(Tensor, parameter.grad)
    if gradient.is_sparse and not gradient.is_coalesced():
        parameter.grad = gradient = gradient.coalesce()
    return gradient


def _scale_(gradients: Sequence[Tensor], share: Tensor) -> None:
    """Multiply all gradients by a 0-d tensor, in place."""
    by_device: dict[torch.device, list[Tensor]] = {}
    for gradient in gradients:
        numbers = values(gradient)
        by_device.setdefault(numbers.device, []).append(numbers)
    for device, alike in by_device.items():
        torch._foreach_mul_(alike, share.to(device))


def _unscale_once(scaler: torch.amp.GradScaler, optimizer: torch.optim.Optimizer) -> None:
    try:
        scaler.unscale_(optimizer)
    except RuntimeError as refused:
        if "already been called" not in str(refused):
            raise


def _rows_on_host(rows: list[tuple[Any, ...]]) -> list[list[float]]:
    tensors = [value for row in rows for value in row if isinstance(value, Tensor)]
    numbers = iter(to_host(tensors))
    return [[next(numbers) if isinstance(value, Tensor) else float(value) for value in row] for row in rows]
