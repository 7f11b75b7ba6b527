"""Take no update from a bad batch."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code() -> str:
    return (
        "guard = gr.Guard(model, optimizer); guard.step(loss)  # import gradreach as gr; in place of backward and step"
    )


SKIP_STEP = Advice(
    id="skip-step",
    does="keeps a bad batch out of the weights, and counts how often that happens",
    code=_code,
    answers=("GR301",),
    unfit="Where the weights themselves are no longer finite: every step would be skipped.",
)
