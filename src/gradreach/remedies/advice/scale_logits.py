"""Scale logits that are cosines."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

SCALE_LOGITS = Advice(
    id="scale-logits",
    does="logits that lie far enough apart let the loss tell right from wrong; a scale may be learned as well",
    code=lambda: "logits = 16 * logits  # cosines lie within 2 of each other; 10 to 30 is usual",
    answers=("GR602",),
    unfit="Where the loss has a temperature already: lower that.",
)
