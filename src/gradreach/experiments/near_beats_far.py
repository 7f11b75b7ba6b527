"""Near beats far: whence the gradient of trained models comes, and what follows for the number of a verb.

The share of ∂L/∂W_hh that travelled ℓ steps, in language models of real words and of a grammar. Then "the writer of the
books is": does the verb follow its subject (syntactic recency) or the noun before it (sequential recency)? After
Linzen, Dupoux and Goldberg 2016.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from msgspec import Struct
from msgspec.structs import asdict, replace

from gradreach.experiments.claim import Claim, at_least, at_most
from gradreach.experiments.drawing import axes, describe, error_bars
from gradreach.experiments.experiment import Experiment, where
from gradreach.experiments.intervals import Count, interval
from gradreach.experiments.lab import Lab
from gradreach.experiments.language import LAYERS, fit, wikitext
from gradreach.experiments.loss_reach import loss_reach
from gradreach.tasks.agreement import NATURAL, agreement, batch_of, sentences
from gradreach.tasks.choices import Choice, read_choices
from gradreach.tasks.models import Recurrent
from gradreach.tasks.task import Batch, cross_entropy
from gradreach.tasks.words import Corpus, Vocabulary, corpus, language_model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
    """H, updates and seeds of both kinds of models; the words of the vocabulary; the sentences that test each case."""

    grammar: tuple[int, int, int]
    words: tuple[int, int, int]
    vocabulary: int
    tested: int


class Job(Struct, frozen=True):
    """One model, by the text that it learns."""

    text: Texts
    layer: str
    seed: int


class VerbCount(Struct, frozen=True):
    """How often the right form of the verb was likelier: `right` of `n`, in the `test`, with so many `nouns` between
    subject and verb, for real sentences so many attractors (None: not said), and for those by the subject's number."""

    test: str
    nouns: int | None
    right: int
    n: int
    plural: bool | None = None


class Training(Job, frozen=True):
    """One model: s(ℓ), the largest error of their sum that rounding allows, and its choices of verbs."""

    lag_share: list[float]
    total: float
    allowed: float
    tested: list[VerbCount]


class Result(Struct, frozen=True):
    """All models; `source` names the text of the words."""

    source: str
    models: list[Training]


def train_one(size: Size, data: Path | None, job: Job) -> Training:
    """Train one model, take its gradient apart, let it choose verbs; `data` is the user's folder."""
    fresh = torch.Generator().manual_seed(2**31 + job.seed)
    if job.text == "agreement":
        hidden, updates, _ = size.grammar
        model = fit(agreement(), job.layer, hidden, updates, job.seed)
        batch = batch_of(sentences(ROWS, fresh, phrases=MOST))
        tested = list(_grammatical(model, size.tested, job.seed))
    else:
        source, (hidden, updates, _) = text(data, size.vocabulary), size.words
        model = fit(language_model(source), job.layer, hidden, updates, job.seed)
        batch = language_model(source).test(ROWS, fresh)
        tested = [] if data is None else list(_real(model, source.vocabulary, data))
    share, total, allowed = shares(copy.deepcopy(model).double(), batch)
    return Training(**asdict(job), lag_share=share, total=total, allowed=allowed, tested=tested)


def text(data: Path | None, vocabulary: int) -> Corpus:
    """Read WikiText-2 from the user's folder where it holds it, else Python's manual."""
    return corpus(wikitext(data), vocabulary)


def shares(model: Recurrent, batch: Batch) -> tuple[list[float], float, float]:
    """Return s(ℓ) on a batch, their sum, and how far from 1 rounding may take it.

    ‖dW_ℓ‖ ≤ (b(ℓ) + b(ℓ+1)) ‖dW‖, so the sum of ⟨dW_ℓ, dW⟩ / ‖dW‖² carries ε Σ (b(ℓ) + b(ℓ+1)) for each of the T · B
    products that a dW_ℓ sums.
    """
    found = loss_reach(model, batch.x, lambda said: cross_entropy(said, batch.y))
    bias = np.array([*found.truncation_bias, 0.0])
    condition = float((bias[:-1] + bias[1:]).sum())
    allowed = batch.x.numel() * condition * torch.finfo(torch.float64).eps
    return [round(each, 5) for each in found.lag_share], float(sum(found.lag_share)), allowed


def _grammatical(model: Recurrent, n: int, seed: int) -> Iterable[VerbCount]:
    """Test n sentences with each number of nouns between, all of them attractors, or none."""
    for nouns in range(MOST + 1):
        for test, other in (("attractors", 1.0), ("same number", 0.0)):
            drawn = sentences(n, torch.Generator().manual_seed(2**31 + seed), nouns, other)
            with torch.no_grad():
                said = model(drawn.words)[:, -1]
            right, wrong = (said.gather(1, verb[:, None]) for verb in (drawn.verb, drawn.verb ^ 1))
            yield VerbCount(test, nouns, int((right > wrong).sum()), len(said))


def _real(model: Recurrent, vocabulary: Vocabulary, data: Path) -> Iterable[VerbCount]:
    """Test on the user's test sets, the sentences both of whose verb forms are in the vocabulary."""
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
            yield VerbCount(test, attractors, sum(rights), len(rights), plural)


@torch.no_grad()
def chosen(model: Recurrent, vocabulary: Vocabulary, read: list[Choice]) -> list[bool]:
    """Return whether the right form is the likelier one, by sentence; sentences of equal length are read together."""
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


def measure(size: Size, lab: Lab) -> Result:
    """Train every layer on both kinds of text, from every seed."""
    seeds: dict[Texts, int] = {"words": size.words[2], "agreement": size.grammar[2]}
    jobs = [Job(kind, layer, seed) for kind in TEXTS for layer in LAYERS for seed in range(seeds[kind])]
    source = text(lab.data, size.vocabulary).name
    return Result(source, lab.spread(partial(train_one, size, lab.data), jobs, "models"))


def _verbs(result: Result, text: Texts, layer: str) -> list[VerbCount]:
    return [each for model in where(result.models, text=text, layer=layer) for each in model.tested]


def counted(result: Result, layer: str, test: str, nouns: int) -> Count:
    """Count right choices, and all choices, of all seeds together."""
    cells = where(_verbs(result, "agreement", layer), test=test, nouns=nouns)
    return sum(each.right for each in cells), sum(each.n for each in cells)


def balanced(result: Result, layer: str, test: str, attractors: tuple[int | None, ...]) -> float | None:
    """Mean of the shares of right choices among singular and among plural subjects: a model that always says "is" has
    one half. None where no sentence is of one of the two."""
    cells = where(_verbs(result, "words", layer), test=test, nouns=attractors)
    of_number = [where(cells, plural=plural) for plural in (False, True)]
    if not all(of_number):
        return None
    return sum(sum(each.right for each in some) / sum(each.n for each in some) for some in of_number) / 2


def claims(result: Result) -> tuple[Claim, ...]:
    """Claim that shares sum to 1, mostly near, that attractors mislead the RNN most; and claim on real verbs."""
    worst = max(result.models, key=lambda model: abs(model.total - 1) / model.allowed)
    (attracted, n), (same, _), (gated, _) = (
        counted(result, layer, test, MOST)
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
            min(sum(model.lag_share[:NEAR]) for model in result.models if model.text == "words"),
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
        *_of_real(result),
    )


def _beside_theirs(says: str, measured: float, bound: float, why: str) -> Claim:
    return replace(at_most(says, measured, bound, why), published=LINZEN)


LINZEN = (
    "LSTMs err in less than 1 % of all verbs when trained to say the number, more where attractors stand between, and "
    "much more often as language models (Linzen, Dupoux, Goldberg 2016, abstract)"
)


def _of_real(result: Result) -> tuple[Claim, ...]:
    """Claim that models of few words know little of real verbs, and nothing once attractors stand between."""
    pairs = [[balanced(result, layer, "real sentences", group) for layer in LAYERS] for group in ((0,), (2, 3, 4))]
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


def draw_shares(result: Result) -> Figure:
    """Draw how much of the gradient has come by each lag."""
    figure, panels = axes(2, width=9, height=3.8, sharey=True)
    for panel, (kind, title) in zip(panels, TEXTS.items(), strict=True):
        for layer, (label, colour) in LAYERS.items():
            shares = np.array([model.lag_share for model in where(result.models, text=kind, layer=layer)]).cumsum(1)
            panel.plot(shares.T, color=colour, lw=0.6, alpha=0.5)
            panel.plot(shares.mean(0), color=colour, lw=2, label=label)
        panel.axvspan(0, NEAR - 1, color="gray", alpha=0.15, lw=0)
        panel.set_xticks(range(0, len(where(result.models, text=kind, layer="rnn")[0].lag_share), 5))
        describe(panel, title, "lag ℓ, steps", "Σ s(j) over j ≤ ℓ, share of ∂L/∂W_hh")
    panels[0].legend()
    return figure


def draw_verbs(result: Result) -> Figure:
    """Draw right verbs by the nouns between, attractors or not; and real sentences, where there are any."""
    real = list(
        dict.fromkeys((each.test, each.nouns) for model in result.models for each in model.tested if each.plural)
    )
    figure, (grammar, *rest) = axes(2 if real else 1, width=9.5 if real else 6, height=4.4, sharey=True)
    for (layer, (label, colour)), aside in zip(LAYERS.items(), (-0.06, 0.0, 0.06), strict=True):
        for test, line in (("attractors", "o-"), ("same number", "s:")):
            _draw_counted(grammar, result, layer, test, aside, fmt=line, color=colour, label=f"{label}, {test}")
        for panel in rest:
            rates = [balanced(result, layer, test, (nouns,)) for test, nouns in real]
            panel.plot([np.nan if rate is None else rate for rate in rates], "o", color=colour, label=label)
    for panel in (grammar, *rest):
        panel.axhline(0.5, color="gray", lw=0.8)
    grammar.set_xticks(range(MOST + 1))
    describe(grammar, "A grammar's sentences", "nouns between subject and verb", "right verbs, share")
    grammar.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    for panel in rest:
        panel.set_xticks(range(len(real)), [_named(*each) for each in real], fontsize="small")
        describe(
            panel,
            "Real sentences, models of little text",
            "attractors, or the distractor in BLiMP's sentences",
            "right verbs, share, balanced by number",
        )
    return figure


def _draw_counted(panel: Axes, result: Result, layer: str, test: str, aside: float, **look: Any) -> None:
    counts = [counted(result, layer, test, nouns) for nouns in range(MOST + 1)]
    error_bars(panel, [nouns + aside for nouns in range(MOST + 1)], counts, ms=4, capsize=2, **look)


def _named(test: str, nouns: int | None) -> str:
    return test.removeprefix("distractor_agreement_").replace("_", "\n") if nouns is None else str(nouns)


EXPERIMENT = Experiment(
    name="near-beats-far",
    lesson=4,
    title="Near beats far",
    sizes={
        "quick": Size(grammar=(32, 600, 2), words=(32, 80, 1), vocabulary=400, tested=300),
        "usual": Size(grammar=(32, 2500, 5), words=(100, 1200, 2), vocabulary=3000, tested=1000),
    },
    result=Result,
    measure=measure,
    claims=claims,
    figures={"lag-share": draw_shares, "verbs": draw_verbs},
)
