"""Let CTC leave out utterances that are too short."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

ZERO_INFINITY = Advice(
    id="zero-infinity",
    does="a target longer than its input has no alignment, so that its loss is infinite",
    code=lambda: "nn.CTCLoss(zero_infinity=True)  # F.ctc_loss(…, zero_infinity=True); or drop such utterances",
    answers=("GR301",),
    unfit="Where many utterances are too short: shrink the input less, or fix the lengths.",
)
