"""Take a deviation that exists for a single value."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

BIASED_DEVIATION = Advice(
    id="biased-deviation",
    does="the unbiased deviation divides by n − 1, which is 0 for a single value",
    code=lambda: "x.std(dim, correction=0)  # 0 for a single value; a last batch of one: DataLoader(…, drop_last=True)",
    answers=("GR301",),
    unfit="Where a single value should not come: drop the short last batch.",
)
