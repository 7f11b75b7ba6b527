import math

import pytest
import torch

from gradreach.tasks import scalar
from gradreach.tasks.scalar import FIRST, STEPS, OneUnit, one_unit


def test_the_unit_is_run_through_its_steps() -> None:
    h = FIRST
    for _ in range(STEPS):
        h = 5.2 / (1 + math.exp(-h)) - 2.3
    model = OneUnit(5.2, -2.3, STEPS, torch.float64)
    at_the_end = 1 / (1 + math.exp(-h))
    x, _ = scalar().train(1, torch.Generator())
    assert float(model(x).detach()) == pytest.approx(at_the_end, rel=1e-12)
    assert float(one_unit(scalar())(x).detach()) == pytest.approx(at_the_end, rel=1e-6)


def test_at_rest_it_is_wrong_by_chance() -> None:
    x, y = scalar().test(3, torch.Generator())
    assert float(scalar().error(OneUnit(0.0, 0.0, STEPS)(x).detach(), y)) == pytest.approx(scalar().chance)
