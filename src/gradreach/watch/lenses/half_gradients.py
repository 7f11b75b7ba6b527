"""What a backward pass in float16 loses because its numbers come too close to 0.

A gradient is linear in the loss, and a power of two changes no digit of a floating-point number. So the script's own
graph is gone through twice more, once from the loss as it is and once from one that is many times as large: whatever
differs, the smallest numbers of float16 made. That is what a larger loss scale would bring back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gradreach.engine.norms import to_host
from gradreach.record.look import Look
from gradreach.record.seen.half import Underflow
from gradreach.watch.graph import trainable
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.tensors import is_dense_and_real, tensors_of

TIMES = (4096.0, 16.0)
"""By how much the loss is enlarged; the second where the first leads past the largest number."""

WRONG = 0.5
"""Relative error of a parameter's gradient from which it is more wrong than right."""

MOST_NUMBERS = 1 << 26
"""Numbers that the gradients of one pass may have."""


class HalfGradients(Lens):
    """Compares the gradients of both passes, before the script's own uses the graph up."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._is_half = False
        self._found: Underflow | None = None

    def called(self, call: ModuleCall) -> None:
        """Note that a module puts out float16."""
        if not self._is_half and call.of_model:
            self._is_half = any(each.dtype == torch.float16 for each in tensors_of(call.output))

    def before_backward(self, backward: BackwardPass) -> None:
        """Go through the graph once more from each loss."""
        parameters = [leaf for leaf in trainable(backward.graph.leaves) if is_dense_and_real(leaf)]
        is_pure = any(leaf.dtype == torch.float16 for leaf in parameters)
        numbers = sum(map(Tensor.numel, parameters))
        if not (self._is_half or is_pure) or not 0 < numbers <= MOST_NUMBERS:
            return
        if len(backward.losses) > 1 or backward.losses[0].numel() != 1 or backward.weights is not None:
            return
        if any(leaf._backward_hooks for leaf in parameters):
            return
        if not self.step.may_probe or not self.step.may_pass_again(backward):
            return
        try:
            self._found = self._compared(backward.losses[0], parameters, is_pure=is_pure)
        except RuntimeError:  # a part of the graph was used up by a pass before: the script's own pass tells
            return

    def look(self, look: Look) -> Look:
        """The look's `underflow`."""
        return replace(look, underflow=self._found)

    def _compared(self, loss: Tensor, parameters: Sequence[Tensor], *, is_pure: bool) -> Underflow | None:
        """What differs; None where the larger losses lead past the largest number as well."""
        own = _gradients(loss, parameters, 1.0)
        for times in TIMES:
            told = [
                (p, *_differences(mine, large, times))
                for p, mine, large in zip(parameters, own, _gradients(loss, parameters, times), strict=True)
                if mine is not None and large is not None
            ]
            if told and all(off < float("inf") for *_, off in told):
                break
        else:
            return None
        wrong = [p for p, _, _, off in told if off >= WRONG]
        names = self.step.models.parameter_names()
        modules = (names.get(id(p), "").rpartition(".")[0] for p in wrong)
        return Underflow(
            times=times,
            present=sum(present for _, present, _, _ in told),
            lost=sum(lost for _, _, lost, _ in told),
            wrong=sum(p.numel() for p in wrong),
            of=sum(p.numel() for p in parameters),
            modules=tuple(dict.fromkeys(name for name in modules if name)),
            is_pure=is_pure,
        )


def _gradients(loss: Tensor, parameters: Sequence[Tensor], times: float) -> tuple[Tensor | None, ...]:
    start = torch.full_like(loss, times)
    return torch.autograd.grad([loss], parameters, [start], retain_graph=True, allow_unused=True)


@torch.no_grad()
def _differences(own: Tensor, large: Tensor, times: float) -> tuple[int, int, float]:
    """How many numbers the larger gradient has that are not 0, how many of them are 0 in the other, and how far that
    one is off by its norm; infinity where the larger one is not finite."""
    wide = large.float() / times
    present = wide != 0
    off, size = torch.linalg.vector_norm(wide - own.float()), torch.linalg.vector_norm(wide)
    many, lost, off_by, norm = to_host([present.sum(), (present & (own == 0)).sum(), off, size])
    ratio = off_by / norm if norm else 0.0
    return int(many), int(lost), ratio if ratio == ratio and norm < float("inf") else float("inf")
