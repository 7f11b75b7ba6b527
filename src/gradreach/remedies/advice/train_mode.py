"""Training mode for a recurrent layer."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

TRAIN_MODE = Advice(
    id="train-mode",
    does="then cuDNN keeps what the backward pass needs",
    code=lambda: "layer.train()  # for dropout off, set layer.dropout = 0",
    answers=("GR501",),
    unfit="Where no gradient is wanted: use torch.no_grad() instead of backward().",
)
