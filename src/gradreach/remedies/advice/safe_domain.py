"""Keep an operation within its domain."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

SAFE_DOMAIN = Advice(
    id="safe-domain",
    does="keeps the operation within its domain",
    code=lambda: "torch.log(x.clamp(min=1e-6))",
    answers=("GR301",),
    unfit="Where values outside of the domain are a fault of what comes before.",
)
