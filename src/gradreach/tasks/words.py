"""A word-level language model on a text file, with a vocabulary by count."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from gradreach.tasks.task import Task, cross_entropy, windows
from gradreach.tasks.text import frequency_nats, manual, read

UNKNOWN = "<unk>"
TRAINED = 0.9
"""The share of one text, from its beginning, that trains; the rest tests."""

FEWEST = 100
"""The words that a text must have."""

_WORD = re.compile(r"<\w+>|\w+|[^\w\s]")


def split(text: str) -> list[str]:
    """Split into words, numbers and signs in lower case, each sign by itself; "<unk>" and its like stay whole.

    >>> split("It wasn't <unk>.")
    ['it', 'wasn', "'", 't', '<unk>', '.']
    """
    return _WORD.findall(text.lower())


@dataclass(frozen=True)
class Vocabulary:
    """Words by number; number 0 is <unk>, which stands for all others."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, words: Sequence[str], size: int, known: Iterable[str] = ()) -> Vocabulary:
        """The `size` most frequent of `words`, equal counts in the alphabet's order, among them `known` whatever
        their count. Raises ValueError for a size that cannot hold <unk> and `known`."""
        kept = [word for word in dict.fromkeys(known) if word != UNKNOWN]
        if size < 1 + len(kept):
            raise ValueError(f"size: expected at least {1 + len(kept)} words, <unk> and those known, got {size}")
        counted = sorted(Counter(words).items(), key=lambda each: (-each[1], each[0]))
        others = (word for word, _ in counted if word not in {UNKNOWN, *kept})
        return cls((UNKNOWN, *kept, *islice(others, size - 1 - len(kept))))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._numbers

    def encode(self, words: Iterable[str]) -> Tensor:
        """Return the numbers of words, int64; an unknown word has number 0.

        >>> Vocabulary.of(["a", "b", "a"], 2).encode(["a", "b"]).tolist()
        [1, 0]
        """
        return torch.tensor([self._numbers.get(word, 0) for word in words], dtype=torch.int64)


@dataclass(frozen=True)
class Corpus:
    """Texts as numbers of a vocabulary: one to train on, one to test on."""

    name: str
    vocabulary: Vocabulary
    train: Tensor
    test: Tensor


def corpus(data: str | Path | None = None, vocabulary: int = 2000, known: Iterable[str] = ()) -> Corpus:
    """Read a corpus and make its vocabulary, of so many words with <unk>; those of `known` are in it in any case.

    `data` is a text file, of which the first nine tenths train; or a folder with valid.txt, which trains, and test.txt,
    as WikiText-2 has them (Merity, Xiong, Bradbury, Socher 2017); or None for the manual that Python carries. Raises
    FileNotFoundError where a file is missing, ValueError where a text is no UTF-8 or has under 100 words.
    """
    name, train, test = _texts(data)
    for words in (train, test):
        if len(words) < FEWEST:
            raise ValueError(f"data: expected {FEWEST} words or more to train and to test in {name}, got {len(words)}")
    found = Vocabulary.of(train, vocabulary, known)
    return Corpus(name, found, found.encode(train), found.encode(test))


def _texts(data: str | Path | None) -> tuple[str, list[str], list[str]]:
    if data is not None and Path(data).is_dir():
        train, test = (split(read(Path(data) / file)) for file in ("valid.txt", "test.txt"))
        return Path(data).name, train, test
    name, whole = ("Python's manual", split(manual())) if data is None else (Path(data).name, split(read(Path(data))))
    cut = round(TRAINED * len(whole))
    return name, whole[:cut], whole[cut:]


def language_model(text: Corpus, length: int = 35) -> Task:
    """The next word after each of `length` words of the corpus, wherever in it they begin.

    Loss and error are the cross-entropy in nats a word; its exponential is the perplexity. `chance` is that of the
    training text's word frequencies. Raises ValueError for a length that the corpus does not hold.
    """
    shortest = min(len(text.train), len(text.test))
    if not 1 <= length < shortest:
        raise ValueError(f"length: expected 1 to {shortest - 1} words, which the texts hold, got {length}")

    size = len(text.vocabulary)
    return Task(
        f"words of {text.name}, T {length}",
        windows(text.train, length),
        windows(text.test, length),
        outputs=size,
        alphabet=size,
        length=length,
        error=cross_entropy,
        chance=frequency_nats(text.train, text.test, size),
    )


def words(data: str | None = None, length: int = 35, vocabulary: int = 2000) -> Task:
    """A word-level language model of Python's own manual, or of a text file or folder, `data`.

    As `language_model` of `corpus`: cross-entropy in nats a word.

    >>> import torch, gradreach as gr
    >>> task = gr.tasks.words(length=8, vocabulary=100)
    >>> batch = task.train(4, torch.Generator().manual_seed(0))
    >>> batch.x.shape, int(batch.x.max()) < 100, bool((batch.x[:, 1:] == batch.y[:, :-1]).all())
    (torch.Size([4, 8]), True, True)
    """
    return language_model(corpus(data, vocabulary), length)
