import msgspec
import numpy as np
import pytest
import torch

from gradreach.experiments import cliff
from gradreach.experiments.cliff import Descent, Result
from gradreach.experiments.lab import Lab
from gradreach.tasks.scalar import FIRST, GOAL, STEPS


@pytest.fixture(scope="module")
def measured() -> Result:
    return cliff.measure(cliff.Size(grid=120, updates=600), Lab(quiet=True))


@pytest.fixture(scope="module")
def unclipped(measured: Result) -> Descent:
    return measured.unclipped


def test_flung_off_the_wall_without_clipping(unclipped: Descent) -> None:
    assert unclipped.moves.max() >= 100 * np.median(unclipped.moves[: unclipped.moves.argmax()])
    w, b = unclipped.points[-1]
    assert w > cliff.W_RANGE[1] + 10
    assert b > cliff.B_RANGE[1] + 10
    assert unclipped.loss[-1] > unclipped.loss[0]
    assert unclipped.norm[-1] < 1e-6  # where it lands nothing leads back


@pytest.mark.parametrize("threshold", [0.2, 0.5, 1.0])
def test_stays_with_the_wall_when_clipped(unclipped: Descent, threshold: float) -> None:
    run = cliff.descend(threshold, 600)
    assert max(run.norm) > 10 * threshold  # the wall was met
    assert run.moves.max() <= cliff.RATE * threshold * (1 + 1e-6)
    w, b = np.array(run.points).T
    assert ((cliff.W_RANGE[0] < w) & (w < cliff.W_RANGE[1])).all()
    assert ((cliff.B_RANGE[0] < b) & (b < cliff.B_RANGE[1])).all()
    assert max(run.loss[-50:]) < 0.05 * unclipped.loss[-1]


def logistic(h: float) -> float:
    return 1 / (1 + float(np.exp(-h)))


@pytest.mark.parametrize("start", [(5.2, -2.3), (4.4, -2.2), (5.2, -2.7363), (3.0, 0.5)])
def test_the_gradient_is_that_of_the_forward_recursion(start: tuple[float, float]) -> None:
    """∂h_{t+1}/∂w = σ(h_t) + w σ′(h_t) ∂h_t/∂w, and 1 + w σ′(h_t) ∂h_t/∂b for b."""
    h, by_w, by_b, condition = FIRST, 0.0, 0.0, 1.0
    for _ in range(STEPS):
        s = logistic(h)
        slope = start[0] * s * (1 - s)
        h, by_w, by_b = start[0] * s + start[1], s + slope * by_w, 1 + slope * by_b
        condition = max(1.0, slope) * condition
    s = logistic(h)
    above = 2 * (s - GOAL) * s * (1 - s)
    w, b = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in start)
    found = torch.autograd.grad(cliff.loss(w, b), [w, b])
    # rounding of h_t grows by the slopes that are over 1, and each factor of the product is rounded
    assert [float(g) for g in found] == pytest.approx([above * by_w, above * by_b], rel=STEPS * 2**-50 * condition)


def test_claims_fail_on_false_measurements(measured: Result) -> None:
    def failing(**changed: object) -> list[int]:
        claims = cliff.claims(msgspec.structs.replace(measured, **changed))
        return [i for i, claim in enumerate(claims) if not claim.holds]

    assert failing() == []
    assert failing(wall=[(w, b + 0.05) for w, b in measured.wall]) == [0]
    assert failing(unclipped=measured.clipped)[0] == 1
    assert 2 in failing(clipped=measured.unclipped)
    worse = msgspec.structs.replace(measured.clipped, loss=[*measured.clipped.loss[:-1], 1.0])
    assert failing(clipped=worse) == [3]
