"""Language models, their gradient taken apart by lag, and the verbs that they choose."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from msgspec import Struct

from gradreach.engine.reach import reach
from gradreach.experiments.lab import Lab
from gradreach.experiments.language import LAYERS, wikitext
from gradreach.tasks.agreement import NATURAL, agreement, batch_of, sentences
from gradreach.tasks.choices import Choice, read_choices
from gradreach.tasks.models import Recurrent, recurrent
from gradreach.tasks.recipe import Recipe
from gradreach.tasks.task import Batch, cross_entropy
from gradreach.tasks.training import train
from gradreach.tasks.words import Corpus, Vocabulary, corpus, language_model

MOST = len(NATURAL) - 1
"""Phrases between subject and verb, at most."""

NEAR = 5
"""Lags 0 … 4 are called near."""

ROWS, LONGEST, SEEN_AT_ONCE = 64, 50, 64
"""Sequences whose gradient is taken apart; words before a real verb that are read; real sentences read together."""

Texts = Literal["words", "agreement"]
TEXTS: dict[Texts, str] = {"words": "Language model of words", "agreement": "Language model of a grammar"}


@dataclass(frozen=True)
class Size:
    """Of both kinds of models: H, updates, seeds; words of the vocabulary; sentences to test each case."""

    grammar: tuple[int, int, int]
    words: tuple[int, int, int]
    vocabulary: int
    tested: int


@dataclass(frozen=True)
class Job:
    """One model; `data`, the user's folder."""

    text: Texts
    layer: str
    seed: int
    size: Size
    data: Path | None


class Counted(Struct, frozen=True):
    """How often the right form of the verb was likelier: `right` of `n`, in the `test`, with so many `nouns` between
    subject and verb, for real sentences so many attractors (None: not said), and for those by the subject's number."""

    test: str
    nouns: int | None
    right: int
    n: int
    plural: bool | None = None


class Trained(Struct, frozen=True):
    """One model: s(ℓ), the largest error of their sum that rounding allows, and its choices of verbs."""

    text: Texts
    layer: str
    seed: int
    lag_share: list[float]
    total: float
    allowed: float
    tested: list[Counted]


class Measured(Struct, frozen=True):
    """All models; `source` names the text of the words."""

    source: str
    models: list[Trained]


def trained(job: Job) -> Trained:
    """Train one model, take its gradient apart, let it choose verbs."""
    if job.text == "agreement":
        task, (hidden, updates, _) = agreement(), job.size.grammar
    else:
        source = text(job.data, job.size.vocabulary)
        task, (hidden, updates, _) = language_model(source), job.size.words
    recipe = Recipe(task, partial(recurrent, layer=job.layer, hidden=hidden), seed=job.seed)
    model = train(recipe, updates, every=updates + 1).model
    assert isinstance(model, Recurrent)
    if job.text == "agreement":
        batch = batch_of(sentences(ROWS, torch.Generator().manual_seed(2**31 + job.seed), phrases=MOST))
        tested = list(_grammatical(model, job))
    else:
        batch = task.test(ROWS, torch.Generator().manual_seed(2**31 + job.seed))
        tested = [] if job.data is None else list(_real(model, source.vocabulary, job.data))
    return Trained(job.text, job.layer, job.seed, *shares(copy.deepcopy(model).double(), batch), tested)


def text(data: Path | None, vocabulary: int) -> Corpus:
    """WikiText-2 from the user's folder where it holds it, else Python's manual."""
    return corpus(wikitext(data), vocabulary)


def shares(model: Recurrent, batch: Batch) -> tuple[list[float], float, float]:
    """s(ℓ) on a batch, their sum, and how far from 1 rounding may take it.

    ‖dW_ℓ‖ ≤ (b(ℓ) + b(ℓ+1)) ‖dW‖, so the sum of ⟨dW_ℓ, dW⟩ / ‖dW‖² carries ε Σ (b(ℓ) + b(ℓ+1)) for each of the T · B
    products that a dW_ℓ sums.
    """
    x, y = batch
    output = model.carry(x, None)[0].detach().requires_grad_()
    (local_error,) = torch.autograd.grad(cross_entropy(model.head(output), y), output)
    assert model.embed is not None
    found = reach(model.body, model.embed(x), local_error)
    bias = np.array([*found.truncation_bias, 0.0])
    condition = float((bias[:-1] + bias[1:]).sum())
    allowed = x.numel() * condition * torch.finfo(torch.float64).eps
    return [round(each, 5) for each in found.lag_share], float(sum(found.lag_share)), allowed


def _grammatical(model: Recurrent, job: Job) -> Iterable[Counted]:
    """With each number of nouns between, all of them attractors, or none."""
    for nouns in range(MOST + 1):
        for test, other in (("attractors", 1.0), ("same number", 0.0)):
            drawn = sentences(job.size.tested, torch.Generator().manual_seed(2**31 + job.seed), nouns, other)
            with torch.no_grad():
                said = model(drawn.words)[:, -1]
            right, wrong = (said.gather(1, verb[:, None]) for verb in (drawn.verb, drawn.verb ^ 1))
            yield Counted(test, nouns, int((right > wrong).sum()), len(said))


def _real(model: Recurrent, vocabulary: Vocabulary, data: Path) -> Iterable[Counted]:
    """On the test sets that the user's folder holds, the sentences both of whose forms are in the vocabulary."""
    found = {"real sentences": data / "agreement-linzen" / "subj_agr_filtered.text"}
    found |= {path.stem: path for path in sorted((data / "agreement-blimp").glob("distractor*.jsonl"))}
    for test, path in found.items():
        if not path.exists():
            continue
        read = [each for each in read_choices(path) if each.right in vocabulary and each.wrong in vocabulary]
        counts: dict[tuple[int | None, bool], list[bool]] = defaultdict(list)
        for choice, is_right in zip(read, chosen(model, vocabulary, read), strict=True):
            counts[choice.attractors, choice.plural].append(is_right)
        for (attractors, plural), rights in sorted(counts.items(), key=str):
            yield Counted(test, attractors, sum(rights), len(rights), plural)


@torch.no_grad()
def chosen(model: Recurrent, vocabulary: Vocabulary, read: list[Choice]) -> list[bool]:
    """Whether the right form is the likelier one, sentence by sentence; those of equal length are read together."""
    right = [False] * len(read)
    by_length: dict[int, list[int]] = defaultdict(list)
    for i, choice in enumerate(read):
        by_length[min(len(choice.before), LONGEST)].append(i)
    for length, places in by_length.items():
        for begin in range(0, len(places), SEEN_AT_ONCE):
            some = places[begin : begin + SEEN_AT_ONCE]
            x = torch.stack([vocabulary.encode(read[i].before[-length:]) for i in some])
            forms = torch.stack([vocabulary.encode([read[i].right, read[i].wrong]) for i in some])
            logits = model(x)[:, -1].gather(1, forms)
            for i, is_right in zip(some, (logits[:, 0] > logits[:, 1]).tolist(), strict=True):
                right[i] = is_right
    return right


def measure(size: Size, lab: Lab) -> Measured:
    """Every layer on both kinds of text, from every seed."""
    seeds: dict[Texts, int] = {"words": size.words[2], "agreement": size.grammar[2]}
    jobs = [Job(kind, layer, seed, size, lab.data) for kind in TEXTS for layer in LAYERS for seed in range(seeds[kind])]
    return Measured(text(lab.data, size.vocabulary).name, lab.spread(trained, jobs, "models"))


def of(measured: Measured, kind: Texts, layer: str) -> list[Trained]:
    return [model for model in measured.models if model.text == kind and model.layer == layer]


def counted(measured: Measured, layer: str, test: str, nouns: int) -> tuple[int, int]:
    """Right choices, and how many there were, of all seeds together."""
    found = [each for model in of(measured, "agreement", layer) for each in model.tested]
    cells = [each for each in found if each.test == test and each.nouns == nouns]
    return sum(each.right for each in cells), sum(each.n for each in cells)


def balanced(measured: Measured, layer: str, test: str, attractors: tuple[int | None, ...]) -> float | None:
    """Mean of the shares of right choices among singular and among plural subjects: a model that always says "is" has
    one half. None where no sentence is of one of the two."""
    found = [each for model in of(measured, "words", layer) for each in model.tested]
    cells = [each for each in found if each.test == test and each.nouns in attractors]
    of_number = [[each for each in cells if each.plural is plural] for plural in (False, True)]
    if not all(of_number):
        return None
    return sum(sum(each.right for each in some) / sum(each.n for each in some) for some in of_number) / 2
