import math

import msgspec
import pytest
import torch

from gradreach.experiments.exploding import claims, network
from gradreach.experiments.exploding.measure import (
    FIRST,
    LAST,
    RATE,
    THRESHOLD,
    Course,
    Ending,
    Job,
    Result,
    Trial,
    middle,
    restart,
    rise,
)

UPDATES = 60


def ending() -> Ending:
    return Ending(update=40, spoilt=9, log10_bound=60.0, growth=50.0, reached=50.0, factor=1.1)


def course(broken: Ending | None = None, spoilt: int = 0) -> Course:
    return Course([0.7, 0.6], [1.0, 2.0], 1.0, spoilt, broken, [41, 42], [42])


def measured() -> Result:
    """As the theory has it."""
    return Result(
        weights=2242,
        size_of_weights=8.0,
        unclipped=[course(ending(), 9)] * 2,
        clipped=[course()] * 2,
        guarded=[course()] * 2,
        changed=0,
        restarted=30,
        trials=[
            Trial(1.0, [0.5, 0.6], [1.0, 1.0]),
            Trial(10.0, [0.1, 0.3], [10.0, 10.0]),
            Trial(100.0, [None, 0.3], [None, 100.0]),
            Trial(1000.0, [None, None], [None, None]),
            Trial(None, [0.15, 0.25], [8.0, 9.0]),
        ],
    )


FALSE: list[tuple[int, dict[str, object]]] = [
    (0, {"unclipped": [course()] * 2}),
    (1, {"unclipped": [course(msgspec.structs.replace(ending(), log10_bound=30.0))] * 2}),
    (2, {"unclipped": [course(msgspec.structs.replace(ending(), growth=50.1))] * 2}),
    (3, {"unclipped": [course(msgspec.structs.replace(ending(), factor=0.9))] * 2}),
    (4, {"unclipped": [course(msgspec.structs.replace(ending(), spoilt=0))] * 2}),
    (5, {"guarded": [msgspec.structs.replace(course(), skipped=[])] * 2}),
    (6, {"clipped": [msgspec.structs.replace(course(), longest=1.1)] * 2}),
    (7, {"guarded": [course(spoilt=1)] * 2}),
    (8, {"changed": 1}),
    (9, {"size_of_weights": 0.01}),
    (10, {"trials": [*measured().trials[:-1], Trial(None, [0.9, 0.9], [8.0, 9.0])]}),
    (10, {"trials": [*measured().trials[:-1], Trial(None, [None, 0.1], [None, 9.0])]}),
]


@pytest.mark.parametrize(("which", "changed"), FALSE)
def test_a_claim_fails_on_false_measurements(which: int, changed: dict[str, object]) -> None:
    assert all(claim.holds for claim in claims(measured()))
    found = claims(msgspec.structs.replace(measured(), **changed))
    assert [i for i, claim in enumerate(found) if not claim.holds] == [which]


def test_the_middle_of_a_rule_that_breaks_is_infinite() -> None:
    assert middle(Trial(1.0, [0.1, 0.4], [1.0, 1.0])) == pytest.approx(0.2)
    assert middle(Trial(1.0, [0.1, None], [1.0, None])) == math.inf


@pytest.mark.parametrize("scale", [1.1, 1.5, 3.0])
def test_no_gradient_passes_its_bound(scale: float) -> None:
    parts = network.built(RATE, 3)
    model = network.exact(parts.model)
    with torch.no_grad():
        model.body.weight_hh_l0.add_(0.2 * torch.randn(network.H, network.H, generator=torch.manual_seed(0)))
        model.body.weight_hh_l0.mul_(scale / torch.linalg.matrix_norm(model.body.weight_hh_l0, 2))
    x, y = next(iter(parts.data))
    parts.loss(model(x), y).backward()
    found = math.log10(float(model.body.weight_hh_l0.grad.norm()))
    assert found <= network.log10_bound(model)
    by_autograd, by_reach, _ = network.growth(model, x, y)
    assert by_autograd == pytest.approx(by_reach, rel=1e-9)


def test_the_rate_rises_from_first_to_last() -> None:
    optimizer = network.built(FIRST, 0).optimizer
    schedule = rise(optimizer, UPDATES)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(UPDATES - 1):
        optimizer.step()
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert (rates[0], rates[-1]) == pytest.approx((FIRST, LAST))


def test_a_restart_that_forgot_something_would_show() -> None:
    assert restart(Job(THRESHOLD, 0, UPDATES))[0] == 0
    one, other = (network.flat(network.built(RATE, seed).model) for seed in (0, 1))
    assert int((one != other).sum()) > 0
