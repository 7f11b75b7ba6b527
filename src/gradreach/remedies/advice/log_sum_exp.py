"""Keep sums of exponentials in the logarithm."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

LOG_SUM_EXP = Advice(
    id="log-sum-exp",
    does="the largest exponent is taken out before the exponential, so that nothing overflows; exact",
    code=lambda: (
        "torch.logsumexp(x, dim)  # for log(sum(exp(x))); for a ratio: torch.exp(x - x.amax(dim, keepdim=True))"
    ),
    answers=("GR301",),
    unfit="Where a single exponential is the result itself: bound its argument.",
)
