"""New tensors in place of changed ones."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

OUT_OF_PLACE = Advice(
    id="out-of-place",
    does="leaves what the graph stored as it was",
    code=lambda: (
        "x = x + y  # in place of x += y; x = torch.where(mask, y, x) in place of x[mask] = y; relu(x) for relu_(x)"
    ),
    answers=("GR501",),
    unfit="Where the optimizer changed the weights: then mind the order of step() and backward().",
)
