import math
from pathlib import Path

import pytest
import torch

from gradreach.tasks import characters
from gradreach.tasks.text import manual

TEXT = "abcabd" * 200 + "zyx" * 20


def written(folder: Path, text: str = TEXT) -> Path:
    path = folder / "text.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_windows_are_pieces_of_their_part_of_the_text(tmp_path: Path) -> None:
    task = characters(length=7, data=written(tmp_path))
    alphabet, cut = sorted(set(TEXT)), int(0.9 * len(TEXT))
    for draw, part in ((task.train, TEXT[:cut]), (task.test, TEXT[cut:])):
        x, y = draw(200, torch.Generator().manual_seed(0))
        for one, following in zip(x.tolist(), y.tolist(), strict=True):
            assert "".join(alphabet[i] for i in [*one, following[-1]]) in part
            assert one[1:] == following[:-1]


def test_the_last_window_can_come(tmp_path: Path) -> None:
    task = characters(length=119, data=written(tmp_path, "a" * 1080 + "b" * 119 + "c"))
    _, y = task.test(50, torch.Generator().manual_seed(0))
    assert (y[:, -1] == 2).all()


def test_who_knows_the_frequencies_has_the_error_of_chance() -> None:
    task = characters(length=50)
    text = manual()
    count = dict.fromkeys(text, 1)
    for character in text[: int(0.9 * len(text))]:
        count[character] += 1
    logits = torch.tensor([count[each] for each in sorted(count)]).double().log()
    _, y = task.test(5000, torch.Generator().manual_seed(0))
    errors = torch.tensor([float(task.error(logits.expand(50, -1), each)) for each in y])
    assert float(errors.mean()) == pytest.approx(task.chance, abs=4.5 * float(errors.std()) / 5000**0.5)


def test_bits_are_nats_over_ln_2() -> None:
    task = characters(length=5)
    x, y = task.test(3, torch.Generator().manual_seed(0))
    said = torch.randn(*x.shape, task.outputs, generator=torch.Generator().manual_seed(1))
    assert float(task.error(said, y)) == pytest.approx(float(task.loss(said, y)) / math.log(2))
    assert float(task.error(torch.zeros_like(said), y)) == pytest.approx(math.log2(task.outputs))


def test_texts_that_do_not_do_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="length: expected at least 1 character, got 0"):
        characters(length=0)
    with pytest.raises(ValueError, match=r"length: expected fewer than 126, the characters .* got 126"):
        characters(length=126, data=written(tmp_path))
    (tmp_path / "image").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ValueError, match=r"data: expected a text in UTF-8, got .*image"):
        characters(data=tmp_path / "image")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        characters(data=tmp_path / "nowhere")
