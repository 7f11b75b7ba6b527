"""CTC losses, as their lens reads them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import gradreach as gr
from gradreach.record.seen.loss import Alignment

N, T, C = 3, 12, 5
LENGTHS = torch.tensor([4, 2, 3])
TARGETS = torch.tensor([[1, 2, 1, 4], [2, 2, 0, 0], [1, 4, 4, 0]])
IN_ONE = torch.tensor([1, 2, 1, 4, 2, 2, 1, 4, 4])

Loss = Callable[..., Tensor]


def seen(
    targets: Tensor = TARGETS,
    lengths: Any = (4, 2, 3),
    end: Callable[[Tensor], Tensor] = lambda x: x.log_softmax(-1),
    frames: Any = (T,) * N,
    blank: int = 0,
) -> Alignment:
    torch.manual_seed(0)
    model = nn.Linear(8, C)
    with warnings.catch_warnings(), gr.observe(model, every=1) as watch:
        warnings.simplefilter("ignore")
        given = end(model(torch.randn(T, N, 8)))
        F.ctc_loss(given, targets, frames, lengths, blank=blank, zero_infinity=True).backward()
    record = watch.report().record
    assert not [note for note in record.notes if "failed" in note]
    (found,) = record.looks[-1].alignments
    return found


@pytest.mark.parametrize("lengths", [LENGTHS, LENGTHS.int(), (4, 2, 3)], ids=["long", "int", "tuple"])
@pytest.mark.parametrize("targets", [TARGETS, IN_ONE, TARGETS.int()], ids=["rows", "in one", "int"])
def test_targets_beyond_their_lengths_do_not_count(targets: Tensor, lengths: Any) -> None:
    frames = torch.full((N,), T) if isinstance(lengths, Tensor) else (T,) * N
    found = seen(targets, lengths, frames=frames)
    assert (found.blank, found.counts, found.blanks) == (0, (0, 3, 3, 0, 3), 0)
    assert found.last == "log-softmax"
    assert found.off == pytest.approx(0.0, abs=1e-5)


def test_a_blank_among_them() -> None:
    found = seen(blank=2)
    assert (found.blank, found.blanks, found.at_end, found.between) == (2, 3, 2, 0)


def test_padding_that_is_counted() -> None:
    found = seen(lengths=(4, 4, 4))
    assert (found.blanks, found.at_end, found.between) == (3, 3, 0)


def test_blanks_in_between() -> None:
    between = torch.zeros(N, 9, dtype=torch.long)
    between[:, 1::2] = TARGETS
    found = seen(between, tuple(int(2 * n + 1) for n in LENGTHS))
    assert (found.blanks, found.between) == (12, 12)


def test_one_sequence() -> None:
    model = nn.Linear(8, C)
    with warnings.catch_warnings(), gr.observe(model, every=1) as watch:
        warnings.simplefilter("ignore")
        given = model(torch.randn(T, 8)).log_softmax(-1)
        F.ctc_loss(given, torch.tensor([1, 3, 0]), torch.tensor(T), torch.tensor(3)).backward()
    (found,) = watch.report().record.looks[-1].alignments
    assert found.counts == (1, 1, 0, 1, 0)


def test_what_are_no_log_probabilities() -> None:
    logits = seen(end=lambda x: x)
    assert (logits.last, logits.are_shares) == ("matrix product", False)
    assert logits.off > 1.0
    shares = seen(end=lambda x: x.softmax(-1))
    assert (shares.last, shares.are_shares) == ("softmax", True)
    assert seen(end=lambda x: (x.softmax(-1) + 1e-9).log()).off < 1e-5
    assert seen(end=lambda x: x.log_softmax(-1) - torch.tensor([0.5, 0, 0, 0, 0])).last == "subtraction"


def test_frames_beyond_their_lengths_do_not_count() -> None:
    def end(x: Tensor) -> Tensor:
        return torch.cat([x[:8].log_softmax(-1), x[8:]])

    assert seen(end=end, frames=(8,) * N).off < 1e-5
    assert seen(end=end).off > 0.1


def test_no_ctc_loss() -> None:
    model = nn.Linear(8, C)
    with warnings.catch_warnings(), gr.observe(model, every=1) as watch:
        warnings.simplefilter("ignore")
        F.cross_entropy(model(torch.randn(T, 8)), torch.ones(T, dtype=torch.long)).backward()
    assert not watch.report().record.looks[-1].alignments
