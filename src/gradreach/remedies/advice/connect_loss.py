"""Compute the loss from the model's own output."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

CONNECT_LOSS = Advice(
    id="connect-loss",
    does="then a path leads from it to the weights",
    code=lambda: (
        "loss = loss_fn(model(x), y)  # no detach(), .data, .item() or torch.tensor(...) on the way, not under "
        "torch.no_grad()"
    ),
    answers=("GR501", "GR610"),
    unfit="Where all parameters are frozen: give one requires_grad_(True). Where a term is added for the print alone.",
)
