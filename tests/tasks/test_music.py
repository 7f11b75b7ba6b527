import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from gradreach.tasks import music
from gradreach.tasks.music import FOLLOWS, MIDDLE, NOTES, SCALE, composed, surprise
from gradreach.tasks.task import UNSCORED


def pieces(n: int, seed: int) -> list[np.ndarray]:
    g = np.random.default_rng(seed)
    return [(g.random((T, NOTES)) < 0.05).astype(np.uint8) for T in g.integers(2, 30, n)]


def written(path: Path, **cells: list[np.ndarray]) -> Path:
    from scipy.io import savemat

    held = {}
    for name, each in cells.items():
        held[name] = np.empty((1, len(each)), dtype=object)
        held[name][0] = each
    savemat(path, held)
    return path


def test_windows_of_a_users_pieces_then_padding(tmp_path: Path) -> None:
    parts = {"traindata": pieces(6, 0), "testdata": pieces(5, 1)}
    task = music(length=12, data=written(tmp_path / "own.mat", **parts))
    for draw, whole in ((task.train, parts["traindata"]), (task.test, parts["testdata"])):
        x, y = draw(40, torch.Generator().manual_seed(0))
        for heard, asked in zip(x.numpy(), y.numpy(), strict=True):
            n = int((asked[:, 0] != UNSCORED).sum())
            assert not heard[n:].any()
            assert (asked[n:] == UNSCORED).all()
            assert (heard[1:n] == asked[: n - 1]).all()
            window = np.concatenate([heard[:n], asked[n - 1 : n]])
            places = [
                (piece, i)
                for piece in whole
                for i in range(len(piece) - n)
                if np.array_equal(piece[i : i + n + 1], window)
            ]
            assert any(n == min(12, len(piece) - 1) for piece, _ in places)


def test_every_window_of_a_long_piece_can_come(tmp_path: Path) -> None:
    whole = np.eye(10, NOTES, dtype=np.uint8)
    task = music(length=4, data=written(tmp_path / "own.mat", traindata=[whole], testdata=[whole]))
    x, _ = task.train(300, torch.Generator().manual_seed(0))
    assert set(x[:, 0].argmax(-1).tolist()) == set(range(6))


def test_the_loss_is_summed_over_notes_and_a_mean_over_scored_steps() -> None:
    y = torch.full((2, 3, NOTES), float(UNSCORED))
    y[0, :2], y[1, :1] = 0.0, 1.0
    said = torch.zeros(2, 3, NOTES)
    assert float(surprise(said, y)) == pytest.approx(NOTES * np.log(2), rel=1e-6)
    said[0, 2:] = said[1, 1:] = 1e6  # over the padding
    assert float(surprise(said, y)) == pytest.approx(NOTES * np.log(2), rel=1e-6)


def test_who_knows_how_often_notes_sound_has_the_error_of_chance() -> None:
    task = music()
    train, test = composed()
    often = (torch.cat(train).double().sum(0) + 1) / (len(torch.cat(train)) + 2)
    logits = (often / (1 - often)).log()
    each = [float(surprise(logits.expand(len(piece) - 1, -1), piece[1:].double())) for piece in test]
    weights = [len(piece) - 1 for piece in test]
    assert np.average(each, weights=weights) == pytest.approx(task.chance)


def test_composed_chords_follow_the_chain_and_keep_their_key() -> None:
    train, test = composed()
    assert all(torch.equal(a, b) for a, b in zip(train, composed()[0], strict=True))
    for piece in (*train, *test):
        assert 32 <= len(piece) <= 64
        assert torch.equal(piece[::2], piece[1::2])
        assert (piece.sum(1) == 4).all()
        basses = piece.argmax(1) - (MIDDLE - 24)
        key = int(basses[0])
        degrees = [SCALE.index(int(bass) - key) for bass in basses[::2]]
        assert all(after in FOLLOWS[before] for before, after in pairwise(degrees))


def test_files_that_are_something_else_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="length: expected at least 1 step, got 0"):
        music(length=0)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        music(data=tmp_path / "nowhere.mat")
    (tmp_path / "text.mat").write_text("no music at all, just words, and then some more words, " * 9)
    narrow = [np.zeros((5, 3), np.uint8)]
    loud = [np.full((5, NOTES), 2, np.uint8)]
    for path in (
        tmp_path / "text.mat",
        written(tmp_path / "narrow.mat", traindata=narrow, testdata=narrow),
        written(tmp_path / "loud.mat", traindata=loud, testdata=loud),
        written(tmp_path / "half.mat", traindata=pieces(3, 0)),
    ):
        with pytest.raises(ValueError, match=rf"data: expected a .mat file with traindata and testdata.*{path.name}"):
            music(data=path)


def test_without_scipy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(ModuleNotFoundError, match=r'python -m pip install "gradreach\[experiments\]"'):
        music(data=tmp_path / "own.mat")
