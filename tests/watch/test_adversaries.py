"""A loss that does not saturate lets a generator learn again behind a critic that is certain of everything."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.rules.judging import codes
from tests.watch.conftest import Watched


@pytest.mark.slow(6, "trains adversaries four times")
@pytest.mark.parametrize("far", [7.0, 9.0])
def test_the_loss_that_does_not_saturate_mends_it(far: float, watched: Watched) -> None:
    def train(saturating: bool) -> float:
        torch.manual_seed(0)
        generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
        critic = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 1), *([nn.Sigmoid()] if saturating else []))
        of_generator = torch.optim.Adam(generator.parameters(), 1e-3)
        of_critic = torch.optim.Adam(critic.parameters(), 1e-2)
        score = nn.functional.binary_cross_entropy if saturating else nn.functional.binary_cross_entropy_with_logits
        for _ in range(300):
            real, fake = far + 0.2 * torch.randn(32, 2), generator(torch.randn(32, 4))
            ones = torch.ones(32, 1)
            loss = score(critic(real), ones) + score(critic(fake.detach()), 0 * ones)
            of_critic.zero_grad()
            loss.backward()
            of_critic.step()
            judged = critic(fake)
            gain = torch.log(1.0 - judged + 1e-9).mean() if saturating else score(judged, ones)
            of_generator.zero_grad()
            gain.backward()
            of_generator.step()
        return float((fake.detach().mean(0) - far).norm())

    away, faulty = watched(lambda: train(True), every=7)
    near, mended = watched(lambda: train(False), every=7)
    assert "GR308" in codes(faulty)
    assert "GR308" not in codes(mended)
    assert near < 0.5 * away
