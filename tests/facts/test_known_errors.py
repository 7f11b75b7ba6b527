"""Exceptions of torch: it still words them so, and each is explained."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gradreach.facts.known_errors import _MEANS, meaning

RAISED: dict[str, Callable[[], object]] = {
    "embedding": lambda: nn.Embedding(3, 2)(torch.tensor([-1])),
    "half": lambda: torch.zeros(2, dtype=torch.float16).masked_fill(torch.ones(2, dtype=torch.bool), -1e9),
    "label": lambda: F.cross_entropy(torch.zeros(2, 3), torch.tensor([1, 3])),
    "width": lambda: nn.Linear(3, 2)(torch.zeros(4, 5)),
    "step": lambda: nn.GRU(3, 2)(torch.zeros(4, 1, 5)),
    "floats": lambda: F.cross_entropy(torch.zeros(2, 3), torch.zeros(2)),
    "one-hot": lambda: F.cross_entropy(torch.zeros(2, 3), torch.zeros(2, 1, dtype=torch.int64)),
    "rows": lambda: F.cross_entropy(torch.zeros(4, 3), torch.zeros(2, dtype=torch.int64)),
    "single row": lambda: nn.BatchNorm1d(3)(torch.zeros(1, 3)),
    "logits": lambda: F.binary_cross_entropy(torch.tensor([2.0]), torch.tensor([1.0])),
}


@pytest.mark.parametrize("name", RAISED)
def test_what_torch_raises_is_explained(name: str) -> None:
    with pytest.raises((RuntimeError, IndexError, ValueError)) as raised:
        RAISED[name]()
    assert meaning(f"{type(raised.value).__name__}: {raised.value}")


def test_each_has_a_meaning_of_its_own_and_others_none() -> None:
    assert len(set(_MEANS.values())) == len(_MEANS) == len(RAISED) + 1, "two devices cannot be had here"
    assert meaning("RuntimeError: Expected all tensors to be on the same device, but found at least two devices")
    assert meaning("ValueError: the script's own") == ""
