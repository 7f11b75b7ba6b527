"""Rules on what the data asks for, GR401 to GR403; the record holds no evidence for them yet."""

from __future__ import annotations

from gradreach.rules.rule import Explain, Rule

_SCORE = (
    "S(n) = ‖Σ E_res ⊗ F_res‖²: E the residual at the output, F features of x_{t−n}, both regressed on the near "
    "inputs, a ladder of further lags and the state h_t"
)
_NULL = (
    "null: E of one sequence with F of another, whole sequences, so that autocorrelation stays;  z = (S − mean) / sd"
)
_LEVEL = (
    "A lag counts as dependent by Benjamini–Hochberg over all lags tested, on a null that keeps each sequence "
    "whole, so that the level holds on autocorrelated input too. Reached means r(n) ≥ 0.01, the horizon's own "
    "limit."
)
_REFERENCES = (
    "Rao (1948): Large sample tests of statistical hypotheses concerning several parameters",
    "Benjamini, Hochberg (1995): Controlling the false discovery rate",
    "Hochreiter, Bengio, Frasconi, Schmidhuber (2001): Gradient flow in recurrent nets",
)

NOTHING_FAR = Rule(
    "GR401",
    "nothing-beyond",
    "nothing left to learn beyond lag n",
    ("info",),
    "data",
    Explain(
        cause="The model's residual no longer depends on input further back than lag n, so a short reach costs "
        "nothing.",
        mathematics=(_SCORE, _NULL),
        thresholds=_LEVEL + " The rule speaks where no lag beyond the horizon is dependent.",
        remedies=("None needed; shorter sequences save time where nothing far back is to be learned.",),
        silence="At will: it is information. Then: --ignore GR401.",
        references=_REFERENCES,
    ),
)

UNREACHED = Rule(
    "GR402",
    "dependency-out-of-reach",
    "the data depends on lag n, the gradient does not reach it",
    ("error",),
    "data",
    Explain(
        cause="The residual still depends on the input n steps back, and the gradient from there is under 1 %: "
        "vanishing, with proof of harm.",
        mathematics=(_SCORE, _NULL, "r(n) < 0.01: δ_{t→t−n} is under a hundredth of δ_{t→t}"),
        thresholds=_LEVEL + " Dependent and not reached is this finding.",
        remedies=(
            "Orthogonal W_hh: free; holds only as long as training leaves it near.",
            "LSTM with a forget bias for the lag (chrono start): free for an LSTM.",
            "Skip connections through time: reach divided by the skip; lags between are seen coarsely.",
        ),
        silence="Where the far dependency is known and not wanted. Then: --ignore GR402.",
        references=_REFERENCES,
    ),
)

UNLEARNED = Rule(
    "GR403",
    "reached-unlearned",
    "the gradient reaches the dependency and it is still unlearned",
    ("warning",),
    "data",
    Explain(
        cause="The residual depends on input n steps back and the gradient gets there: the task is hard, or "
        "training too short; this is not vanishing.",
        mathematics=(_SCORE, _NULL, "r(n) ≥ 0.01"),
        thresholds=_LEVEL + " Dependent and reached is this finding.",
        remedies=(
            "Train longer or with a higher rate: time.",
            "More hidden units: memory and time.",
            "Help the gradient's way no further: it arrives already.",
        ),
        silence="Early in training, when little can have been learned. Then: --ignore GR403.",
        references=_REFERENCES,
    ),
)

RULES = (NOTHING_FAR, UNREACHED, UNLEARNED)
