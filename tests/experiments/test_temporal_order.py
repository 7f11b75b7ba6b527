import pytest
import torch
from msgspec.structs import replace

from gradreach.experiments.claim import Claim
from gradreach.experiments.temporal_order import (
    METHODS,
    Job,
    Outcome,
    Result,
    Start,
    claims,
    model,
    radius,
    train_one,
)
from gradreach.tasks.order import order


def outcome(method: str, solved: int | None = 500, seed: int = 0) -> Outcome:
    return Outcome("smart tanh", method, 20, seed, 500, solved, [0.0], 0.5, 1.1, 1.0)


def held(measured: Result) -> dict[str, bool]:
    return {claim.says: claim.holds for claim in claims(measured)}


def named(measured: Result, words: str) -> Claim:
    (found,) = [claim for claim in claims(measured) if words in claim.says]
    return found


ALIKE = Result([outcome(method, seed=seed) for method in METHODS for seed in range(5)])


@pytest.mark.parametrize("start", ["basic tanh", "smart tanh"])
def test_the_starts(start: Start) -> None:
    torch.manual_seed(0)
    rnn = model(order(20), start)
    W = rnn.get_parameter("body.weight_hh_l0").detach()
    biases = [p for name, p in rnn.named_parameters() if "bias" in name]
    assert all(float(bias.detach().abs().max()) == 0 for bias in biases)
    assert torch.equal(rnn.embed(torch.arange(6)), torch.eye(6))
    if start == "smart tanh":
        assert ((W != 0).sum(1) == 15).all()
        assert radius(W) == pytest.approx(0.95, abs=1e-5)
    else:
        assert float(W.std()) == pytest.approx(0.1, abs=4.5 * 0.1 / (2 * W.numel()) ** 0.5)


def test_omega_changes_the_training_and_clipping_bounds_it() -> None:
    done = {m: train_one(Job("smart tanh", m, 12, 0, 20)) for m in ("SGD-C", "SGD-CR")}
    moved = {method: found.moved for method, found in done.items()}
    assert moved["SGD-C"] != moved["SGD-CR"]
    assert all(0 < distance <= 20 * 0.01 for distance in moved.values() if distance is not None)


def test_same_seed_same_numbers() -> None:
    job = Job("basic tanh", "SGD", 12, 3, 10)
    assert train_one(job) == train_one(job)


def test_few_runs_make_no_claim_on_success() -> None:
    few = replace(ALIKE, outcomes=[outcome(method) for method in METHODS])
    assert all(held(few).values())
    assert not [says for says in held(few) if "Chance" in says]


def test_equal_success_is_no_difference() -> None:
    assert not named(ALIKE, "Chance").holds


def test_all_against_none_is_one() -> None:
    better = replace(ALIKE, outcomes=[replace(o, solved=None) if o.method == "SGD" else o for o in ALIKE.outcomes])
    assert named(better, "Chance").holds
    assert named(better, "Chance").measured == pytest.approx(1 / 252)
    assert "SGD 0 of 5 at T 20; SGD-C 5 of 5" in named(better, "Chance").published


def test_false_measurements_fail() -> None:
    far = replace(ALIKE, outcomes=[replace(o, moved=5.1) for o in ALIKE.outcomes])
    assert not named(far, "Farthest").holds
    lost = replace(ALIKE, outcomes=[replace(o, moved=None) for o in ALIKE.outcomes])
    assert not named(lost, "Farthest").holds
    small = replace(ALIKE, outcomes=[replace(o, radius=0.9) for o in ALIKE.outcomes])
    assert not named(small, "radius").holds
    flat = replace(ALIKE, outcomes=[replace(o, steepest=-0.1) for o in ALIKE.outcomes])
    assert not named(flat, "Largest gradient").holds
