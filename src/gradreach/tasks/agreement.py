"""Subject–verb agreement with attractors: "the writer of the books … is", not "are"."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from gradreach.tasks.task import UNSCORED, Batch, Task

NATURAL = (0.5, 0.3, 0.14, 0.05, 0.01)
"""How often 0, 1, … phrases stand between subject and verb: half of all sentences have none, few have more than two."""

OTHER = 0.5
"""Chance that a noun between subject and verb has the other number."""

_NOUNS = [
    "writer",
    "book",
    "key",
    "cabinet",
    "dog",
    "cat",
    "door",
    "student",
    "teacher",
    "printer",
    "letter",
    "painter",
    "farmer",
    "child",
    "author",
    "song",
]
_VERBS = ["like", "see", "know", "praise", "follow", "mention"]
_ADJECTIVES = ["old", "new", "red", "small", "famous", "quiet"]
_PREPOSITIONS = ["of", "near", "behind", "with", "about", "for"]
_SAID = ("is", "are", "has", "have", "was", "were")


def _plural(noun: str) -> str:
    return "children" if noun == "child" else f"{noun}s"


WORDS: tuple[str, ...] = (
    *_SAID,
    *(form for noun in _NOUNS for form in (noun, _plural(noun))),
    *(form for verb in _VERBS for form in (f"{verb}s", verb)),
    *_ADJECTIVES,
    *_PREPOSITIONS,
    "the",
    "that",
    "<pad>",
)
"""Words by number. Verbs and nouns stand in pairs, the singular at an even number, the plural right after it."""

_NUMBER = {word: i for i, word in enumerate(WORDS)}
_THE, _THAT, PAD = _NUMBER["the"], _NUMBER["that"], _NUMBER["<pad>"]
_ABSENT = -1
_KINDS = (0.7, 0.15, 0.15)
"""How often a phrase is one with a preposition, one with a subject of its own, one that goes on with the subject."""


class Sentences(NamedTuple):
    """Drawn sentences: words (N, T) before the verb, at the right end of each row; the verb (N,); attractors (N,).

    Attractors are the nouns between subject and verb that have not the subject's number.
    """

    words: Tensor
    verb: Tensor
    attractors: Tensor


def sentences(N: int, generator: Generator, phrases: int | None = None, other: float = OTHER) -> Sentences:
    """Draw N sentences of a grammar, T = 3 + 4 · max(4, phrases).

    "the (adjective) noun", then phrases of four words at most: "preposition the (adjective) noun", "that the noun
    verb", "that verb the noun". Each sentence has so many `phrases`, by default as NATURAL says; their nouns have the
    other number with chance `other`. The verb is is/are, has/have or was/were.

    >>> import torch
    >>> drawn = sentences(1, torch.Generator().manual_seed(7), phrases=1, other=1.0)
    >>> " ".join(WORDS[i] for i in drawn.words[0] if i != PAD), WORDS[drawn.verb[0]], int(drawn.attractors[0])
    ('the keys for the writer', 'were', 1)
    """
    room = max(len(NATURAL) - 1, phrases or 0)
    if phrases is None:
        count = torch.multinomial(torch.tensor(NATURAL), N, replacement=True, generator=generator)
    else:
        count = torch.full((N,), phrases)
    plural = torch.randint(2, (N,), generator=generator)
    differs = torch.rand((N, room), generator=generator) < other
    spoken = torch.arange(room) < count[:, None]
    between = _phrases(plural, differs, generator).masked_fill(~spoken[..., None], _ABSENT)
    words = torch.cat([_noun_phrase(plural, generator), between.flatten(1)], 1)
    right = words.gather(1, (words != _ABSENT).long().sort(dim=1, stable=True).indices)
    verb = 2 * torch.randint(len(_SAID) // 2, (N,), generator=generator) + plural
    return Sentences(right.masked_fill(right == _ABSENT, PAD), verb, (differs & spoken).sum(1))


def _noun_phrase(plural: Tensor, g: Generator) -> Tensor:
    """ "the (adjective) noun", (…, 3)."""
    adjective = _one_of(_ADJECTIVES, plural, g)
    adjective = adjective.masked_fill(torch.rand(plural.shape, generator=g) < 0.5, _ABSENT)
    return torch.stack([torch.full_like(plural, _THE), adjective, _pair_of(_NOUNS, plural, g)], -1)


def _phrases(plural: Tensor, differs: Tensor, g: Generator) -> Tensor:
    """Phrases (N, room, 4) behind subjects of number `plural` (N,), their nouns of the other number where `differs`."""
    subject = plural[:, None].expand_as(differs)
    number = subject ^ differs.long()
    the, that = torch.full_like(number, _THE), torch.full_like(number, _THAT)
    noun = _pair_of(_NOUNS, number, g)
    kinds = (
        torch.cat([_one_of(_PREPOSITIONS, number, g)[..., None], _noun_phrase(number, g)], -1),
        torch.stack([that, the, noun, _pair_of(_VERBS, number, g)], -1),
        torch.stack([that, _pair_of(_VERBS, subject, g), the, noun], -1),
    )
    drawn = torch.multinomial(torch.tensor(_KINDS), number.numel(), replacement=True, generator=g)
    kind = drawn.view(*number.shape, 1)
    return torch.where(kind == 0, kinds[0], torch.where(kind == 1, kinds[1], kinds[2]))


def _one_of(words: list[str], like: Tensor, g: Generator) -> Tensor:
    return _NUMBER[words[0]] + torch.randint(len(words), like.shape, generator=g)


def _pair_of(words: list[str], plural: Tensor, g: Generator) -> Tensor:
    """One of the words in the number asked for; nouns are listed by their singular, verbs by their plural."""
    first = min(_NUMBER[words[0]], _NUMBER.get(f"{words[0]}s", len(WORDS)))
    return first + 2 * torch.randint(len(words), plural.shape, generator=g) + plural


def wrong_number(said: Tensor, y: Tensor) -> Tensor:
    """The share of sentences in which the verb's wrong number is at least as likely as the right one.

    Takes logits (N, T, C) and words (N, T), of which the last are the verbs.
    """
    right = y[:, -1:]
    return (said[:, -1].gather(1, right ^ 1) >= said[:, -1].gather(1, right)).double().mean()


def agreement(attractors: int | None = None) -> Task:
    """A language model of sentences up to their verb, judged by the verb's number.

    After Linzen, Dupoux and Goldberg 2016, on a grammar's sentences (`sentences`). Trained on all that it draws, most
    of it with no attractor or one; tested on the same, or on sentences with so many phrases before the verb as
    `attractors` says, the noun of each an attractor. The loss is nats a word, the error the share of verbs in the wrong
    number; a guess is wrong in half. Raises ValueError for a negative number of attractors.

    >>> import torch, gradreach as gr
    >>> batch = gr.tasks.agreement().train(4, torch.Generator().manual_seed(0))
    >>> batch.x.shape, batch.y.shape
    (torch.Size([4, 19]), torch.Size([4, 19]))
    """
    if attractors is not None and attractors < 0:
        raise ValueError(f"attractors: expected 0 or more, or None for the grammar's own number, got {attractors}")
    between = "" if attractors is None else f", tested with {attractors} attractors"
    return Task(
        f"agreement{between}",
        lambda N, g: batch_of(sentences(N, g)),
        lambda N, g: batch_of(sentences(N, g, attractors, OTHER if attractors is None else 1.0)),
        outputs=len(WORDS),
        alphabet=len(WORDS),
        length=3 + 4 * (len(NATURAL) - 1),
        error=wrong_number,
        chance=0.5,
        solved=0.01,
    )


def batch_of(drawn: Sentences) -> Batch:
    """Make a batch of each word with the word that follows it, the verb at the end; padding is not scored."""
    following = torch.cat([drawn.words[:, 1:], drawn.verb[:, None]], 1)
    return Batch(drawn.words, following.masked_fill(drawn.words == PAD, UNSCORED))
