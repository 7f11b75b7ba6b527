"""Language models, and the errors of the two passages carried back through them."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.nn import functional as F

from gradreach.engine.reach import Reach, reach
from gradreach.experiments.lab import Lab
from gradreach.experiments.language import LAYERS, wikitext
from gradreach.tasks.models import Recurrent, recurrent
from gradreach.tasks.recipe import Recipe
from gradreach.tasks.training import error, train
from gradreach.tasks.words import Corpus, corpus, language_model, split

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
    """Words of the vocabulary, H, updates, seeds, and windows of the test text to compare with."""

    vocabulary: int
    hidden: int
    updates: int
    seeds: int
    windows: int


@dataclass(frozen=True)
class Job:
    """One model."""

    layer: str
    seed: int
    size: Size
    data: Path | None


class Carried(Struct, frozen=True):
    """A text seen by one model.

    `row[k]` is log10 of ‖δ_{T→k}‖ / ‖δ_{T→T}‖ of the last word's error, `difference` its largest relative difference
    from autograd and `allowed` what rounding allows; `map` is log10 ‖δ_{t→k}‖ of every word's error, row by row up to
    k = t, for the first seed. `windows` holds log10 of the share that an error
    at the end of test texts of the same length keeps over the same lag.
    """

    text: str
    row: list[float]
    difference: float
    allowed: float
    windows: list[float]
    map: list[list[float]]


class Trained(Struct, frozen=True):
    """One model: its test loss in nats a word, log10 γλ where it is an RNN, and what it did with each text."""

    layer: str
    seed: int
    loss: float
    log10_bound: float | None
    carried: list[Carried]


class Measured(Struct, frozen=True):
    """`words` of each text, the place of the word followed back to; `unseen`, the words that the training text lacks;
    `chance`, the loss of the words' frequencies, nats a word."""

    source: str
    words: dict[str, list[str]]
    place: dict[str, int]
    unseen: list[str]
    chance: float
    models: list[Trained]


def text(data: Path | None, vocabulary: int) -> Corpus:
    """The training and test text, with every word of the passages in the vocabulary."""
    return corpus(data, vocabulary, dict.fromkeys(word for said, _ in TEXTS.values() for word in split(said)))


def trained(job: Job) -> Trained:
    """Train one model, and carry the errors of each text back."""
    size, source = job.size, text(job.data, job.size.vocabulary)
    task = language_model(source)
    recipe = Recipe(task, partial(recurrent, layer=job.layer, hidden=size.hidden), seed=job.seed)
    model = train(recipe, size.updates, every=size.updates + 1).model
    assert isinstance(model, Recurrent)
    loss = error(model, task, job.seed)
    model = copy.deepcopy(model).double()
    carried = [_carried(model, source, name, size.windows, whole=job.seed == 0) for name in TEXTS]
    return Trained(job.layer, job.seed, round(loss, 4), _log10_bound(model.body), carried)


def _log10_bound(body: nn.RNNBase) -> float | None:
    """log10 of γλ, γ = 1, which bounds an RNN's Jacobian."""
    if not isinstance(body, nn.RNN):
        return None
    return math.log10(float(torch.linalg.matrix_norm(_weight(body), 2)))


def _weight(body: nn.RNNBase) -> Tensor:
    """W_hh, (gH, H)."""
    weight = body.get_parameter("weight_hh_l0")
    return weight.detach()


def _carried(model: Recurrent, source: Corpus, name: str, windows: int, whole: bool) -> Carried:
    said, followed = TEXTS[name]
    numbers = source.vocabulary.encode(split(said))
    found = carried_back(model, numbers)
    row = found.map[-1]
    other = by_autograd(model, numbers[None])[0]
    place, T = split(said).index(followed), len(numbers) - 1
    return Carried(
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
    """The reach map of a text of T + 1 words: step t reads word t, and its error is that of saying word t + 1."""
    x, y = numbers[None, :-1], numbers[1:]
    output = model.carry(x, None)[0].detach().requires_grad_()
    (local_error,) = torch.autograd.grad(F.cross_entropy(model.head(output)[0], y, reduction="sum"), output)
    assert model.embed is not None
    return reach(model.body, model.embed(x), local_error)


def by_autograd(model: Recurrent, numbers: Tensor) -> Tensor:
    """‖∂L/∂state_k‖ (N, T) of texts (N, T + 1), L the loss at the last word of each; for an LSTM of (h, c) jointly.

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
    """How far two float64 sweeps may differ, relative to each ‖δ_k‖.

    A step back sums gH products with an error of (gH + 4) ε ‖W_hh‖_F ‖δ_{k+1}‖ at most, which is ‖W_hh‖_F ‖δ_{k+1}‖ /
    ‖δ_k‖ times as much relative to what is left; T steps, twice, at the step that loses most.
    """
    weight, T = _weight(body), len(norms)
    lost = float((norms[1:] / norms[:-1]).max())
    condition = max(1.0, float(weight.norm()) * lost)
    return 2 * T * (len(weight) + 4) * torch.finfo(torch.float64).eps * condition


def _of_windows(model: Recurrent, source: Corpus, T: int, lag: int, windows: int) -> Tensor:
    """log10 ‖δ_{T→T−lag}‖ / ‖δ_{T→T}‖ at the end of texts of T + 1 words, the same for every model."""
    x, y = language_model(source, T).test(windows, torch.Generator().manual_seed(0))
    norms = by_autograd(model, torch.cat([x, y[:, -1:]], 1))
    return (norms[:, -1 - lag] / norms[:, -1]).log10()


def measure(size: Size, lab: Lab) -> Measured:
    """Every layer from every seed."""
    data = wikitext(lab.data)
    source = text(data, size.vocabulary)
    words = {name: split(said) for name, (said, _) in TEXTS.items()}
    counts = torch.bincount(source.train, minlength=len(source.vocabulary))
    spoken = dict.fromkeys(word for each in words.values() for word in each)
    jobs = [Job(layer, seed, size, data) for layer in LAYERS for seed in range(size.seeds)]
    return Measured(
        source.name,
        words,
        {name: words[name].index(followed) for name, (_, followed) in TEXTS.items()},
        [word for word in spoken if not counts[source.vocabulary.encode([word])]],
        round(language_model(source).chance, 4),
        lab.spread(trained, jobs, "language models"),
    )


def of(measured: Measured, layer: str, name: str) -> list[Carried]:
    """One text, seen by the models of one kind, seed by seed."""
    return [each for model in measured.models if model.layer == layer for each in model.carried if each.text == name]


def windows(measured: Measured, layer: str, name: str) -> list[float]:
    """log10 of the share in each window of the test text, the mean over seeds."""
    return [mean(list(each)) for each in zip(*(each.windows for each in of(measured, layer, name)), strict=True)]


def lag(measured: Measured, name: str) -> int:
    """Words between the step at which the last word is said and that at which the one followed back to is read."""
    return len(measured.words[name]) - 2 - measured.place[name]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)
