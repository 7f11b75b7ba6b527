"""The state at the last step of the data, before the padding."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(module: str) -> str:
    return (
        f"lengths = (x != 0).sum(1)  # of what goes into `{module}`, where 0 is the padding\n"
        "last = output[torch.arange(len(output)), lengths - 1]  # (batch, time, ·), in place of output[:, -1] or h_n; "
        "pack_padded_sequence does both"
    )


LAST_REAL_STEP = Advice(
    id="last-real-step",
    does="reads each row before its padding",
    code=_code,
    answers=("GR705",),
    unfit="Where the constant steps are data.",
)
