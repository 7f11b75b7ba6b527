"""Claims of the map, of what was learned, and of the shares beside their factor and their bound."""

from __future__ import annotations

from gradreach.experiments.claim import Claim, at_most
from gradreach.experiments.sentence.measure import TEXTS, Measured, lag, mean, of, windows


def claims(measured: Measured) -> tuple[Claim, ...]:
    """Parts as autograd finds them; the RNN's shares fall by its factor, and lie under the bound."""
    carried = [each for model in measured.models for each in model.carried]
    worst = max(carried, key=lambda each: each.difference / each.allowed)
    return (
        at_most(
            "Largest relative difference of ‖δ_{T→k}‖ in the reach map from autograd's, all words and models",
            worst.difference,
            worst.allowed,
            "2 T (gH + 4) ε κ, rounding in float64; κ the worst loss of size in one step",
        ),
        at_most(
            "Highest test loss of a model",
            max(model.loss for model in measured.models),
            measured.chance,
            "that of the words' frequencies: less is what was learned from the order of the words",
            "nats a word",
        ),
        *(_falls(measured, name) for name in TEXTS),
        *(_bounded(measured, name) for name in TEXTS),
    )


def _falls(measured: Measured, name: str) -> Claim:
    """The share at the word is one more of those that the test text shows: it lies outside them in 2 of n + 1."""
    elsewhere = windows(measured, "rnn", name)
    factor = 10 ** (mean(elsewhere) / lag(measured, name))
    return Claim(
        f"tanh RNN: log10 of the share of the error at “{measured.words[name][-1]}” that reaches the first "
        f"“{measured.words[name][measured.place[name]]}”, {lag(measured, name)} words back",
        mean(elsewhere),
        mean([each.row[measured.place[name]] for each in of(measured, "rnn", name)]),
        min(elsewhere),
        max(elsewhere),
        f"factor^lag, the factor {factor:.2f} a word from {len(elsewhere)} windows of the test text; their range: one "
        f"more of their kind lies outside in 2 of {len(elsewhere) + 1}",
    )


def _bounded(measured: Measured, name: str) -> Claim:
    """The model that comes nearest to its bound."""
    over = [
        (each.row[measured.place[name]], model.log10_bound * lag(measured, name))
        for model in measured.models
        if model.log10_bound is not None
        for each in model.carried
        if each.text == name
    ]
    found, bound = max(over, key=lambda each: each[0] - each[1])
    return at_most(
        f"tanh RNN: log10 of that share beside its bound, {lag(measured, name)} words back",
        found,
        bound,
        "(γλ)^lag, γ = 1, λ = ‖W_hh‖₂: true, and far off",
    )
