"""Ask an adversary for two things: one for each kind of rows."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(target: float, comparisons: int) -> str:
    if target not in (0.0, 1.0):
        return "print(real_targets.unique(), fake_targets.unique())  # the two must differ"
    if comparisons == 1:
        return "labels = torch.cat([torch.ones_like(real_score), torch.zeros_like(fake_score)])"
    if target == 1.0:
        return "loss_fake = criterion(fake_score, torch.zeros_like(fake_score))  # ones are for the real rows alone"
    return "loss_real = criterion(real_score, torch.ones_like(real_score))  # zeros are for the generated rows alone"


BOTH_SIDES = Advice(
    id="both-sides",
    does="only where the two kinds of rows have unlike targets is there something to tell apart",
    code=_code,
    answers=("GR609",),
    unfit="Where a model of a single class is meant.",
)
