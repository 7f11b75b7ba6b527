"""The sentence: a language model's error at one word carried back, word by word.

"The brown and black dog, which was playing with the cat, was a german shepherd", and a longer passage in which the
tickets that are printed at the end stand at the beginning. Models are trained on the user's text, or on Python's
manual; the passages' words are put into the vocabulary, whether or not the text holds them.
"""

from __future__ import annotations

from functools import partial

from gradreach.experiments.experiment import Experiment
from gradreach.experiments.sentence.claims import claims
from gradreach.experiments.sentence.figures import draw_map, draw_row
from gradreach.experiments.sentence.measure import Measured, Size, measure

EXPERIMENT = Experiment(
    title="The sentence",
    sizes={
        "quick": Size(vocabulary=400, hidden=32, updates=80, seeds=2, windows=200),
        "usual": Size(vocabulary=3000, hidden=100, updates=1200, seeds=3, windows=400),
    },
    measured=Measured,
    measure=measure,
    claims=claims,
    figures={
        "sentence": partial(draw_map, name="sentence"),
        "passage": partial(draw_map, name="passage"),
        "sentence-row": draw_row,
    },
)
