import gzip
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gradreach.tasks import digits
from gradreach.tasks.deep import digits_data

SIDE = 5


def arrays() -> dict[str, np.ndarray]:
    g = np.random.default_rng(0)
    return {
        "x_train": g.integers(0, 256, (40, SIDE, SIDE), dtype=np.uint8),
        "y_train": np.arange(40, dtype=np.uint8) % 4,
        "x_test": g.integers(0, 256, (12, SIDE, SIDE), dtype=np.uint8),
        "y_test": np.arange(12, dtype=np.uint8) % 4,
    }


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def as_npz(folder: Path) -> Path:
    np.savez(folder / "digits.npz", **arrays())
    return folder / "digits.npz"


def as_idx(folder: Path) -> Path:
    for name, array in zip(
        ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"),
        arrays().values(),
        strict=True,
    ):
        (folder / f"{name}-ubyte").write_bytes(idx(array))
    return folder


def as_gzipped_idx(folder: Path) -> Path:
    for path in list(as_idx(folder).iterdir()):
        (folder / f"{path.name.replace('-idx', '.idx')}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    return folder


@pytest.mark.parametrize("written", [as_npz, as_idx, as_gzipped_idx])
def test_a_users_own_images_are_read(written: Callable[[Path], Path], tmp_path: Path) -> None:
    task = digits(data=written(tmp_path))
    assert (task.length, task.outputs) == (SIDE * SIDE, 4)
    for draw, part in ((task.train, "train"), (task.test, "test")):
        x, y = draw(8, torch.Generator().manual_seed(0))
        images = torch.from_numpy(arrays()[f"x_{part}"].reshape(-1, SIDE * SIDE)) / 255
        for image, label in zip(x[..., 0], y, strict=True):
            which = (images == image).all(1).nonzero().item()
            assert int(label) == arrays()[f"y_{part}"][which]


def test_the_small_digits_come_row_by_row() -> None:
    x, y = digits().test(20, torch.Generator().manual_seed(0))
    assert x.shape == (20, 64, 1)
    assert 0 <= float(x.min()) < float(x.max()) == 1
    test = digits_data().test
    assert all(((test.x == image[:, 0]).all(1) & (test.y == label)).any() for image, label in zip(x, y, strict=True))


def test_no_image_trains_and_tests() -> None:
    train, test = digits_data()
    assert len(train.y) + len(test.y) == 1797
    pairs = (test.x[:, None] == train.x).all(-1)
    assert int(pairs.sum()) == 0


def test_one_permutation_for_all() -> None:
    plain, once, again = (
        draw(30, torch.Generator().manual_seed(0)).x
        for draw in (digits().test, digits(permuted=True).test, digits(permuted=True).train)
    )
    assert not torch.equal(plain, once)
    assert torch.equal(plain.sort(1).values, once.sort(1).values)
    blank = digits_data().train.x.max(0).values == 0  # pixels that no image has
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    assert blank.any()
    assert not again[:, blank[order]].any()


def test_who_says_the_most_frequent_digit_is_wrong_by_chance() -> None:
    task = digits()
    train, _ = digits_data()
    _, y = task.test(360, torch.Generator().manual_seed(0))
    said = torch.zeros(len(y), 10)
    said[:, train.y.bincount().argmax()] = 1
    assert float(task.error(said, y)) == pytest.approx(task.chance)


def test_files_that_are_something_else_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"data: expected train-images-idx3-ubyte or .*gz in "):
        digits(data=tmp_path)
    as_idx(tmp_path)
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"data: expected 12 bytes in .*t10k-labels.*, got 11"):
        digits(data=tmp_path)
    labels.write_bytes(idx(np.zeros(5, np.uint8)))
    with pytest.raises(ValueError, match=r"data: expected images of one size and a label each"):
        digits(data=tmp_path)
    labels.write_bytes(b"no numbers")
    with pytest.raises(ValueError, match=r"data: expected an IDX file of bytes, got .*t10k-labels"):
        digits(data=tmp_path)
    for text in (b"no arrays", b"PK\x03\x04 torn"):
        (tmp_path / "digits.npz").write_bytes(text)
        with pytest.raises(ValueError, match=r"data: expected an .npz file with the arrays x_train"):
            digits(data=tmp_path / "digits.npz")


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    digits_data.cache_clear()
    with pytest.raises(ModuleNotFoundError, match=r'python -m pip install "gradreach\[experiments\]"'):
        digits()
