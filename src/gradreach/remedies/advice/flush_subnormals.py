"""Let the CPU take subnormal numbers for 0."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _first_line() -> str:
    return (
        "torch.set_flush_denormal(True)  # at the top of the script, before torch computes anything: each thread has a "
        "mode of its own, and takes on that of the thread that starts it"
    )


FLUSH_SUBNORMALS = Advice(
    id="flush-subnormals",
    does="numbers under 1.2e-38 in size, in float64 under 2.2e-308, become 0, and larger ones are computed as before; "
    "`gradreach run --flush-subnormals` tries it without a change to the script",
    code=_first_line,
    answers=("GR320",),
    unfit="Where such numbers are results: logarithms or quotients of them.",
)
