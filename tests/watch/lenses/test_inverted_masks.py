"""Attentions to padding alone, as their lens finds them."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import gradreach as gr
from gradreach.record.seen.data import InvertedMask

B, T, H = 6, 10, 8
LENGTHS = torch.tensor([3, 5, 8, 4, 10, 2])
IS_WORD = torch.arange(T) < LENGTHS[:, None]
MIXED = IS_WORD & (LENGTHS < T)[:, None]
"""The places with data, of rows that have padding too: a mask of the others would leave nothing."""


class Model(nn.Module):
    """Reads ids by one attention, a function of its states and a mask."""

    def __init__(self, attend: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.embed, self.head, self.attend = nn.Embedding(10, H), nn.Linear(H, 2), attend

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        states: Tensor = self.head(self.attend(self.embed(words), mask)[:, 0])
        return states


def ids() -> Tensor:
    torch.manual_seed(0)
    return torch.randint(1, 10, (B, T)) * IS_WORD


def seen(model: nn.Module, *given: Tensor) -> tuple[InvertedMask, ...]:
    with warnings.catch_warnings(), gr.observe(model, every=1) as watch:
        warnings.simplefilter("ignore")
        model(*given).square().mean().backward()
    record = watch.report().record
    assert not [note for note in record.notes if "failed" in note]
    return record.looks[-1].inverted_masks


class ByModule(nn.Module):
    """A model whose attention is a module of torch's."""

    def __init__(self, attention: nn.Module, **more: bool) -> None:
        super().__init__()
        self.embed, self.head, self.attention, self.more = nn.Embedding(10, H), nn.Linear(H, 2), attention, more

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        h = self.embed(words)
        if isinstance(self.attention, nn.MultiheadAttention):
            h = self.attention(h, h, h, key_padding_mask=mask, **self.more)[0]
        else:
            h = self.attention(h, src_key_padding_mask=mask)
        out: Tensor = self.head(h)
        return out


MODULES = {
    "weights": lambda: ByModule(nn.MultiheadAttention(H, 2, batch_first=True)),
    "no weights": lambda: ByModule(nn.MultiheadAttention(H, 2, batch_first=True), need_weights=False),
    "encoder": lambda: ByModule(nn.TransformerEncoder(nn.TransformerEncoderLayer(H, 2, 16, batch_first=True), 2)),
    "no dropout": lambda: ByModule(nn.TransformerEncoderLayer(H, 2, 16, dropout=0.0, batch_first=True)),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_mask_of_the_data_in_a_module_of_torch(name: str) -> None:
    found = seen(MODULES[name](), ids(), MIXED)
    assert [(each.kind, each.entries, each.steps) for each in found][:1] == [("MultiheadAttention", B, T)]
    assert found[0].padded == pytest.approx(1 - IS_WORD.float().mean().item())
    assert [each.module for each in found] == {
        "encoder": [f"model.attention.layers.{n}.self_attn" for n in (0, 1)],
        "no dropout": ["model.attention.self_attn"],
    }.get(name, ["model.attention"])
    assert not seen(MODULES[name](), ids(), ~IS_WORD)


def test_with_time_first() -> None:
    class TimeFirst(ByModule):
        def forward(self, words: Tensor, mask: Tensor) -> Tensor:
            h = self.embed(words)
            out: Tensor = self.attention(h, h, h, key_padding_mask=mask)[0]
            return out

    assert seen(TimeFirst(nn.MultiheadAttention(H, 2)), ids().t(), MIXED)
    assert not seen(TimeFirst(nn.MultiheadAttention(H, 2)), ids().t(), ~IS_WORD)


def sdpa(h: Tensor, mask: Tensor) -> Tensor:
    q = h.unflatten(-1, (2, H // 2)).transpose(1, 2)
    return F.scaled_dot_product_attention(q, q, q, attn_mask=mask).transpose(1, 2).flatten(2)


def by_hand(h: Tensor, mask: Tensor) -> Tensor:
    return (h @ h.transpose(1, 2)).masked_fill(mask[:, None], -1e9).softmax(-1) @ h


def by_sum(h: Tensor, mask: Tensor) -> Tensor:
    return (h @ h.transpose(1, 2) - 1e9 * mask[:, None].float()).softmax(-1) @ h


CAUSAL = torch.ones(T, T).tril().bool()


@pytest.mark.parametrize(
    ("attend", "wrong", "right"),
    [
        (sdpa, ~MIXED[:, None, None], IS_WORD[:, None, None]),
        (sdpa, -1e9 * MIXED[:, None, None], -1e9 * ~IS_WORD[:, None, None]),
        (sdpa, ~MIXED[:, None, None] & CAUSAL, IS_WORD[:, None, None] & CAUSAL),
        (by_hand, MIXED, ~IS_WORD),
        (by_sum, MIXED, ~IS_WORD),
    ],
    ids=["True attends", "bias", "causal too", "by hand", "by a sum"],
)
def test_masks_in_every_spelling(attend: Callable[[Tensor, Tensor], Tensor], wrong: Tensor, right: Tensor) -> None:
    assert seen(Model(attend), ids(), wrong)
    assert not seen(Model(attend), ids(), right)


def test_padding_at_the_start_and_data_of_several_features() -> None:
    class OfSensors(Model):
        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            out: Tensor = self.attend(self.head(x), mask)
            return out

    def model() -> OfSensors:
        made = OfSensors(by_hand)
        made.head = nn.Linear(3, H)
        return made

    x = torch.randn(B, T, 3) * IS_WORD.flip(1)[..., None]
    assert seen(model(), x, MIXED.flip(1))
    assert not seen(model(), x, ~IS_WORD.flip(1))


@pytest.mark.parametrize(
    ("words", "mask"),
    [
        (ids(), torch.zeros(B, T, dtype=torch.bool)),
        (ids(), torch.rand(B, T, generator=torch.Generator().manual_seed(1)) < 0.5),
        (torch.randint(1, 10, (B, T)), MIXED),
        (ids(), IS_WORD & (torch.arange(T) < 2)),
        (ids(), torch.ones(B, T, dtype=torch.bool)),
        (torch.randint(1, 10, (B, T)) * (torch.arange(T) % 3 > 0), (torch.arange(T) % 3 > 0).expand(B, T)),
    ],
    ids=["nothing", "random", "no padding", "some of the data", "everything", "blanks in the middle"],
)
def test_other_masks(words: Tensor, mask: Tensor) -> None:
    assert not seen(Model(by_hand), words, mask)


def test_a_mask_among_the_data_and_other_data_at_the_padding() -> None:
    class Two(Model):
        def forward(self, words: Tensor, mask: Tensor, more: Tensor | None = None) -> Tensor:
            other = 0 if more is None else self.embed(more)
            out: Tensor = self.head(self.attend(self.embed(words) + other, mask.bool()))
            return out

    assert seen(Two(by_hand), ids(), MIXED.long())
    assert not seen(Two(by_hand), ids(), (~IS_WORD).long())
    assert not seen(Two(by_hand), torch.randint(1, 10, (B, T)), MIXED.long())
    answers = torch.randint(1, 10, (B, T)) * ~IS_WORD
    assert not seen(Two(by_hand), ids(), MIXED, answers)
    assert not seen(Two(by_hand), ids(), MIXED, torch.randint(1, 10, (B, T)))


def test_blanks_that_see_one_another_beside_an_attention_to_the_data_may_be_meant() -> None:
    def both(h: Tensor, mask: Tensor) -> Tensor:
        return by_hand(by_hand(h, mask), ~IS_WORD)

    def across(h: Tensor, mask: Tensor) -> Tensor:
        return (
            sdpa(h, IS_WORD[:, None, None]) + (h[:, :3] @ h.mT).masked_fill(mask[:, None], -1e9).softmax(-1).sum() * h
        )

    assert [each.may_be_meant for each in seen(Model(by_hand), ids(), MIXED)] == [False]
    assert [each.may_be_meant for each in seen(Model(both), ids(), MIXED)] == [True]
    assert [each.may_be_meant for each in seen(Model(across), ids(), MIXED)] == [False]
