"""The whole test: it finds what was planted, keeps silent where there is nothing, and says what it was given wrong."""

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.schema import Dependency
from gradreach.score.dependency import dependency


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def autoregressive(N: int, T: int, rho: float, generator: torch.Generator) -> Tensor:
    x = torch.randn(N, T, 1, generator=generator)
    for t in range(1, T):
        x[:, t] = rho * x[:, t - 1] + (1 - rho**2) ** 0.5 * x[:, t]
    return x


def planted(x: Tensor, lag: int, generator: torch.Generator) -> Tensor:
    """An error of unit noise that also follows the input now, and the one `lag` steps back."""
    errors = torch.randn(x.shape, generator=generator) + x
    errors[:, lag:] += x[:, :-lag]
    return errors


def speaking(found: Dependency) -> list[tuple[int, int]]:
    return [(lag.lag, lag.until) for lag in found.lags if lag.q <= 0.05]


@pytest.mark.parametrize("rho", [0.0, 0.95])
def test_a_planted_lag_is_found_and_nothing_beyond_it(rho: float) -> None:
    x = autoregressive(64, 100, rho, draw(0))
    found = dependency(planted(x, 40, draw(1)), x)
    assert (40, 60) in speaking(found)
    assert all(lag <= 40 for lag, _ in speaking(found))
    if rho == 0.0:
        assert speaking(found) == [(40, 60)]
        band = next(lag for lag in found.lags if lag.lag == 40)
        assert band.at == 40
        assert band.z > 10
        assert 0.1 < band.share < 0.5  # an eighth of the band at best holds it: 1/2 of what is left once x_t is held


def test_a_last_step_loss_needs_more_sequences_and_gets_there() -> None:
    x = autoregressive(400, 60, 0.5, draw(2))
    errors = planted(x, 30, draw(3))
    errors[:, :-1] = 0.0
    found = dependency(errors, x)
    assert found.positions == 400
    assert max(found.lags, key=lambda lag: lag.z).lag == 26  # the band 26 … 39 holds lag 30


def test_a_marker_times_a_value_anywhere_in_a_band_is_found() -> None:
    value, marker = torch.rand(300, 80, generator=draw(4)), torch.zeros(300, 80)
    marker[torch.arange(300), torch.randint(10, 30, (300,), generator=draw(5))] = 1.0
    errors = torch.zeros(300, 80, 1)
    errors[:, -1, 0] = (value * marker).sum(1) - 0.5 + 0.1 * torch.randn(300, generator=draw(6))
    x = torch.stack([value, marker], -1)
    assert {(61, 79), (40, 60)} & set(speaking(dependency(errors, x)))


@pytest.mark.slow(3, "counts false alarms over many tests")
@pytest.mark.parametrize("kind", ["tokens", "sticky tokens", "0.0", "0.99"])
@pytest.mark.parametrize("last", [False, True])
def test_the_level_holds_on_an_untrained_model(kind: str, last: bool) -> None:
    """40 runs of noise labels: more than 7 with any q ≤ 0.05 come with probability 0.003 if 5 % are to be expected."""
    torch.manual_seed(7)
    net, readout = nn.RNN(10 if "tokens" in kind else 1, 16, batch_first=True), nn.Linear(16, 3)
    wrong = 0
    for run in range(40):
        g = draw(run)
        if "tokens" in kind:
            x = torch.randint(0, 10, (40, 32), generator=g)
            if kind == "sticky tokens":
                stays = torch.rand(40, 32, generator=g) < 0.8
                for t in range(1, 32):
                    x[:, t] = torch.where(stays[:, t], x[:, t - 1], x[:, t])
            fed = nn.functional.one_hot(x, 10).float()
        else:
            x = fed = autoregressive(40, 32, float(kind), g)
        states, _ = net(fed)
        states.retain_grad()
        answers, labels = readout(states), torch.randint(0, 3, (40, 32), generator=g)
        if last:
            answers, labels = answers[:, -1], labels[:, -1]
        nn.functional.cross_entropy(answers.reshape(-1, 3), labels.reshape(-1)).backward()
        assert states.grad is not None
        found = dependency(states.grad, x, states, flips=200, seed=run)
        assert found.lags
        wrong += bool(speaking(found))
    assert wrong <= 7


def test_the_same_sequences_at_every_look_need_their_identities() -> None:
    """Twenty looks at one batch whose noise is the same each time say no more than one look."""
    x = torch.randn(24, 30, 1, generator=draw(8))
    noise = torch.randn(24, 30, 1, generator=draw(9))
    looks = [noise + 0.01 * torch.randn(24, 30, 1, generator=draw(10 + i)) for i in range(20)]
    same = [torch.arange(24)] * 20
    assert dependency(looks, [x] * 20, groups=same).sequences == 24
    wrong = {True: 0, False: 0}
    for run in range(12):
        noise = torch.randn(24, 30, 1, generator=draw(100 + run))
        for known in wrong:
            found = dependency([noise] * 10, [x] * 10, groups=[torch.arange(24)] * 10 if known else None, flips=200)
            wrong[known] += bool(speaking(found))
    assert wrong[True] <= 3
    assert wrong[False] >= 9


@pytest.mark.parametrize("lag", [26, 40])
def test_the_first_lag_of_a_band_is_not_laid_to_the_band_before(lag: int) -> None:
    ids = torch.randint(2, (96, 80), generator=draw(lag))
    errors = torch.zeros(96, 80, 1)
    errors[:, lag:, 0] = ids[:, :-lag] - 0.5
    assert [begin for begin, _ in speaking(dependency(errors, ids))] == [lag]


def test_one_stream_is_cut_in_blocks() -> None:
    x = autoregressive(1, 4000, 0.9, draw(11))
    found = dependency(planted(x, 20, draw(12)), x)
    assert found.block == 62
    assert found.sequences == 65
    assert found.lags[-1].until == 62
    assert max(found.lags, key=lambda lag: lag.z).lag in (11, 17)
    silent = dependency(torch.randn(1, 4000, 1, generator=draw(13)), x)
    assert speaking(silent) == []


def test_batches_of_different_length_stand_together() -> None:
    batches = [autoregressive(20, T, 0.0, draw(T)) for T in (30, 50, 45)]
    found = dependency([planted(x, 20, draw(1)) for x in batches], batches)
    assert found.T == 50
    assert found.sequences == 60
    assert speaking(found) == [(17, 25)]


def test_too_little_says_so_and_nothing_else() -> None:
    few = dependency(torch.randn(2, 4, 1), torch.randn(2, 4, 1))
    assert few.lags == ()
    assert "too few" in few.why_not
    none = dependency(torch.zeros(20, 4, 1), torch.randn(20, 4, 1))
    assert none.why_not == "no position carries an error"


def test_what_would_have_been_found_is_found() -> None:
    """Of 60 dependencies of the detectable share 95 % should speak; under 50 come with odds of 1 in 500."""
    shape = (64, 40, 1)
    limits = [
        dependency(torch.randn(shape, generator=draw(i)), torch.randn(shape, generator=draw(50 + i)), lags=[12])
        for i in range(9)
    ]
    limit = sorted(found.lags[0].detectable for found in limits)[4]
    weight = (limit / (1 - limit)) ** 0.5
    hits = 0
    for run in range(60):
        g = draw(200 + run)
        x = torch.randn(shape, generator=g)
        errors = torch.randn(shape, generator=g)
        errors[:, 12:] += weight * x[:, :-12]
        hits += bool(speaking(dependency(errors, x, lags=[12], flips=200)))
    assert hits >= 50


def test_the_same_call_says_the_same_and_draws_from_no_one() -> None:
    x = torch.randn(20, 15, 12)
    errors = torch.randn(20, 15, 30)
    before = torch.get_rng_state()
    assert dependency(errors, x, torch.randn(20, 15, 5, generator=draw(0)), flips=100) == dependency(
        errors, x, torch.randn(20, 15, 5, generator=draw(0)), flips=100
    )
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"errors": torch.randn(4, 5)}, r"errors: expected real values \(N, T, width\)"),
        ({"inputs": torch.randn(4, 6, 1)}, r"inputs: expected the same \(N, T\) as errors"),
        ({"inputs": torch.zeros(4, 5, 2, dtype=torch.long)}, "inputs: expected token ids"),
        ({"states": torch.randn(3, 5, 2)}, r"states: expected the same \(N, T\)"),
        ({"errors": torch.full((4, 5, 1), torch.nan)}, "errors: holds NaN or infinity"),
        ({"lags": [5]}, r"lags: expected whole numbers from 1 to T − 1 = 4, got 5"),
        ({"lags": []}, "lags: expected whole numbers"),
        ({"groups": torch.arange(3)}, "groups: expected one number for each sequence"),
    ],
)
def test_what_does_not_fit_is_named(arguments: dict[str, object], says: str) -> None:
    given = {"errors": torch.randn(4, 5, 1), "inputs": torch.randn(4, 5, 1), **arguments}
    call = getattr(dependency, "__wrapped__", dependency)
    with pytest.raises(Exception, match=says):
        call(**given)
