import pytest
import torch
from msgspec.structs import replace
from torch.autograd.functional import jacobian

from gradreach.experiments import irnn
from gradreach.experiments.irnn import LAYERS, Outcome, Result, claims
from gradreach.tasks.adding import adding
from gradreach.tasks.recipe import Recipe

GOOD = Result(
    100,
    "adam",
    [
        Outcome(layer, 20, seed, None if layer == "tanh RNN" else 90, [90], [0.01])
        for layer in LAYERS
        for seed in range(4)
    ],
    [0.0] * 20,
    9,
    9,
)


def test_what_arrives_is_what_autograd_finds() -> None:
    norms, arriving, on = irnn.untrained(length=12, hidden=16)
    net = Recipe(adding(12), lambda task: irnn.model(task, "IRNN", 16)).build().model
    body = net.get_submodule("body")
    x = adding(12).train(1, torch.Generator().manual_seed(0)).x
    with torch.no_grad():
        h_1 = body(x[:, :1])[1]
    J = jacobian(lambda h: body(x[:, 1:], h)[1].flatten(), h_1).squeeze()
    values = torch.linalg.svdvals(J.view(16, 16))
    assert arriving == on == int((values > 0.5).sum())
    assert norms[11] == pytest.approx(float(values[0].log10()), abs=1e-6)


def test_same_seed_same_numbers() -> None:
    size = irnn.Size((10,), 1, 4, hidden=8, batch=4, optimizer="adam", rate=1e-3)
    job = irnn.Job("LSTM", 10, 1)
    assert irnn.train_one(size, job) == irnn.train_one(size, job)


def test_true_measurements_hold() -> None:
    assert len(claims(GOOD)) == 3
    assert all(claim.holds for claim in claims(GOOD))


@pytest.mark.parametrize(
    ("place", "false"),
    [
        (0, {"norms": [0.0, -0.01]}),
        (1, {"arriving": 8}),
        (2, {"outcomes": [replace(o, solved=90) for o in GOOD.outcomes]}),
    ],
)
def test_false_measurements_fail(place: int, false: dict[str, object]) -> None:
    assert not claims(replace(GOOD, **false))[place].holds


def test_few_runs_make_no_claim_on_success() -> None:
    few = replace(GOOD, outcomes=[outcome for outcome in GOOD.outcomes if outcome.seed == 0])
    assert len(claims(few)) == 2
