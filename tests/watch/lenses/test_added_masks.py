"""Masks that add next to nothing to the scores, as their lens finds them."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import gradreach as gr
from gradreach.record.seen.data import AddedMask

B, T, H, V = 6, 10, 8, 5
IS_WORD = torch.arange(T) < torch.tensor([3, 5, 8, 4, 10, 2])[:, None]
PAST = torch.ones(T, T).tril()


class Model(nn.Module):
    def __init__(self, inner: nn.Module, read: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.inner, self.head, self.read = nn.Linear(H, H), inner, nn.Linear(H, V), read

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.read(self.inner, self.first(x)))
        return out


def seen(inner: nn.Module, read: Callable[[nn.Module, Tensor], Tensor]) -> tuple[AddedMask, ...]:
    torch.manual_seed(0)
    model = Model(inner, read)
    with warnings.catch_warnings(), gr.observe(model, every=1) as watch:
        warnings.simplefilter("ignore")
        out = model(torch.randn(B, T, H))
        F.cross_entropy(out.flatten(0, 1), torch.arange(B * T) % V).backward()
    record = watch.report().record
    assert not [note for note in record.notes if "failed" in note]
    return record.looks[-1].added_masks


def by_module(**masks: Tensor) -> tuple[AddedMask, ...]:
    return seen(nn.MultiheadAttention(H, 2, batch_first=True), lambda m, h: m(h, h, h, **masks)[0])


def by_function(mask: Tensor) -> tuple[AddedMask, ...]:
    def attend(_: nn.Module, h: Tensor) -> Tensor:
        q = h.unflatten(-1, (2, H // 2)).transpose(1, 2)
        return F.scaled_dot_product_attention(q, q, q, attn_mask=mask).transpose(1, 2).flatten(2)

    return seen(nn.Identity(), attend)


def by_layer(mask: Tensor) -> tuple[AddedMask, ...]:
    return seen(nn.TransformerEncoderLayer(H, 2, 16, batch_first=True), lambda m, h: m(h, src_mask=mask))


def test_numbers_for_truth_values_in_a_module_of_torch() -> None:
    future = AddedMask("model.inner", "MultiheadAttention", T, 1.0, 0.0, is_future=True, at_each_place=True)
    assert by_module(attn_mask=PAST) == (future,)
    turned = AddedMask("model.inner", "MultiheadAttention", T, 0.0, 1.0, is_future=True, at_each_place=True)
    assert by_module(attn_mask=1 - PAST) == (turned,)
    assert [each.module for each in by_layer(PAST)] == ["model.inner.self_attn"]
    padding = AddedMask("model.inner", "MultiheadAttention", T, 0.0, 1.0)
    assert by_module(key_padding_mask=(~IS_WORD).float()) == (padding,)


def test_numbers_in_the_function() -> None:
    (found,) = by_function(PAST)
    assert (found.module, found.attended, found.masked, found.is_future) == ("model", 1.0, 0.0, True)
    (found,) = by_function(-1e-9 * (1 - PAST))
    assert (found.attended, found.masked) == (0.0, pytest.approx(-1e-9))
    (found,) = by_function(IS_WORD.float()[:, None, None].expand(B, 1, T, T))
    assert (found.attended, found.masked, found.is_future) == (1.0, 0.0, False)
    (found,) = by_function(IS_WORD.flip(1).float()[:, None, None])
    assert (found.attended, found.masked) == (1.0, 0.0)


SOUND = {
    "boolean": PAST.bool(),
    "minus infinity": torch.zeros(T, T).masked_fill(PAST == 0, -torch.inf),
    "a large number": -1e9 * (1 - PAST),
    "nothing": torch.zeros(T, T),
    "a bias that falls with the distance": -0.1 * (torch.arange(T)[:, None] - torch.arange(T)).abs(),
    "a soft step": -2.0 * (1 - PAST),
    "near and far": ((torch.arange(T)[:, None] - torch.arange(T)).abs() < 2).float(),
    "one and the same padding": IS_WORD[:1].float().expand(T, T),
    "random": (torch.rand(T, T, generator=torch.Generator().manual_seed(0)) < 0.5).float(),
}


@pytest.mark.parametrize("name", SOUND)
def test_masks_that_are_sound_or_something_else(name: str) -> None:
    assert not by_function(SOUND[name])
    if name != "boolean":
        assert not by_module(attn_mask=SOUND[name])


def test_a_bias_that_is_learned_is_no_mask() -> None:
    bias = nn.Parameter(PAST.clone())
    assert not by_function(bias)
    assert not by_module(attn_mask=bias)
