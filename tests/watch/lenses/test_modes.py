"""In which mode models run, and what their batch norms have kept."""

from __future__ import annotations

import torch
from torch import nn

from gradreach.record.seen.loop import Mode
from tests.watch.conftest import Watched


def seen(watched: Watched, net: nn.Module) -> dict[bool, Mode]:
    """What one look saw of the batch norms (True) and of the dropouts (False)."""
    torch.manual_seed(0)
    _, record = watched(lambda: net(torch.randn(16, 4)).square().mean().backward())
    assert not record.notes
    modes = record.looks[0].modes
    assert len({mode.norms for mode in modes}) == len(modes)
    return {mode.norms: mode for mode in modes}


def net(**more: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8, **more), nn.Dropout(0.5), nn.BatchNorm1d(8, **more))


def test_a_model_in_training_mode(watched: Watched) -> None:
    found = seen(watched, net())
    assert (found[True].training, found[True].evaluates, found[True].blank) == (True, False, False)
    assert (found[True].momentum, found[True].modules, found[False].modules) == (0.1, 2, 1)


def test_a_model_in_evaluation_mode(watched: Watched) -> None:
    found = seen(watched, net().eval())
    assert (found[True].training, found[True].evaluates, found[True].blank) == (False, True, True)
    assert (found[False].training, found[False].evaluates) == (False, True)


def test_batch_norms_by_themselves(watched: Watched) -> None:
    part = net()
    for norm in (part[1], part[3]):
        norm.eval()
    found = seen(watched, part)
    assert (found[True].training, found[True].evaluates, found[False].training) == (False, False, True)


def test_momentum_of_0_keeps_the_start(watched: Watched) -> None:
    found = seen(watched, net(momentum=0.0))
    assert (found[True].momentum, found[True].blank) == (0.0, True)


def test_what_is_the_same_in_both_modes_is_left_out(watched: Watched) -> None:
    without = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8, track_running_stats=False), nn.Dropout(0.0))
    assert seen(watched, without) == {}
