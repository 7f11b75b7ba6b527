"""Masks that shut nothing out, as their lens finds them."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import gradreach as gr
from gradreach.record.seen.data import IdleMask

B, T, H, V = 6, 10, 8, 5
LENGTHS = torch.tensor([3, 5, 8, 4, 10, 2])
PADDED = torch.arange(T) >= LENGTHS[:, None]
LATER = torch.ones(T, T).triu(1).bool()

Attend = Callable[[Tensor], Tensor]


class Model(nn.Module):
    """Reads numbers (B, T, H) by one attention, and tells something at each place."""

    def __init__(self, attend: Attend) -> None:
        super().__init__()
        self.first, self.head, self.attend = nn.Linear(H, H), nn.Linear(H, V), attend

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.attend(self.first(x)))
        return out


def each_place(out: Tensor) -> Tensor:
    return F.cross_entropy(out.flatten(0, -2), torch.arange(out.shape[:-1].numel()) % V)


def seen(attend: Attend, loss: Callable[[Tensor], Tensor] = each_place) -> tuple[IdleMask, ...]:
    torch.manual_seed(0)
    model = Model(attend)
    with warnings.catch_warnings(), gr.observe(model, every=1) as watch:
        warnings.simplefilter("ignore")
        loss(model(torch.randn(B, T, H))).backward()
    record = watch.report().record
    assert not [note for note in record.notes if "failed" in note]
    return record.looks[-1].idle_masks


def by(fill: Callable[[Tensor], Tensor], after: Attend = lambda w: w) -> Attend:
    """Attention of one head whose scores go through a fill, and its weights through something after."""
    return lambda h: after(fill(h @ h.mT / H**0.5).softmax(-1)) @ h


def heads(fill: Callable[[Tensor], Tensor]) -> Attend:
    def attend(h: Tensor) -> Tensor:
        q = h.unflatten(-1, (2, H // 2)).transpose(1, 2)
        return (fill(q @ q.mT).softmax(-1) @ q).transpose(1, 2).flatten(2)

    return attend


def pooled(value: float) -> Attend:
    return lambda h: (h.mean(-1).masked_fill(PADDED, value).softmax(1)[..., None] * h).sum(1)


FUTURES = {
    "minus forgotten": by(lambda s: s.masked_fill(LATER, 1e-9)),
    "tensor": by(lambda s: s.masked_fill(LATER, torch.tensor(-1e-12))),
    "in place": by(lambda s: s.masked_fill_(LATER, 0.0)),
    "where": by(lambda s: torch.where(~LATER, s, torch.zeros(()))),
    "where turned": by(lambda s: torch.where(LATER, torch.zeros(()), s)),
    "scaled after": by(lambda s: s.masked_fill(LATER, -1e-9) / 3),
    "less the largest": by(lambda s: (f := s.masked_fill(LATER, -1e-9)) - f.amax(-1, keepdim=True).detach()),
    "heads": heads(lambda s: s.masked_fill(LATER, -1e-9)),
    "heads in the batch": heads(lambda s: s.flatten(0, 1).masked_fill(LATER, -1e-9).view(B, 2, T, T)),
    "one head of scores": by(lambda s: s.masked_fill(LATER | PADDED[:, None], -1e-9)),
    "one sequence": lambda h: (h[0] @ h[0].mT).masked_fill(LATER, 0.0).softmax(-1) @ h[0],
}


@pytest.mark.parametrize("name", FUTURES)
def test_masks_of_the_future(name: str) -> None:
    (found,) = seen(FUTURES[name])
    assert (found.module, found.kind, found.queries, found.keys) == ("model", "Model", T, T)
    assert found.is_future
    assert found.at_each_place
    assert 0.3 < found.ratio < 3
    assert 0.3 < found.share < 0.8
    assert found.above > 0.5


PADDING = {
    "keys": by(lambda s: s.masked_fill(PADDED[:, None], -1e-9)),
    "heads": heads(lambda s: s.masked_fill(PADDED[:, None, None], 0.0)),
    "pooled": pooled(0.0),
    "pooled along steps": lambda h: (h[..., :1].masked_fill(PADDED[..., None], 1e-9).softmax(1) * h).sum(
        1, keepdim=True
    ),
    "features": lambda h: (h.masked_fill(PADDED[..., None], 0.0).softmax(1) * h).sum(1),
    "at the start": by(lambda s: s.masked_fill(PADDED.flip(1)[:, None], -1e-9)),
    "before a mask of the future that works": by(
        lambda s: s.masked_fill(PADDED[:, None], -1e-9).masked_fill(LATER, -1e9)
    ),
}


@pytest.mark.parametrize("name", PADDING)
def test_masks_of_padding(name: str) -> None:
    (found,) = seen(PADDING[name])
    assert not found.is_future
    assert found.ratio > 0.3
    assert found.keys == T


def thresholded(s: Tensor) -> Tensor:
    return s.masked_fill(s.detach() < 0, 0.0)


def best(s: Tensor) -> Tensor:
    return s.masked_fill(s < s.topk(3).values[..., -1:], -torch.inf)


def renormalised(w: Tensor) -> Tensor:
    w = w * ~PADDED[:, None]
    return w / w.sum(-1, keepdim=True)


SILENT = {
    "minus infinity": by(lambda s: s.masked_fill(LATER, -torch.inf)),
    "minus ten thousand": by(lambda s: s.masked_fill(LATER | PADDED[:, None], -1e4)),
    "the lowest number": by(lambda s: s.masked_fill(PADDED[:, None], torch.finfo(s.dtype).min)),
    "dropout on scores": by(lambda s: F.dropout(s.masked_fill(LATER, -1e9), 0.1)),
    "a bias that falls with the distance": by(
        lambda s: s.masked_fill(LATER, -1e9) - 0.2 * (torch.arange(T)[:, None] - torch.arange(T)).abs()
    ),
    "masked once more": by(lambda s: s.masked_fill(PADDED[:, None], 0.0), renormalised),
    "filled once more": by(lambda s: s.masked_fill(PADDED[:, None], 0.0), lambda w: w.masked_fill(PADDED[:, None], 0)),
    "masked by a later fill": by(lambda s: s.masked_fill(LATER, 0.0).masked_fill(LATER, -1e9)),
    "nothing masked": by(lambda s: s.masked_fill(torch.zeros(T, T, dtype=torch.bool), 0.0)),
    "whole rows": by(lambda s: s.masked_fill(PADDED[..., None], 0.0)),
    "whole rows of features": lambda h: h.masked_fill(PADDED[..., None], 0.0).softmax(-1),
    "a threshold of the scores": by(thresholded),
    "the best few": by(best),
    "its own place": by(lambda s: s.masked_fill(torch.eye(T, dtype=torch.bool), 0.0)),
    "a null place for all": by(lambda s: s.masked_fill(torch.arange(T) == 0, 0.0)),
    "a choice of two": by(lambda s: torch.where(LATER, s / 2, s)),
    "no fill": by(lambda s: s),
    "a bias alone": by(lambda s: s + 0.1 * LATER),
}


@pytest.mark.parametrize("name", SILENT)
def test_others(name: str) -> None:
    assert not seen(SILENT[name])


def test_a_soft_mask_leaves_less_than_any_open_place_has() -> None:
    (found,) = seen(by(lambda s: s.masked_fill(LATER, -4.0)))
    assert found.ratio < 0.1
    assert found.above == 0


def test_rows_that_the_loss_does_not_read_do_not_count() -> None:
    future = by(lambda s: s.masked_fill(LATER, -1e-9))
    assert not seen(future, lambda out: each_place(out[:, -1:]))
    assert seen(lambda h: future(future(h)), lambda out: each_place(out[:, -1:]))


def test_a_loss_of_the_whole_has_no_target_at_each_place() -> None:
    future = by(lambda s: s.masked_fill(LATER, -1e-9))
    (found,) = seen(future, lambda out: each_place(out.mean(1)))
    assert (found.is_future, found.at_each_place) == (True, False)
    (found,) = seen(future, lambda out: F.mse_loss(out, torch.zeros(B, T, V)))
    assert found.at_each_place
    (found,) = seen(future, lambda out: F.cross_entropy(out.mT, torch.ones(B, T, dtype=torch.long)))
    assert found.at_each_place


def test_scores_far_below_the_fill_leave_all_weight_to_masked_places() -> None:
    (found,) = seen(by(lambda s: (s - 3e4).masked_fill(PADDED[:, None], -1e4)))
    assert found.share == pytest.approx(1.0)
