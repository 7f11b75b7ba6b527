"""Carry the largest exponent beside a state with exponential gates (Beck et al. 2024, xLSTM)."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code() -> str:
    stabilised = "m_new = torch.maximum(f + m, i); i, f, m = torch.exp(i - m_new), torch.exp(f + m - m_new), m_new"
    return f"{stabilised}  # in place of torch.exp(i), torch.exp(f); m starts at 0"


STABILISER = Advice(
    id="stabiliser",
    does="exponential factors multiply up over the steps; with the largest exponent taken out they stay at most 1",
    code=_code,
    answers=("GR301",),
    unfit="Where the state is not divided by a sum of the same factors: take a logistic gate.",
)
