"""Near beats far: whence the gradient of trained models comes, and what follows for the number of a verb.

The share of ∂L/∂W_hh that travelled ℓ steps, in language models of real words and of a grammar. Then "the writer of the
books is": does the verb follow its subject (syntactic recency) or the noun before it (sequential recency)? After
Linzen, Dupoux and Goldberg 2016.
"""

from __future__ import annotations

from gradreach.experiments.experiment import Experiment
from gradreach.experiments.near_beats_far.claims import claims
from gradreach.experiments.near_beats_far.figures import draw_shares, draw_verbs
from gradreach.experiments.near_beats_far.measure import Measured, Size, measure

EXPERIMENT = Experiment(
    title="Near beats far",
    sizes={
        "quick": Size(grammar=(32, 600, 2), words=(32, 80, 1), vocabulary=400, tested=300),
        "usual": Size(grammar=(32, 2500, 5), words=(100, 1200, 2), vocabulary=3000, tested=1000),
    },
    measured=Measured,
    measure=measure,
    claims=claims,
    figures={"lag-share": draw_shares, "verbs": draw_verbs},
)
