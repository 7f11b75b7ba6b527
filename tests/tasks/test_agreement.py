import json
from pathlib import Path

import pytest
import torch

from gradreach.tasks.agreement import PAD, WORDS, agreement, sentences, wrong_number
from gradreach.tasks.choices import Choice, number_of_verb, read_choices, verb_number
from gradreach.tasks.task import UNSCORED

SINGULAR = {"is", "has", "was"}
ADJECTIVES = {"old", "new", "red", "small", "famous", "quiet"}
VERBS = {"like", "see", "know", "praise", "follow", "mention"}


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spoken(words: torch.Tensor) -> list[str]:
    return [WORDS[i] for i in words if i != PAD]


def nouns(words: list[str]) -> list[str]:
    """What stands behind "the" and at most one adjective."""
    found = []
    for i, word in enumerate(words):
        if word == "the":
            found.append(words[i + 2 if words[i + 1] in ADJECTIVES else i + 1])
    return found


def is_plural(noun: str) -> bool:
    return noun.endswith("s") or noun == "children"


def test_the_verb_agrees_with_the_first_noun_and_attractors_are_counted() -> None:
    found = sentences(300, drawn(0))
    for words, verb, attractors in zip(*found, strict=True):
        subject, *between = nouns(spoken(words))
        assert (WORDS[verb] in SINGULAR) != is_plural(subject)
        assert int(attractors) == sum(is_plural(noun) != is_plural(subject) for noun in between)


def test_verbs_inside_clauses_agree_with_their_own_subject() -> None:
    seen = 0
    for words, _, _ in zip(*sentences(300, drawn(1), phrases=1), strict=True):
        said = spoken(words)
        if "that" not in said:
            continue
        first, inner = nouns(said)
        verb = next(word for word in said if word.rstrip("s") in VERBS)
        own = first if said[said.index("that") + 1] == verb else inner
        assert is_plural(own) == (not verb.endswith("s"))
        seen += 1
    assert seen > 20


def test_phrases_and_their_numbers_are_as_asked() -> None:
    assert sentences(50, drawn(2), phrases=6, other=1.0).attractors.tolist() == [6] * 50
    assert sentences(50, drawn(2), phrases=6, other=0.0).attractors.tolist() == [0] * 50
    natural = sentences(2000, drawn(3)).attractors
    assert float((natural <= 1).double().mean()) > 0.9


def test_the_sentence_ends_at_the_verb_and_padding_is_not_scored() -> None:
    batch = agreement(attractors=2).test(40, drawn(4))
    assert bool((batch.y[:, -1] < 6).all())
    assert bool(((batch.y == UNSCORED) == (batch.x == PAD)).all())
    assert torch.equal(batch.x[:, 1:][batch.x[:, :-1] != PAD], batch.y[:, :-1][batch.x[:, :-1] != PAD])


def test_the_error_is_the_share_of_wrong_numbers() -> None:
    batch = agreement().test(40, drawn(5))
    said = torch.zeros(40, 19, len(WORDS))
    assert float(wrong_number(said, batch.y)) == 1.0  # held as likely is not known
    said[:, -1].scatter_(1, batch.y[:, -1:], 1.0)
    assert float(wrong_number(said, batch.y)) == 0.0
    said[:10, -1].scatter_(1, batch.y[:10, -1:] ^ 1, 2.0)
    assert float(wrong_number(said, batch.y)) == 0.25


def test_attractors_are_counted_from_none() -> None:
    with pytest.raises(ValueError, match="attractors: expected 0 or more"):
        agreement(attractors=-1)


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    (tmp_path / "set.text").write_text(
        "the keys to the cabinet are here . <eos>\nthe dog , Which sees cats , barks <eos>\n"
    )
    (tmp_path / "set.gold").write_text("5\tare\tis\t1\n7\tbarks\tbark\t1\n")
    return tmp_path / "set.text"


def test_lines_are_read(lines: Path) -> None:
    first, second = read_choices(lines)
    assert first == Choice(("the", "keys", "to", "the", "cabinet"), "are", "is", 1)
    assert second.before[-3:] == ("sees", "cats", ",")
    assert first.plural
    assert not second.plural
    assert not Choice((), "passes", "pass").plural
    assert read_choices(lines.with_suffix(".gold")) == (first, second)


def test_blimp_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    one = {"one_prefix_method": True, "one_prefix_prefix": "A niece of most senators"}
    rows = [
        {**one, "one_prefix_word_good": "hasn't", "one_prefix_word_bad": "haven't"},
        {"one_prefix_method": False, "two_prefix_word": "perform"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    assert read_choices(path) == (Choice(("a", "niece", "of", "most", "senators"), "hasn", "haven"),)


def test_what_does_not_fit_is_named(lines: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"path: expected a \.text with its .gold"):
        read_choices(tmp_path / "set.csv")
    lines.with_suffix(".gold").write_text("5\tare\tis\t1\n99\tbarks\tbark\t1\n")
    with pytest.raises(ValueError, match=r"in line 2 of set\.gold"):
        read_choices(lines)
    lines.with_suffix(".gold").write_text("5\tare\tis\t1\n")
    with pytest.raises(ValueError, match="as many lines"):
        read_choices(lines)
    (tmp_path / "none.jsonl").write_text(json.dumps({"one_prefix_method": False}) + "\n")
    with pytest.raises(ValueError, match=r"got none in none\.jsonl"):
        read_choices(tmp_path / "none.jsonl")


def test_the_number_is_asked_where_the_verb_would_come(lines: Path) -> None:
    read = read_choices(lines) * 20
    task = number_of_verb(read, vocabulary=30, length=6)
    batch = task.train(30, drawn(6))
    of_keys = batch.x[:, -1] == batch.x[batch.y == 1][0, -1]
    assert torch.equal(of_keys, batch.y == 1)
    assert batch.x.shape == (30, 6)
    assert bool((batch.x[batch.y == 1][:, 0] == task.alphabet - 1).all())  # five words in a row of six
    assert task.chance == 0.5


def test_without_a_file_the_grammar_speaks() -> None:
    batch = verb_number(length=19).test(8, drawn(7))
    assert batch.x.shape == (8, 19)
    assert set(batch.y.tolist()) == {0, 1}
