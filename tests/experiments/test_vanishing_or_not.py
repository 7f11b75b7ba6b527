import copy
import math

import pytest
import torch

from gradreach.experiments.vanishing_or_not import (
    ASKED,
    NOISE,
    Arm,
    Job,
    Result,
    Size,
    Training,
    claims,
    norms_by_lag,
    task,
    tiny,
    train_one,
)
from gradreach.tasks.models import recurrent

LAG = 6


def test_both_tasks_have_the_same_inputs_and_their_own_targets() -> None:
    far, near = (task(arm, LAG).train(2000, torch.Generator().manual_seed(0)) for arm in ("far", "near"))
    assert torch.equal(far.x, near.x)
    values = far.x[..., 0]
    for t in range(ASKED):
        noise = far.y[:, t, 0] - values[:, 0]
        assert float(noise.std()) == pytest.approx(NOISE, rel=5 / math.sqrt(2 * 2000))
        close = near.y[:, t, 0] - (values[:, LAG + t] + values[:, LAG + t - 1]) / 2
        assert torch.allclose(close, noise, atol=1e-6)
    assert bool((far.x[..., 1].sum(1) == 1).all())


@pytest.mark.parametrize("layer", ["rnn", "lstm"])
def test_the_row_is_autograds(layer: str) -> None:
    torch.manual_seed(0)
    asked = task("far", LAG)
    model = copy.deepcopy(recurrent(asked, layer, 4)).double()
    x, y = (each.double() for each in asked.train(3, torch.Generator().manual_seed(0)))
    found = norms_by_lag(model, x, y)
    states, state = [], None
    for t in range(LAG + 1):
        _, state = model.carry(x[:, t : t + 1], state)
        states.append(state if isinstance(state, tuple) else (state,))
    loss = (model.head(states[-1][0][0]) - y[:, 0]).square().sum()
    for lag in range(LAG + 1):
        parts = torch.autograd.grad(
            loss, states[-1 - lag], retain_graph=True, allow_unused=True, materialize_grads=True
        )
        norm = torch.cat(parts, -1)[0].norm(dim=-1).mean()
        assert found[lag] == pytest.approx(math.log10(float(norm)), abs=1e-9)


def test_the_same_seed_gives_the_same_numbers() -> None:
    size, job = Size(lag=8, hidden=4, steps=9, seeds=1, lstm_seeds=1), Job("far", 3)
    assert train_one(size, job) == train_one(size, job)


def made(far: str = "GR402", near: str = "GR401", reach: float = -12.0, learned: float = 0.05) -> Result:
    def runs(arm: Arm, codes: str, norm: float, error: float) -> list[Training]:
        return [Training(arm, seed, [0.0] * LAG + [norm], [codes] if codes else [], error) for seed in range(5)]

    return Result(
        LAG, [*runs("far", far, reach, 1.0), *runs("near", near, -12.0, 0.1), *runs("learned", "", 0.0, learned)]
    )


def failing(measured: Result) -> list[str]:
    return [claim.says for claim in claims(measured) if not claim.holds]


def test_claims_hold_and_fail() -> None:
    assert failing(made()) == []
    assert len(failing(made(far="GR401"))) == 2
    assert len(failing(made(near="GR402"))) == 2
    assert len(failing(made(near=""))) == 1
    assert len(failing(made(learned=1.2))) == 1
    assert any("largest of 10 runs" in says for says in failing(made(reach=-3.0)))


def test_the_naive_rule_counts_what_lies_under_its_threshold() -> None:
    assert tiny(made(), "near") == (5, 5)
    assert tiny(made(reach=-6.9), "far") == (0, 5)
