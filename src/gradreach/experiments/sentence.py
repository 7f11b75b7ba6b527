"""The sentence: a language model's error at one word carried back, word by word.

"The brown and black dog, which was playing with the cat, was a german shepherd", and a longer passage in which the
tickets that are printed at the end stand at the beginning. Models are trained on the user's text, or on Python's
manual; the passages' words are put into the vocabulary, whether or not the text holds them.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.nn import functional as F

from gradreach.engine.reach import Reach
from gradreach.experiments.claim import Claim, at_most
from gradreach.experiments.drawing import HEAT, axes, describe
from gradreach.experiments.experiment import Experiment, where
from gradreach.experiments.lab import Lab
from gradreach.experiments.language import LAYERS, fit, wikitext
from gradreach.experiments.loss_reach import loss_reach
from gradreach.tasks.models import Recurrent
from gradreach.tasks.training import error
from gradreach.tasks.words import Corpus, corpus, language_model, split

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SENTENCE = "The brown and black dog, which was playing with the cat, was a german shepherd"
PASSAGE = (
    "When she tried to print her tickets, she found that the printer was out of toner. She went to the stationery "
    "store to buy more toner. It was very overpriced. After installing the toner into the printer, she finally printed "
    "her tickets"
)
TEXTS = {"sentence": (SENTENCE, "brown"), "passage": (PASSAGE, "tickets")}
"""Each with the word that the error at its last word is followed back to: where it stands first."""


@dataclass(frozen=True)
class Size:
    """The words of the vocabulary, H, updates, seeds, and the windows of the test text to compare with."""

    vocabulary: int
    hidden: int
    updates: int
    seeds: int
    windows: int


class Job(Struct, frozen=True):
    """One model."""

    layer: str
    seed: int


class TextReach(Struct, frozen=True):
    """How far the errors of one text go back in one model.

    `row[k]` is log10 of ‖δ_{T→k}‖ / ‖δ_{T→T}‖ of the last word's error, `difference` its largest relative difference
    from autograd and `allowed` what rounding allows; `map` is log10 ‖δ_{t→k}‖ of every word's error, row by row up to
    k = t, for the first seed. `windows` holds log10 of the share that an error at the end of test texts of the same
    length keeps over the same lag.
    """

    text: str
    row: list[float]
    difference: float
    allowed: float
    windows: list[float]
    map: list[list[float]]


class Training(Job, frozen=True):
    """One model: its test loss in nats a word, log10 γλ where it is an RNN, and how far the texts' errors go back."""

    loss: float
    log10_bound: float | None
    carried: list[TextReach]


class Result(Struct, frozen=True):
    """`words` of each text, the place of the word followed back to; `unseen`, the words that the training text lacks;
    `chance`, the loss of the words' frequencies, nats a word."""

    source: str
    words: dict[str, list[str]]
    place: dict[str, int]
    unseen: list[str]
    chance: float
    models: list[Training]


def text(data: Path | None, vocabulary: int) -> Corpus:
    """Read the training and test text, with every word of the passages in the vocabulary."""
    return corpus(data, vocabulary, dict.fromkeys(word for said, _ in TEXTS.values() for word in split(said)))


def train_one(size: Size, data: Path | None, job: Job) -> Training:
    """Train one model on the text in `data`, and carry the errors of each passage back."""
    source = text(data, size.vocabulary)
    task = language_model(source)
    model = fit(task, job.layer, size.hidden, size.updates, job.seed)
    loss = error(model, task, job.seed)
    model = copy.deepcopy(model).double()
    carried = [_text_reach(model, source, name, size.windows, whole=job.seed == 0) for name in TEXTS]
    return Training(job.layer, job.seed, round(loss, 4), _log10_bound(model.body), carried)


def _log10_bound(body: nn.RNNBase) -> float | None:
    """Return log10 γλ, γ = 1, which bounds an RNN's Jacobian; None for another layer."""
    if not isinstance(body, nn.RNN):
        return None
    return math.log10(float(torch.linalg.matrix_norm(_weight(body), 2)))


def _weight(body: nn.RNNBase) -> Tensor:
    """Return W_hh, (gH, H)."""
    weight = body.get_parameter("weight_hh_l0")
    return weight.detach()


def _text_reach(model: Recurrent, source: Corpus, name: str, windows: int, whole: bool) -> TextReach:
    said, followed = TEXTS[name]
    numbers = source.vocabulary.encode(split(said))
    found = carried_back(model, numbers)
    row = found.map[-1]
    other = by_autograd(model, numbers[None])[0]
    place, T = split(said).index(followed), len(numbers) - 1
    return TextReach(
        name,
        _rounded((row / row[-1]).log10()),
        float(((row - other).abs() / other).max()),
        rounding(model.body, other),
        _rounded(_of_windows(model, source, T, T - 1 - place, windows)),
        [_rounded(each[: t + 1]) for t, each in enumerate(found.log10_map)] if whole else [],
    )


def _rounded(values: Tensor) -> list[float]:
    return [round(each, 3) for each in values.tolist()]


def carried_back(model: Recurrent, numbers: Tensor) -> Reach:
    """Return the reach of a text of T + 1 words: step t reads word t, and its error is that of saying word t + 1."""
    x, y = numbers[None, :-1], numbers[1:]
    return loss_reach(model, x, lambda said: F.cross_entropy(said[0], y, reduction="sum"))


def by_autograd(model: Recurrent, numbers: Tensor) -> Tensor:
    """Return ‖∂L/∂state_k‖ (N, T) of texts (N, T + 1), L the loss at the last word; for an LSTM of (h, c) jointly.

    The layer is called word by word, so that every state is there for autograd to differentiate by.
    """
    states: list[tuple[Tensor, ...]] = []
    state = None
    for t in range(numbers.shape[1] - 1):
        _, state = model.carry(numbers[:, t : t + 1], state)
        states.append(state if isinstance(state, tuple) else (state,))
    loss = F.cross_entropy(model.head(states[-1][0][0]), numbers[:, -1], reduction="sum")
    parts = [part for each in states for part in each]
    found = torch.autograd.grad(loss, parts, allow_unused=True, materialize_grads=True)
    each = len(states[0])
    joint: list[Tensor] = [torch.cat(found[i : i + each], -1)[0] for i in range(0, len(found), each)]
    norms: Tensor = torch.stack(joint, 1).norm(dim=-1)
    return norms


def rounding(body: nn.RNNBase, norms: Tensor) -> float:
    """Return how far two float64 sweeps may differ, relative to each ‖δ_k‖.

    A step back sums gH products with an error of (gH + 4) ε ‖W_hh‖_F ‖δ_{k+1}‖ at most, which is ‖W_hh‖_F ‖δ_{k+1}‖ /
    ‖δ_k‖ times as much relative to what is left; T steps, twice, at the step that loses most.
    """
    weight, T = _weight(body), len(norms)
    lost = float((norms[1:] / norms[:-1]).max())
    condition = max(1.0, float(weight.norm()) * lost)
    return 2 * T * (len(weight) + 4) * torch.finfo(torch.float64).eps * condition


def _of_windows(model: Recurrent, source: Corpus, T: int, lag: int, windows: int) -> Tensor:
    """Return log10 ‖δ_{T→T−lag}‖ / ‖δ_{T→T}‖ at the end of texts of T + 1 words, the same for every model."""
    x, y = language_model(source, T).test(windows, torch.Generator().manual_seed(0))
    norms = by_autograd(model, torch.cat([x, y[:, -1:]], 1))
    return (norms[:, -1 - lag] / norms[:, -1]).log10()


def measure(size: Size, lab: Lab) -> Result:
    """Train every layer from every seed."""
    data = wikitext(lab.data)
    source = text(data, size.vocabulary)
    words = {name: split(said) for name, (said, _) in TEXTS.items()}
    counts = torch.bincount(source.train, minlength=len(source.vocabulary))
    spoken = dict.fromkeys(word for each in words.values() for word in each)
    jobs = [Job(layer, seed) for layer in LAYERS for seed in range(size.seeds)]
    return Result(
        source.name,
        words,
        {name: words[name].index(followed) for name, (_, followed) in TEXTS.items()},
        [word for word in spoken if not counts[source.vocabulary.encode([word])]],
        round(language_model(source).chance, 4),
        lab.spread(partial(train_one, size, data), jobs, "language models"),
    )


def reaches(result: Result, layer: str, name: str) -> list[TextReach]:
    """Return the reach of one text in the models of one kind, seed by seed."""
    return where((each for model in where(result.models, layer=layer) for each in model.carried), text=name)


def windows(result: Result, layer: str, name: str) -> list[float]:
    """Return log10 of the share in each window of the test text, the mean over seeds."""
    return [mean(list(each)) for each in zip(*(each.windows for each in reaches(result, layer, name)), strict=True)]


def lag(result: Result, name: str) -> int:
    """Count the words between the step that says the last word and the step that reads the one followed back to."""
    return len(result.words[name]) - 2 - result.place[name]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def claims(result: Result) -> tuple[Claim, ...]:
    """Claim that the map is autograd's, that models learned, and that the RNN's shares fall by its factor."""
    carried = [each for model in result.models for each in model.carried]
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
            max(model.loss for model in result.models),
            result.chance,
            "that of the words' frequencies: less is what was learned from the order of the words",
            "nats a word",
        ),
        *(_falls(result, name) for name in TEXTS),
        *(_bounded(result, name) for name in TEXTS),
    )


def _falls(result: Result, name: str) -> Claim:
    """Claim that the share at the word is one more of those in the test text: it lies outside them in 2 of n + 1."""
    elsewhere = windows(result, "rnn", name)
    factor = 10 ** (mean(elsewhere) / lag(result, name))
    return Claim(
        f"tanh RNN: log10 of the share of the error at “{result.words[name][-1]}” that reaches the first "
        f"“{result.words[name][result.place[name]]}”, {lag(result, name)} words back",
        mean(elsewhere),
        mean([each.row[result.place[name]] for each in reaches(result, "rnn", name)]),
        min(elsewhere),
        max(elsewhere),
        f"factor^lag, the factor {factor:.2f} a word from {len(elsewhere)} windows of the test text; their range: one "
        f"more of their kind lies outside in 2 of {len(elsewhere) + 1}",
    )


def _bounded(result: Result, name: str) -> Claim:
    """Claim that even the model nearest to its bound stays under it."""
    over = [
        (each.row[result.place[name]], model.log10_bound * lag(result, name))
        for model in result.models
        if model.log10_bound is not None
        for each in model.carried
        if each.text == name
    ]
    found, bound = max(over, key=lambda each: each[0] - each[1])
    return at_most(
        f"tanh RNN: log10 of that share beside its bound, {lag(result, name)} words back",
        found,
        bound,
        "(γλ)^lag, γ = 1, λ = ‖W_hh‖₂: true, and far off",
    )


FLOOR = 6.0
"""Decades that the colours of the maps span."""


def draw_map(result: Result, name: str) -> Figure:
    """Draw every word's error, carried back to every earlier word, for the RNN and the LSTM."""
    words = result.words[name]
    small = len(words) > 30
    figure, panels = axes(1, 2, width=9, height=15) if small else axes(2, width=11, height=5.4)
    for panel, layer in zip(panels, ("rnn", "lstm"), strict=True):
        rows = reaches(result, layer, name)[0].map
        whole = np.full((len(rows), len(rows)), np.nan)
        for t, row in enumerate(rows):
            whole[t, : t + 1] = np.array(row) - row[t]
        image = panel.imshow(whole, cmap=HEAT, vmin=-FLOOR, vmax=0.0, interpolation="nearest")
        size = 7.0 if small else 8.0
        panel.set_xticks(range(len(rows)), words[:-1], rotation=90, fontsize=size)
        panel.set_yticks(range(len(rows)), words[1:], fontsize=size)
        panel.grid(False)
        describe(panel, LAYERS[layer][0], "word k, read", "word t + 1, whose error it is")
    figure.colorbar(
        image, ax=panels, label="log₁₀ ‖δ_{t→k}‖ / ‖δ_{t→t}‖, no unit", shrink=0.5 if small else 0.8, extend="both"
    )
    return figure


def draw_row(result: Result) -> Figure:
    """Draw the error at the last word of the sentence by the word that it comes to, each seed and the mean."""
    figure, (panel,) = axes(width=8.5, height=4)
    words = result.words["sentence"]
    for layer, (label, colour) in LAYERS.items():
        rows = np.array([each.row for each in reaches(result, layer, "sentence")])
        panel.plot(rows.T, color=colour, lw=0.7, alpha=0.5)
        panel.plot(rows.mean(0), "o-", color=colour, lw=2, ms=4, label=label)
    elsewhere = mean(windows(result, "rnn", "sentence")) / lag(result, "sentence")
    back = len(words) - 2 - np.arange(len(words) - 1)
    panel.plot(
        elsewhere * back, ":", color=LAYERS["rnn"][1], label=f"{10**elsewhere:.2f} a word, elsewhere in the text"
    )
    panel.set_xticks(range(len(words) - 1), words[:-1], rotation=60, ha="right")
    describe(panel, f"The error at “{words[-1]}”, carried back", "word k, read", "log₁₀ ‖δ_{T→k}‖ / ‖δ_{T→T}‖, no unit")
    panel.legend()
    return figure


EXPERIMENT = Experiment(
    name="sentence",
    lesson=3,
    title="The sentence",
    sizes={
        "quick": Size(vocabulary=400, hidden=32, updates=80, seeds=2, windows=200),
        "usual": Size(vocabulary=3000, hidden=100, updates=1200, seeds=3, windows=400),
    },
    result=Result,
    measure=measure,
    claims=claims,
    figures={
        "sentence": partial(draw_map, name="sentence"),
        "passage": partial(draw_map, name="passage"),
        "sentence-row": draw_row,
    },
)
