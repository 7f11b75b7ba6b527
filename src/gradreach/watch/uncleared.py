"""Whether the gradient that made an update was cleared before the next update, whoever clears it and however."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor, nn

from gradreach.engine.norms import each_norm, to_host
from gradreach.record.look import Look
from gradreach.watch.graph import trainable
from gradreach.watch.lenses.parameter_prints import prints
from gradreach.watch.models import own_parameters
from gradreach.watch.tensors import is_dense_and_real, is_measurable

MOST_PASSES = 32
"""Backward passes within which both updates are to be seen; a gradient of which less is known is told nothing of."""

ALIKE = 1e-3
"""Relative difference of factors up to which gradients count as multiplied by one and the same."""


class Uncleared:
    """Follows the gradients of a look from its update to the next one.

    A gradient is cleared by whoever makes it None or 0 in between, which shows just before a later backward pass. What
    a script multiplies by one factor below 1 it keeps on purpose, unless it clips: `is_rescaled` says that it may.
    """

    def __init__(
        self, names: dict[int, str], leaves: Sequence[Tensor], modules: Sequence[nn.Module], site: int
    ) -> None:
        self.is_rescaled = False
        self.is_over = False
        self._site, self._passes = site, 0
        renormed = {id(p) for m in modules if getattr(m, "max_norm", None) is not None for p in own_parameters(m)}
        chosen = [p for p in trainable(leaves) if p.requires_grad and is_dense_and_real(p) and id(p) not in renormed]
        norms = dict(zip(chosen, _gradient_norms(chosen), strict=True))
        self._norms = {p: norm for p, norm in norms.items() if norm}
        self._names = names
        self._prints = dict(zip(self._norms, prints(list(self._norms)), strict=True))
        self._open: dict[Tensor, bool] = dict.fromkeys(self._norms, False)  # whether its update has been seen
        self._cleared: list[Tensor] = []
        self._uncleared: list[Tensor] = []

    def before_pass(self, site: int | None) -> None:
        """Compare, just before a backward pass from `site` or, with None, at the run's end."""
        self._passes += 1
        if site is None or not self._open:
            self.is_over = True
            return
        moved = self._moved()
        first = not any(self._open.values())
        if first and moved:
            self._open = dict.fromkeys(moved, True)
        elif first and (site == self._site or self._passes >= MOST_PASSES // 4):
            self.is_over = True
        if any(self._open.values()):
            self._judge(frozenset() if first else moved)
        self.is_over = self.is_over or not self._open or self._passes >= MOST_PASSES

    def told(self, look: Look) -> Look:
        """The look's `cleared` and `uncleared`."""
        cleared, uncleared = (tuple(map(self._name, each)) for each in (self._cleared, self._uncleared))
        return replace(look, cleared=cleared, uncleared=uncleared)

    def _judge(self, moved_again: frozenset[Tensor]) -> None:
        open_now = list(self._open)
        norms = dict(zip(open_now, _gradient_norms(open_now), strict=True))
        kept_on_purpose = self._is_scaled_down(norms)
        for parameter, norm in norms.items():
            if norm == 0.0 or kept_on_purpose:
                self._cleared.append(parameter)
            elif parameter in moved_again:
                self._uncleared.append(parameter)
            else:
                continue
            del self._open[parameter]

    def _is_scaled_down(self, norms: dict[Tensor, float]) -> bool:
        factors = [norm / self._norms[parameter] for parameter, norm in norms.items()]
        one = bool(factors) and max(factors) - min(factors) <= ALIKE * max(factors)
        return one and max(factors) < 1 - ALIKE and not self.is_rescaled

    def _moved(self) -> frozenset[Tensor]:
        """The parameters still open whose values are others than when last compared."""
        sound = [p for p in self._open if is_dense_and_real(p)]
        now = dict(zip(sound, prints(sound), strict=True))
        moved = frozenset(p for p, each in now.items() if each != self._prints[p])
        self._prints |= now
        return moved

    def _name(self, parameter: Tensor) -> str:
        return self._names.get(id(parameter), f"a parameter of shape {tuple(parameter.shape)}")


def _gradient_norms(parameters: Sequence[Tensor]) -> list[float]:
    """The norm of each one's gradient, 0 without one."""
    held = [p for p in parameters if p.grad is not None and p.grad.numel() and is_measurable(p.grad)]
    norms = dict(zip(held, to_host(each_norm([p.grad for p in held if p.grad is not None])), strict=True))
    return [norms.get(parameter, 0.0) for parameter in parameters]
