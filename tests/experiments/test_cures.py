import pytest
import torch
from msgspec.structs import replace

from gradreach.experiments.cures import (
    CARRYING,
    CURES,
    NAMES,
    RATES,
    TASKS,
    Job,
    Outcome,
    ReachCurve,
    Result,
    claims,
    reach_before,
    recall,
    train_one,
    unorthogonal,
)

LAGS = (20, 400)


def outcome(task: str, cure: str, lag: int, seed: int) -> Outcome:
    solved = 300 if cure in CARRYING else None
    return Outcome(task, cure, lag, RATES[0], seed, 300, solved, 0.1, 2.0, 1e-7 if cure == "orthogonal" else None)


def reached(layer: str) -> ReachCurve:
    return ReachCurve(layer, 0, [0, 10, 20], [0.0, -1.0, -2.0], [0.0, -1.5, -3.0], [0.0, -0.5, -1.0])


GOOD = Result(
    [outcome(task, cure, lag, seed) for task in TASKS for cure in CURES for lag in LAGS for seed in range(2)],
    [reached(layer) for layer in NAMES],
)


def test_the_symbol_is_kept_for_the_lag() -> None:
    x, y = recall(30).train(16, torch.Generator().manual_seed(0))
    assert x.shape == (16, 31)
    assert torch.equal(x[:, 0], y)
    assert (x[:, 29] == 9).all()


@pytest.mark.parametrize("layer", ["rnn", "orthogonal", "irnn"])
def test_the_bounds_bound(layer: str) -> None:
    found = reach_before((layer, 60, 5))
    assert found.most is not None
    for i in range(1, len(found.lags)):
        assert found.reach[i] <= found.most[i] + 1e-4
        assert found.least is None or found.reach[i] >= found.least[i] - 1e-4


def test_the_plain_gradient_is_gone_where_the_identity_still_carries_it() -> None:
    plain, identity = (reach_before((layer, 60, 0)).reach[-1] for layer in ("rnn", "irnn"))
    assert plain < -8
    assert identity > -1


def test_same_seed_same_training() -> None:
    job = Job("copying", "clipping + Ω", 10, RATES[1], 1, 5)
    one, two = (replace(train_one(job), milliseconds=0.0) for _ in range(2))
    assert one == two


def test_a_stretched_matrix_is_not_orthogonal() -> None:
    layer = torch.nn.RNN(2, 4)
    with torch.no_grad():
        layer.weight_hh_l0.copy_(1.1 * torch.eye(4))
    assert unorthogonal(layer) == pytest.approx(0.21, abs=1e-6)


def test_true_measurements_hold() -> None:
    assert len(claims(GOOD)) == 7
    assert not [claim for claim in claims(GOOD) if not claim.holds]


@pytest.mark.parametrize(
    ("words", "false"),
    [
        ("ReLU + identity before", {"reached": [replace(each, reach=[0.0, -2.0, -2.0]) for each in GOOD.reached]}),
        ("tanh RNN before", {"reached": [replace(each, reach=[0.0, -0.4, -2.0]) for each in GOOD.reached]}),
        ("‖WᵀW − 1‖₂", {"outcomes": [replace(o, off=1e-3) for o in GOOD.outcomes]}),
        ("Chance", {"outcomes": [replace(o, solved=300) for o in GOOD.outcomes]}),
        ("Runs of tanh RNN", {"outcomes": [replace(o, solved=300) for o in GOOD.outcomes]}),
        ("Cures of which", {"outcomes": [replace(o, solved=None) for o in GOOD.outcomes]}),
    ],
)
def test_false_measurements_fail(words: str, false: dict[str, object]) -> None:
    (found,) = [claim for claim in claims(replace(GOOD, **false)) if words in claim.says]
    assert not found.holds


def test_one_seed_makes_no_claim_on_success() -> None:
    assert len(claims(replace(GOOD, outcomes=[o for o in GOOD.outcomes if o.seed == 0]))) == 4
