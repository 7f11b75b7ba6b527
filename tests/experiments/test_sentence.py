import msgspec
import pytest
import torch

from gradreach.experiments.lab import Lab
from gradreach.experiments.sentence import (
    Job,
    Result,
    Size,
    by_autograd,
    carried_back,
    claims,
    lag,
    measure,
    rounding,
    text,
    train_one,
)
from gradreach.tasks.models import Recurrent, recurrent
from gradreach.tasks.words import language_model

SMALL = Size(vocabulary=200, hidden=8, updates=2, seeds=1, windows=20)


def model(layer: str) -> Recurrent:
    torch.manual_seed(0)
    return recurrent(language_model(text(None, 200)), layer, 8).double()


@pytest.mark.parametrize("layer", ["rnn", "gru", "lstm"])
def test_every_row_of_the_map_is_autograds(layer: str) -> None:
    own, numbers = model(layer), torch.randint(200, (12,), generator=torch.Generator().manual_seed(1))
    found = carried_back(own, numbers)
    assert found.exact
    for t in range(1, 11):
        other = by_autograd(own, numbers[None, : t + 2])[0]
        assert float(((found.map[t, : t + 1] - other).abs() / other).max()) < rounding(own.body, other)


def test_a_row_of_a_batch_is_that_of_the_text_alone() -> None:
    own, numbers = model("lstm"), torch.randint(200, (3, 9), generator=torch.Generator().manual_seed(1))
    together = by_autograd(own, numbers)
    for row, alone in zip(together, numbers, strict=True):
        assert torch.allclose(row, by_autograd(own, alone[None])[0], rtol=1e-10)


@pytest.fixture(scope="module")
def measured() -> Result:
    return measure(SMALL, Lab(quiet=True))


def test_the_place_and_the_lag_are_those_of_the_words(measured: Result) -> None:
    words, place = measured.words["sentence"], measured.place["sentence"]
    assert words[place] == "brown"
    assert words[-1] == "shepherd"
    assert words[place + lag(measured, "sentence")] == "german"
    assert measured.words["passage"][measured.place["passage"]] == "tickets"
    assert "shepherd" in measured.unseen
    assert "the" not in measured.unseen


def test_the_same_seed_gives_the_same_numbers(measured: Result) -> None:
    again = train_one(SMALL, None, Job("gru", 0))
    assert again == next(each for each in measured.models if each.layer == "gru")


def changed(measured: Result, layer: str, **to: object) -> Result:
    models = [
        msgspec.structs.replace(each, carried=[msgspec.structs.replace(part, **to) for part in each.carried])
        if each.layer == layer
        else each
        for each in measured.models
    ]
    return msgspec.structs.replace(measured, models=models)


def fails(measured: Result) -> set[str]:
    return {claim.says.split(":")[0] for claim in claims(measured) if not claim.holds}


def test_false_measurements_fail(measured: Result) -> None:
    assert any("autograd" in says for says in fails(changed(measured, "rnn", difference=1e-3)))
    flat = changed(measured, "rnn", row=[0.0] * 60)
    assert "tanh RNN" in fails(flat)
    unlearned = [msgspec.structs.replace(each, loss=99.0) for each in measured.models]
    assert "Highest test loss of a model" in fails(msgspec.structs.replace(measured, models=unlearned))
