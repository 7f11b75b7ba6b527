"""What the lens on outputs measures of the root modules."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import gradreach as gr
from gradreach.record.seen.loss import OutputLook


def outputs(model: nn.Module, rows: int) -> tuple[OutputLook, ...]:
    torch.manual_seed(0)
    with gr.observe(model, every=1) as watch:
        model(torch.randn(rows, 5)).square().mean().backward()
    return watch.report().record.looks[-1].outputs


def test_the_deviation_is_that_between_rows() -> None:
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
    (seen,) = outputs(model, 32)
    torch.manual_seed(0)
    out = model(torch.randn(32, 5)).detach()
    assert (seen.module, seen.rows) == ("model", 32)
    assert seen.rms == pytest.approx(out.square().mean().sqrt().item(), rel=1e-6)
    assert seen.deviation == pytest.approx(out.var(dim=0).mean().sqrt().item(), rel=1e-6)


def test_few_rows_say_nothing() -> None:
    assert outputs(nn.Linear(5, 3), 4) == ()


def test_a_model_that_gives_the_same_for_all_rows_has_no_deviation() -> None:
    model = nn.Linear(5, 3)
    nn.init.zeros_(model.weight)
    (seen,) = outputs(model, 32)
    assert seen.deviation == 0.0
    assert seen.rms > 0.0
