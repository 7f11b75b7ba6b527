"""Findings to stand in a report beside a record, without a rule having spoken."""

from __future__ import annotations

from gradreach.record.schema import Finding, Remedy

from .parts import NAN

VANISHING = Finding(
    code="GR101",
    severity="info",
    title="vanishing through time",
    where={"module": "rnn", "layer": 0, "direction": "forward"},
    evidence={"horizon": 12, "T": 60, "factor": 0.68, "bound_factor": 1.2, "exact": True},
    because="r(ℓ) falls under 0.01 after lag 12 of 59: each step back multiplies it by 0.68. The bound allows 1.2.",
    remedies=(
        Remedy("lstm", "model.rnn = torch.nn.LSTM(32, 32)", "Its cell state carries the gradient by addition."),
        Remedy("orthogonal", "gr.init.orthogonal_(model.rnn)", "Every singular value of W_hh starts at 1."),
    ),
)
BROKEN = Finding(
    code="GR301",
    severity="error",
    title="non-finite gradient",
    where={"step": 121, "module": "rnn", "layer": 0, "time_step": 41, "site": "train.py:31"},
    evidence={"phase": "forward", "value": "nan", "operation": "RNN_RELU", "norm_before": 900.0, "norm": NAN},
    because="step 121 holds the first NaN: it arose in the forward pass of `rnn`. The step before had a norm of 900.",
    remedies=(Remedy("clip", "torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)", "it caps the spike before"),),
)
CLIPPED = Finding(
    code="GR303",
    severity="warning",
    title="clipping threshold far too low",
    where={"site": "main.py:180"},
    evidence={"threshold": 0.25, "clip_rate": 1.0, "norm_median": 1.1},
    because="the threshold 0.25 lies under 100 % of the norms.",
    remedies=(Remedy("clip", "clip_grad_norm_(model.parameters(), 3.0)", "It acts on spikes alone."),),
)
FINDINGS = {"vanishing": (CLIPPED, VANISHING), "broken": (BROKEN,), "hostile": (CLIPPED, VANISHING)}
