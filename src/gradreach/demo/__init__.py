"""Scripts in plain PyTorch that `gradreach demo` watches; they know nothing of gradreach. One for each question.

text: a tanh RNN learns English text
vanishing: a tanh RNN is to add two marked values far apart
nan: a ReLU RNN whose hand-written loss becomes NaN
clip: a GRU under a clipping threshold that was copied from elsewhere
deep: twenty logistic layers in a row
healthy: an LSTM that learns
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Demo:
    """One script of this folder: the question that it answers, where the answer stands, and what to try next.

    `shows` is the code of the finding that it is there to show; where there is none, no fault is to be found.
    """

    name: str
    question: str
    about: str
    look_at: str
    options: str
    then: str
    shows: str = ""

    @property
    def script(self) -> Path:
        """Return the path of the script."""
        return Path(__file__).parent / f"{self.name}.py"


DEMOS = {
    demo.name: demo
    for demo in (
        Demo(
            "text",
            "How far back does my RNN learn?",
            "a tanh RNN learns to predict the next character of English text",
            "the horizon: how far back the gradient of an error still carries 1 %, beside the 100 characters it may",
            "--length 25",
            "a shorter window: what is lost?",
            "GR101",
        ),
        Demo(
            "vanishing",
            "Is my RNN vanishing?",
            "a tanh RNN is to add two marked values, up to a hundred steps apart, and does not learn it",
            "GR402: the proof that the error depends on inputs which the gradient does not reach",
            "--length 10 --steps 2000",
            "ten steps, and the same network learns",
            "GR402",
        ),
        Demo(
            "nan",
            "Why did I get NaN at step ...?",
            "a ReLU RNN learns to repeat what it saw, until its loss, written by hand, is NaN",
            "the first sentence: the step, and the operation that made the first value that is not finite",
            "--stable",
            "torch's own loss, from the logits: it stays finite",
            "GR301",
        ),
        Demo(
            "clip",
            "Which clip threshold?",
            "a character model with SGD, clipped at a threshold that was copied from elsewhere",
            "the threshold that this run's own norms tell of, and the share of steps that yours cuts",
            "--clip 1",
            "another threshold: the loss falls",
            "GR303",
        ),
        Demo(
            "deep",
            "Why does my deep network not learn?",
            "twenty logistic layers in a row, of which the first get no gradient",
            "GR201, and in the page the gradient of each layer from the last to the first",
            "--depth 3",
            "three layers: it learns",
            "GR201",
        ),
        Demo(
            "healthy",
            "What does it say when all is well?",
            "an LSTM learns to keep the first symbol of a sequence",
            "the checks that it passed, and those that could not be made, with the reason",
            "--length 40",
            "sequences twice as long: does the gradient still arrive?",
        ),
    )
}
