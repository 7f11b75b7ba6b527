"""Have torch name the operation."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

NAME_OPERATION = Advice(
    id="name-operation",
    does="names the forward line of the first operation whose gradient is NaN",
    code=lambda: "torch.autograd.set_detect_anomaly(True)  # for one run, which takes longer",
    answers=("GR301",),
    unfit="Where the loss itself is not finite: look at the forward pass step by step.",
)
