"""Handwritten digits, read pixel by pixel."""

from __future__ import annotations

import gzip
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Generator

from gradreach.tasks.deep import digits_data, drawn
from gradreach.tasks.task import Batch, Draw, Task

PERMUTATION = 0
"""The seed of the permutation."""

NPZ = ("x_train", "y_train", "x_test", "y_test")
IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def digits(permuted: bool = False, data: str | Path | None = None) -> Task:
    """Which digit was it? Its pixels come one by one, row by row.

    Le, Jaitly and Hinton 2015, with scikit-learn's 8 × 8 images, T = 64; `permuted` brings the pixels of every image in
    one random order, the same for all. `data` is the full-size MNIST, T = 784: an .npz file with the arrays x_train,
    y_train, x_test, y_test, or a folder with the four IDX files under their usual names, gzipped or not. Who says the
    digit most frequent in training is wrong on `chance` of the test. Learned at 0.1: a linear classifier that sees all
    64 pixels at once is wrong on 0.03 to 0.05 of the small images.
    Raises ModuleNotFoundError where scikit-learn is needed and missing, OSError or ValueError for files that cannot be
    read or hold something else.
    """
    train, test = digits_data() if data is None else _full(Path(data))
    P = train.x.shape[1]
    if permuted:
        order = torch.randperm(P, generator=torch.Generator().manual_seed(PERMUTATION))
        train, test = (Batch(each.x[:, order], each.y) for each in (train, test))
    kinds = int(torch.cat([train.y, test.y]).max()) + 1
    return Task(
        f"{'permuted ' if permuted else ''}digits, T {P}",
        _in_time(drawn(train)),
        _in_time(drawn(test)),
        outputs=kinds,
        length=P,
        where="last step",
        chance=float((test.y != train.y.bincount().argmax()).double().mean()),
        solved=0.1,
    )


def _in_time(draw: Draw) -> Draw:
    def one_by_one(N: int, g: Generator) -> Batch:
        x, y = draw(N, g)
        return Batch(x.unsqueeze(-1), y)

    return one_by_one


def _full(path: Path) -> tuple[Batch, Batch]:
    x, y, x_test, y_test = _npz(path) if path.is_file() else tuple(_idx(path, name) for name in IDX)
    for images, labels in ((x, y), (x_test, y_test)):
        if images.ndim < 2 or not len(images) or images[0].size != x[0].size or labels.shape != images.shape[:1]:
            raise ValueError(
                f"data: expected images of one size and a label each in {path}, got {images.shape} and {labels.shape}"
            )
    return _of_bytes(x, y), _of_bytes(x_test, y_test)


def _of_bytes(x: np.ndarray, y: np.ndarray) -> Batch:
    pixels = torch.from_numpy(x.reshape(len(x), -1).astype(np.float32) / 255)
    return Batch(pixels, torch.from_numpy(y.astype(np.int64)))


def _npz(path: Path) -> tuple[np.ndarray, ...]:
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return tuple(arrays[name] for name in NPZ)
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile) as broken:
        raise ValueError(f"data: expected an .npz file with the arrays {', '.join(NPZ)}, got {path}") from broken


def _idx(folder: Path, name: str) -> np.ndarray:
    """One file of LeCun's format: two zero bytes, 8 for bytes, the number of sizes, the sizes (big-endian), the rest.

    Raises FileNotFoundError where it is not there.
    """
    spelt = [folder / (each + end) for each in (name, name.replace("-idx", ".idx")) for end in ("", ".gz")]
    path = next((each for each in spelt if each.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"data: expected {name} or {name}.gz in {folder}")
    held = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if held[:3] != b"\0\0\x08" or len(held) < 4 + 4 * held[3]:
        raise ValueError(f"data: expected an IDX file of bytes, got {path}")
    shape = np.frombuffer(held, ">u4", held[3], 4)
    pixels = np.frombuffer(held, np.uint8, offset=4 + 4 * held[3])
    if pixels.size != shape.prod():
        raise ValueError(f"data: expected {' × '.join(map(str, shape))} bytes in {path}, got {pixels.size}")
    return pixels.reshape(shape)
