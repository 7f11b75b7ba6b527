"""A weight before a term of the loss."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

WEIGH_TERMS = Advice(
    id="weigh-terms",
    does="with this weight all terms pull about as hard at first; a rate that was small for the others' sake may rise",
    code=lambda weight: f"loss = term + {weight:.2g} * others",
    answers=("GR611",),
    unfit="Where the term cannot be learned from the input: then no weight helps.",
)
