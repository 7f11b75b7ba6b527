"""Carry the gradient of truncated BPTT farther back, from every step of a chunk."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(k1: int, k2: int) -> str:
    return (
        f"for window in gr.tbptt(x, y, k1={k1}, k2={k2}, state=state, step=model):  # gr: gradreach\n"
        "    loss_fn(window.output, window.y).backward()\n"
        "    optimizer.step(); optimizer.zero_grad()\n"
        "state = window.carry  # for the batch that follows"
    )


LONGER_WINDOW = Advice(
    id="longer-window",
    does="as many updates as before, each carried farther back; time and memory grow with k2",
    code=_code,
    answers=("GR104",),
    unfit="Where the gradient has vanished within the window already.",
)
