import msgspec
import pytest
import torch

from gradreach.experiments.truncation import (
    PROBED,
    Cost,
    H,
    Job,
    Result,
    Window,
    biases,
    claims,
    cost,
    echoed,
    predicted_work,
    probe,
)
from gradreach.tasks import echo, recurrent
from gradreach.tasks.models import Recurrent


def measured() -> Result:
    """As the theory has it."""
    costs = [Cost(16, k2, 256, 0, 100 * k2 + 50, 0.1) for k2 in (64, 128)]
    costs = [msgspec.structs.replace(c, ran=round(predicted_work(c) * c.steps)) for c in costs]
    bias = [0.5, 0.2, 0.1, 0.0]
    right, wrong = [0.0] * 4, [0.5] * 4
    return Result(
        costs=costs,
        actual=bias,
        reached=bias,
        measured=[(1, 0.5), (4, 0.0)],
        lag=3,
        readout=wrong,
        windows=[Window(1, 3, wrong, [0, 10, 60, 100, 150, 190, 200], 400), Window(1, 6, right, [0] * 7, 400)],
        signal=1024,
        exact=1e-16,
        regimes_wrong=20,
        regimes=400,
    )


FALSE: list[tuple[int, dict[str, object]]] = [
    (0, {"costs": [msgspec.structs.replace(measured().costs[0], ran=512), measured().costs[1]]}),
    (2, {"costs": [measured().costs[0], msgspec.structs.replace(measured().costs[1], saved=26_000)]}),
    (3, {"reached": [0.5, 0.2001, 0.1, 0.0]}),
    (4, {"measured": [(1, 0.5001)]}),
    (5, {"exact": 1e-6}),
    (6, {"windows": [measured().windows[0], msgspec.structs.replace(measured().windows[1], errors=[0.4] * 4)]}),
    (6, {"windows": [msgspec.structs.replace(w, errors=[0.0] * 4) for w in measured().windows]}),
    (7, {"windows": [msgspec.structs.replace(measured().windows[0], wrong=[200] * 7), measured().windows[1]]}),
    (8, {"regimes_wrong": 200}),
]


@pytest.mark.parametrize(("which", "changed"), FALSE)
def test_a_claim_fails_on_false_measurements(which: int, changed: dict[str, object]) -> None:
    assert all(claim.holds for claim in claims(measured()))
    found = claims(msgspec.structs.replace(measured(), **changed))
    assert [i for i, claim in enumerate(found) if not claim.holds] == [which]


def test_steps_are_counted() -> None:
    """Two windows of 4 steps: the first has nothing behind it, the others run 4 more."""
    found = cost(4, 8, 12)
    assert found.ran == 4 + 8 + 8
    assert predicted_work(found) == found.ran / 12
    assert found.saved > cost(4, 4, 12).saved


def test_bias_is_the_relative_error_of_a_truncated_gradient() -> None:
    """Against windows written by hand: W_hh used at the last k steps alone, a copy of it before them."""
    T = 7
    actual, _, _ = biases(T)
    torch.manual_seed(0)
    layer = torch.nn.RNN(3, 8, dtype=torch.float64)
    x, y = torch.randn(T, 4, 3, dtype=torch.float64), torch.randn(T, 4, 8, dtype=torch.float64)

    def gradient(k: int) -> torch.Tensor:
        whole = torch.zeros(8, 8, dtype=torch.float64)
        for t in range(T):
            h = torch.zeros(4, 8, dtype=torch.float64)
            W = layer.weight_hh_l0.detach().clone().requires_grad_()
            for s in range(t + 1):
                used = W if s > t - k else W.detach()
                drive = x[s] @ layer.weight_ih_l0.detach().T + (layer.bias_ih_l0 + layer.bias_hh_l0).detach()
                h = torch.tanh(h @ used.T + drive)
            (h - y[t]).square().sum().backward()
            whole += W.grad
        return whole

    full = gradient(T)
    expected = [float((full - gradient(k)).norm() / full.norm()) for k in range(1, T + 1)]
    assert actual == pytest.approx(expected, abs=1e-13)


def test_only_the_readout_is_trained_at_k2_0() -> None:
    """The recurrence stays as it was drawn."""
    torch.manual_seed(0)
    drawn = recurrent(echo(lag=3, length=100), "rnn", H)
    expected = probe(drawn, echo(lag=3, length=100), 0, 6)
    assert echoed(Job(lag=3, k1=1, k2=0, updates=2, seed=0))[1] == expected


def test_a_probe_finds_what_is_there_and_not_what_is_not() -> None:
    """A state that is a shift register of 4 symbols."""

    class Register(Recurrent):
        def __init__(self) -> None:
            torch.nn.Module.__init__(self)

        def carry(self, x: torch.Tensor, state: object) -> tuple[torch.Tensor, None]:  # noqa: ARG002
            return torch.stack([x.roll(lag, 1).float() for lag in range(4)], -1), None

    wrong = probe(Register(), echo(lag=3, length=100), 0, 5)
    assert wrong[:4] == [0, 0, 0, 0]
    assert all(abs(count - PROBED / 2) < 5 * PROBED**0.5 / 2 for count in wrong[4:])
