"""Leave at least one position of every row unmasked."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

LEAVE_ONE_OPEN = Advice(
    id="leave-one-open",
    does="a row that is masked out whole has no softmax: 0 / 0; what it gives is left out of the loss anyway",
    code=lambda: (
        "mask = mask & ~mask.all(dim=-1, keepdim=True)  # True leaves out; of several masks their union: attn | padding"
    ),
    answers=("GR301",),
    unfit="Where such rows should not be there: drop the empty sequences.",
)
