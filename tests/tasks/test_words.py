import math
from pathlib import Path

import pytest
import torch

from gradreach.tasks.words import UNKNOWN, Vocabulary, corpus, language_model, split

TEXT = "the cat saw the dog . the dog saw <unk> , and it wasn't red . "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "valid.txt").write_text(TEXT * 100)
    (tmp_path / "test.txt").write_text("a cat saw the dog . " * 200)
    return tmp_path


def test_the_most_frequent_words_are_kept_and_the_rest_is_unknown() -> None:
    words = split("b b b a a c c d")
    found = Vocabulary.of(words, 4, known=["d"])
    assert found.words == (UNKNOWN, "d", "b", "a")
    assert found.encode(["b", "c", "d", UNKNOWN]).tolist() == [2, 0, 1, 0]
    assert "d" in found
    assert "c" not in found


def test_a_vocabulary_holds_all_that_is_known() -> None:
    with pytest.raises(ValueError, match="size: expected at least 3"):
        Vocabulary.of(["a"], 2, known=["b", "c"])


def test_a_folder_trains_on_one_file_and_tests_on_the_other(folder: Path) -> None:
    found = corpus(folder, vocabulary=20)
    spoken = [found.vocabulary.words[i] for i in found.train[:18]]
    assert spoken == split(TEXT)
    assert found.vocabulary.words[found.test[0]] == UNKNOWN  # "a" is in the test alone
    assert found.vocabulary.words[found.test[1]] == "cat"


def test_a_file_is_cut_in_two(folder: Path) -> None:
    found = corpus(folder / "test.txt", vocabulary=10)
    assert len(found.train) + len(found.test) == 1200 == len(split((folder / "test.txt").read_text()))
    assert len(found.train) == 1080


def test_the_next_word_is_the_target_and_the_test_is_another_text(folder: Path) -> None:
    task = language_model(corpus(folder, vocabulary=20), length=9)
    a, b, c = (draw(6, torch.Generator().manual_seed(3)) for draw in (task.train, task.train, task.test))
    assert torch.equal(a.x, b.x)
    assert torch.equal(a.y, b.y)
    assert torch.equal(a.x[:, 1:], a.y[:, :-1])
    assert not torch.equal(a.x, c.x)


def test_chance_is_the_cross_entropy_of_the_frequencies(folder: Path) -> None:
    text = corpus(folder, vocabulary=20)
    task = language_model(text, length=5)
    counts = torch.bincount(text.train, minlength=20).double() + 1
    logits = counts.log()[: task.outputs].expand(1, len(text.test), -1)
    assert float(task.error(logits, text.test[None])) == pytest.approx(task.chance, rel=1e-12)
    assert 0 < task.chance < math.log(20)


def test_errors_name_the_argument(folder: Path) -> None:
    (folder / "short.txt").write_text("too short")
    with pytest.raises(ValueError, match="data: expected 100 words or more"):
        corpus(folder / "short.txt")
    with pytest.raises(FileNotFoundError):
        corpus(folder / "none.txt")
    with pytest.raises(ValueError, match="length: expected 1 to"):
        language_model(corpus(folder, 20), length=10**6)
