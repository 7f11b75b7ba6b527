"""Claims of the shares, of a grammar's verbs and of real ones."""

from __future__ import annotations

from msgspec.structs import replace

from gradreach.experiments.claim import Claim, at_least, at_most
from gradreach.experiments.intervals import interval
from gradreach.experiments.language import LAYERS
from gradreach.experiments.near_beats_far.measure import MOST, NEAR, TEXTS, Measured, balanced, counted


def claims(measured: Measured) -> tuple[Claim, ...]:
    """The shares sum to 1, most of them near; attractors mislead the RNN, more than the LSTM; and real verbs."""
    worst = max(measured.models, key=lambda model: abs(model.total - 1) / model.allowed)
    (attracted, n), (same, _), (gated, _) = (
        counted(measured, layer, test, MOST)
        for layer, test in (("rnn", "attractors"), ("rnn", "same number"), ("lstm", "attractors"))
    )
    return (
        at_most(
            "|Σ s(ℓ) − 1|, the model that is farthest off",
            abs(worst.total - 1),
            worst.allowed,
            "T B ε Σ (b(ℓ) + b(ℓ+1)), rounding in float64",
        ),
        at_least(
            f"{TEXTS['words']}: share of ∂L/∂W_hh from lags 0 … {NEAR - 1}, the least of all models",
            min(sum(model.lag_share[:NEAR]) for model in measured.models if model.text == "words"),
            0.5,
            "more than half",
        ),
        _beside_theirs(
            f"tanh RNN: right verbs with {MOST} attractors between",
            attracted / n,
            interval(same, n)[0],
            f"as many nouns of the subject's own number: lower end of the exact 95 % interval, {same} of {n}",
        ),
        at_most(
            f"tanh RNN: right verbs with {MOST} attractors between, beside the LSTM's",
            attracted / n,
            interval(gated, n)[0],
            f"the LSTM's: lower end of the exact 95 % interval, {gated} of {n}, of these models",
        ),
        *_of_real(measured),
    )


def _beside_theirs(says: str, measured: float, bound: float, why: str) -> Claim:
    return replace(at_most(says, measured, bound, why), published=LINZEN)


LINZEN = (
    "LSTMs err in less than 1 % of all verbs when trained to say the number, more where attractors stand between, and "
    "much more often as language models (Linzen, Dupoux, Goldberg 2016, abstract)"
)


def _of_real(measured: Measured) -> tuple[Claim, ...]:
    """Language models of few words know little of real verbs, and nothing once attractors stand between."""
    pairs = [[balanced(measured, layer, "real sentences", group) for layer in LAYERS] for group in ((0,), (2, 3, 4))]
    known = [[each for each in group if each is not None] for group in pairs]
    if not all(known):
        return ()
    without, attracted = (sum(group) / len(group) for group in known)
    return (
        _beside_theirs(
            "Real sentences, language models of all kinds: right verbs with 2 to 4 attractors, balanced by number",
            attracted,
            without,
            "those without an attractor; a guess has 0.5",
        ),
    )
