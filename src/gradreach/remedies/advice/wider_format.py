"""Compute in a format with a wider range."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

WIDER_FORMAT = Advice(
    id="wider-format",
    does="float16 ends at 65,504; bfloat16 and float32 at 3.4e38",
    code=lambda: (
        "with torch.autocast(device, dtype=torch.bfloat16): ...  # or x.float() before the operation, or smaller inputs"
    ),
    answers=("GR301", "GR319"),
    unfit="Where the values would pass float32 too.",
)
