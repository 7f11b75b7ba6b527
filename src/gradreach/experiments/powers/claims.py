"""The claims of the three parts."""

from __future__ import annotations

from gradreach.experiments.claim import Claim
from gradreach.experiments.powers import eigenvalue, formats, nested_tanh
from gradreach.experiments.powers.measure import Measured


def claims(measured: Measured) -> tuple[Claim, ...]:
    """Of each in turn."""
    return (
        *eigenvalue.claims(measured.linear),
        *formats.claims(measured.powers, measured.invalid),
        *nested_tanh.claims(measured.nested),
    )
