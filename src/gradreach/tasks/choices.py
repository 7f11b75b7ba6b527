"""Real sentences in which the verb has to be chosen: test sets of subject–verb agreement, read from files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from gradreach.tasks.agreement import PAD, WORDS, sentences
from gradreach.tasks.task import Batch, Task
from gradreach.tasks.words import TRAINED, Vocabulary, split


@dataclass(frozen=True)
class Choice:
    """The words before a verb, its right and its wrong form, and the attractors between it and its subject, if said."""

    before: tuple[str, ...]
    right: str
    wrong: str
    attractors: int | None = None

    @property
    def plural(self) -> bool:
        """Whether the right form lacks the singular's s, or has fewer of them: is, has, runs; passes, pass."""
        return (self.right.endswith("s"), len(self.right)) < (self.wrong.endswith("s"), len(self.wrong))


def read_choices(path: str | Path) -> tuple[Choice, ...]:
    """A test set of the form that the file's ending says.

    .text, with a .gold beside it: a sentence a line, and for each its verb's place among the words, counted from 0, the
    right form, the wrong form, the number of attractors, between tabs (Linzen, Dupoux, Goldberg 2016, in the form of
    Gulordava et al. 2018). .jsonl: BLiMP's minimal pairs (Warstadt et al. 2020), those of one beginning and two
    verbs. Words are split as for `words`, so of "hasn't" the word "hasn" is chosen. Raises FileNotFoundError for a
    missing file, ValueError for any other ending, a line that does not fit, or a file without a choice.
    """
    path = Path(path)
    forms = {".text": _lined, ".gold": _lined, ".jsonl": _blimp}
    if path.suffix not in forms:
        raise ValueError(f"path: expected a .text with its .gold, or a .jsonl, got {path.name!r}; convert it")
    found = forms[path.suffix](path)
    if not found:
        raise ValueError(f"path: expected sentences with one beginning and two verbs, got none in {path.name}")
    return found


def _lined(path: Path) -> tuple[Choice, ...]:
    texts, golds = (path.with_suffix(each).read_text(encoding="utf-8").splitlines() for each in (".text", ".gold"))
    if len(texts) != len(golds):
        raise ValueError(
            f"path: expected as many lines in {path.stem}.gold as in .text, got {len(golds)}, {len(texts)}"
        )
    found = []
    for i, (text, gold) in enumerate(zip(texts, golds, strict=True), 1):
        parts, words = gold.split("\t"), text.split()
        if len(parts) != 4 or not parts[0].isdecimal() or not parts[3].isdecimal() or int(parts[0]) >= len(words):
            raise ValueError(
                f"path: expected place, right, wrong, attractors in line {i} of {path.stem}.gold: {gold!r}"
            )
        before = tuple(split(" ".join(words[: int(parts[0])])))
        found.append(Choice(before, parts[1].lower(), parts[2].lower(), int(parts[3])))
    return tuple(found)


def _blimp(path: Path) -> tuple[Choice, ...]:
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line)
    return tuple(
        Choice(
            tuple(split(line["one_prefix_prefix"])),
            split(line["one_prefix_word_good"])[0],
            split(line["one_prefix_word_bad"])[0],
        )
        for line in lines
        if line.get("one_prefix_method")
    )


def number_of_verb(read: tuple[Choice, ...], vocabulary: int = 2000, length: int = 50) -> Task:
    """Does the verb stand in the plural? Asked where it would come, of the `length` words before it.

    The first nine tenths of the sentences train and make the vocabulary, the rest tests. The error is the share of
    wrong answers, `chance` that of the more frequent number. Rows are padded on the left with the number past the
    vocabulary's.
    """
    cut = round(TRAINED * len(read))
    known = Vocabulary.of([word for choice in read[:cut] for word in choice.before], vocabulary)
    pad = len(known)
    rows = torch.stack([before(choice, known, length) for choice in read])
    plural = torch.tensor([int(choice.plural) for choice in read])
    share = float(plural[cut:].double().mean())

    def some(begin: int, end: int, N: int, g: Generator) -> Batch:
        drawn = torch.randint(begin, end, (N,), generator=g)
        return Batch(rows[drawn], plural[drawn])

    return Task(
        f"number of the verb, {len(read)} sentences",
        lambda N, g: some(0, cut, N, g),
        lambda N, g: some(cut, len(read), N, g),
        outputs=2,
        alphabet=pad + 1,
        length=length,
        where="last step",
        chance=min(share, 1 - share),
    )


def before(choice: Choice, vocabulary: Vocabulary, length: int) -> Tensor:
    """The last `length` words before the verb by number, padded on the left with len(vocabulary)."""
    numbers = vocabulary.encode(choice.before[-length:])
    return torch.cat([torch.full((length - len(numbers),), len(vocabulary)), numbers])


def verb_number(data: str | None = None, vocabulary: int = 2000, length: int = 50) -> Task:
    """Does the verb stand in the plural? Of real sentences from a file, `data`, or of a grammar's.

    As `number_of_verb` of `read_choices`; without a file, of 4000 of `agreement`'s sentences.
    """
    return number_of_verb(_of_grammar() if data is None else read_choices(data), vocabulary, length)


def _of_grammar() -> tuple[Choice, ...]:
    drawn = sentences(4000, torch.Generator().manual_seed(0))
    return tuple(
        Choice(tuple(WORDS[i] for i in words if i != PAD), WORDS[verb], WORDS[verb ^ 1], attractors)
        for words, verb, attractors in zip(*(each.tolist() for each in drawn), strict=True)
    )
