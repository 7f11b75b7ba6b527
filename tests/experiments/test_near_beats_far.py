import copy

import msgspec
import pytest
import torch

from gradreach.experiments.language import LAYERS
from gradreach.experiments.near_beats_far import (
    MOST,
    Result,
    Training,
    VerbCount,
    balanced,
    chosen,
    claims,
    draw_verbs,
    shares,
)
from gradreach.tasks.agreement import agreement
from gradreach.tasks.choices import Choice
from gradreach.tasks.models import recurrent
from gradreach.tasks.task import cross_entropy
from gradreach.tasks.words import corpus, language_model


@pytest.mark.parametrize("layer", LAYERS)
def test_shares_are_those_of_truncated_gradients(layer: str) -> None:
    torch.manual_seed(0)
    task = agreement()
    model = recurrent(task, layer, 6).double()
    batch = task.train(5, torch.Generator().manual_seed(0))
    found, total, allowed = shares(copy.deepcopy(model), batch)
    assert abs(total - 1) < allowed < 1e-9

    def gradient(lags: int) -> torch.Tensor:
        """∂L/∂W_hh of the errors carried back fewer than `lags` steps: each by a layer that starts so late."""
        output, parts = model.carry(batch.x, None)[0].detach().requires_grad_(), torch.zeros(())
        (error,) = torch.autograd.grad(cross_entropy(model.head(output), batch.y), output)
        for t in range(error.shape[1]):
            begin = max(0, t - lags + 1)
            with torch.no_grad():
                held = model.carry(batch.x[:, :begin], None)[1] if begin else None
            parts = parts + (model.carry(batch.x[:, begin : t + 1], held)[0][:, -1] * error[:, t]).sum()
        return torch.autograd.grad(parts, model.body.weight_hh_l0)[0]

    whole = gradient(19)
    for lags in (1, 3):
        near = gradient(lags)
        assert sum(found[:lags]) == pytest.approx(float((near * whole).sum() / whole.square().sum()), abs=1e-4)


def test_real_verbs_are_chosen_as_one_by_one() -> None:
    torch.manual_seed(0)
    text = corpus(None, 200)
    model, words = recurrent(language_model(text), "gru", 8), text.vocabulary
    read = [Choice(tuple(words.words[3 : 3 + n]), words.words[n], words.words[n + 9]) for n in (1, 4, 4, 60)]
    singly = []
    for choice in read:
        said = model(words.encode(choice.before[-50:])[None])[0, -1]
        right, wrong = words.encode([choice.right, choice.wrong])
        singly.append(bool(said[right] > said[wrong]))
    assert chosen(model, words, read) == singly


def made(rnn: int, lstm: int, same: int = 95, near: float = 0.9, total: float = 1.0, real: int = 50) -> Result:
    """100 sentences a case; all that is not said is right in 95."""

    def of(layer: str, attracted: int) -> list[Training]:
        grammar = [VerbCount("attractors", k, attracted, 100) for k in range(MOST + 1)]
        grammar += [VerbCount("same number", k, same, 100) for k in range(MOST + 1)]
        verbs = [
            VerbCount("real sentences", k, 60 if k == 0 else real, 100, plural)
            for k in (0, 2)
            for plural in (True, False)
        ]
        lags = [near / 5] * 5 + [(1 - near) / 5] * 5
        return [
            Training("agreement", layer, 0, lags, 1.0, 1e-12, grammar),
            Training("words", layer, 0, lags, total, 1e-12, verbs),
        ]

    return Result("made up", [*of("rnn", rnn), *of("gru", 95), *of("lstm", lstm)])


def failing(measured: Result) -> list[str]:
    return [claim.says for claim in claims(measured) if not claim.holds]


def test_claims_hold_and_fail() -> None:
    assert failing(made(rnn=20, lstm=90)) == []
    assert len(failing(made(rnn=94, lstm=100, same=95))) == 1  # as good with attractors as without
    assert len(failing(made(rnn=20, lstm=22))) == 1
    assert len(failing(made(rnn=20, lstm=90, near=0.3))) == 1
    assert len(failing(made(rnn=20, lstm=90, total=1.001))) == 1
    assert len(failing(made(rnn=20, lstm=90, real=70))) == 1


def test_a_model_that_always_says_the_same_is_half_right() -> None:
    measured = made(rnn=20, lstm=90)
    tested = [VerbCount("real sentences", 3, 10, 10, True), VerbCount("real sentences", 3, 0, 90, False)]
    one = msgspec.structs.replace(measured.models[1], tested=tested)
    assert balanced(Result("", [one]), "rnn", "real sentences", (3,)) == 0.5
    assert balanced(Result("", [one]), "rnn", "real sentences", (4,)) is None


def test_the_panel_of_real_sentences_is_there_where_they_are() -> None:
    measured = made(rnn=20, lstm=90)
    bare = [msgspec.structs.replace(model, tested=[]) if model.text == "words" else model for model in measured.models]
    assert len(draw_verbs(measured).axes) == 2
    assert len(draw_verbs(msgspec.structs.replace(measured, models=bare)).axes) == 1
