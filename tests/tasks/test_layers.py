import pytest
import torch

from gradreach.tasks import Recipe, adding, recurrent, train
from gradreach.tasks.layers import LAYERS


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_trains_a_step_of_the_right_shape(layer: str) -> None:
    recipe = Recipe(adding(length=12), lambda task: recurrent(task, layer, hidden=8), batch=4)
    was = recipe.build().model.body.weight_hh_l0.clone()
    model = train(recipe, steps=1).model
    assert model(torch.rand(3, 12, 2)).shape == (3, 1)
    assert model.body.weight_hh_l0.isfinite().all()
    assert not torch.equal(model.body.weight_hh_l0, was)


def test_layers_start_as_they_are_called() -> None:
    def start(layer: str) -> torch.Tensor:
        return recurrent(adding(length=100), layer, hidden=8).body.weight_hh_l0.detach()

    torch.testing.assert_close(start("irnn"), torch.eye(8))
    for layer in ("orthogonal-start", "orthogonal"):
        W = start(layer)
        torch.testing.assert_close(W.T @ W, torch.eye(8))


def test_orthogonal_stays_so() -> None:
    recipe = Recipe(adding(length=12), lambda task: recurrent(task, "orthogonal", hidden=8), rate=0.05)
    W = train(recipe, steps=20).model.body.weight_hh_l0
    torch.testing.assert_close(W.T @ W, torch.eye(8), atol=1e-5, rtol=0)


def test_chrono_starts_with_memories_up_to_the_length() -> None:
    body = recurrent(adding(length=100), "chrono", hidden=64).body
    forget = (body.bias_ih_l0 + body.bias_hh_l0)[64:128].detach()
    assert 1 < float(forget.exp().max()) <= 100
