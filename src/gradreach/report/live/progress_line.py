"""Where a run stands, in one line."""

from __future__ import annotations

from gradreach.facts.wording import count, figure, printable, shortened
from gradreach.record.progress import Progress

WIDTH = 100
NAME = 30
"""Columns of the line, and of the layer's name in it, at most."""


def line(progress: Progress, width: int = WIDTH) -> str:
    """Step, loss, norm, horizon and alarms: "step 1,240  loss 2.31  norm 0.84  horizon 12 of 99 (rnn layer 0)".

    In fewer columns an alarm stays before the horizon, and that before loss and norm.
    """
    if progress.step < 0:
        return "no backward pass yet"[:width]
    step, alarm = f"step {progress.step:,}", _alarm(progress)
    figures = [
        f"{name} {figure(value)}"
        for name, value in (("loss", progress.loss), ("norm", progress.norm))
        if value is not None
    ]
    horizon, layer = _horizon(progress)
    forms = (
        [step, *figures, f"{horizon} {layer}" if horizon else "", alarm],
        [step, *figures, horizon, alarm],
        [step, *figures, alarm],
        [step, alarm],
    )
    texts = ["  ".join(part for part in form if part) for form in forms]
    return next((text for text in texts if len(text) <= width), texts[-1][:width])


def _horizon(progress: Progress) -> tuple[str, str]:
    if not progress.T:
        return "", ""
    layer = shortened(printable(progress.layer).replace("\n", "?"), NAME)
    return f"horizon {progress.horizon} of {progress.T - 1}", f"({layer})"


def _alarm(progress: Progress) -> str:
    alarms = progress.nonfinite + progress.spikes
    if not alarms:
        return ""
    if progress.broke is not None:
        since = "at" if progress.nonfinite == 1 else "since"
        return f"{count(alarms, 'alarm')}: {progress.value} {since} step {progress.broke}"
    return f"{count(alarms, 'alarm')}: spike at step {progress.spiked}"
