"""Give the loss what it takes: logits, or logarithms of probabilities."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(loss: str, operation: str, module: str) -> str:
    if loss == "divergence":
        return "loss = nn.KLDivLoss(reduction='batchmean')(logits.log_softmax(1), target)"
    if loss == "negative log-likelihood":
        return "loss = nn.CrossEntropyLoss()(logits, target)  # or NLLLoss on logits.log_softmax(1)"
    if loss == "CTC loss":
        return "log_probs = logits.log_softmax(-1)  # and these to the CTC loss"
    end = module.rpartition(".")[2]
    if end.isdecimal():
        return f"{expression(module)} = nn.Identity()  # the loss has the {operation} in it"
    return f"return logits  # without the {operation}: the loss has it in it"


RAW_LOGITS = Advice(
    id="raw-logits",
    does="the loss then sees how sure the network is, and its slope is p − y",
    code=_code,
    answers=("GR602",),
    unfit="Where the probabilities themselves are needed by another part of the loss: take the loss on probabilities.",
)
