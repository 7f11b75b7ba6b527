import pytest
import torch
from torch import nn

from gradreach.remedies.layers import Residual
from gradreach.tasks import adding, memorisation, recurrent, scalar, stack
from gradreach.tasks.deep import deep


def test_where_the_loss_is_decides_what_is_said() -> None:
    last = recurrent(adding(length=10), hidden=6)
    assert last(torch.rand(3, 10, 2)).shape == (3, 1)
    every = recurrent(memorisation(delay=4), hidden=6)
    assert every(torch.zeros(3, 14, dtype=torch.int64)).shape == (3, 14, 3)


@pytest.mark.parametrize("layer", ["rnn", "gru", "lstm"])
def test_carried_on_in_pieces_it_is_the_whole(layer: str) -> None:
    model = recurrent(adding(length=10), layer, hidden=6)
    x = torch.rand(3, 10, 2)
    first, state = model.carry(x[:, :4], None)
    then, _ = model.carry(x[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, then], 1), model.carry(x, None)[0])


@pytest.mark.parametrize("residual", [False, True])
def test_a_stack_has_the_depth_that_is_asked_for(residual: bool) -> None:
    model = stack(deep(), depth=5, width=7, activation="tanh", residual=residual)
    assert sum(isinstance(m, nn.Tanh) for m in model.modules()) == 5
    assert sum(isinstance(m, Residual) for m in model.modules()) == (4 if residual else 0)
    assert model(torch.rand(3, 64)).shape == (3, 10)


def test_what_cannot_be_made_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"layer: expected one of rnn, .* got 'elman'"):
        recurrent(adding(), "elman")
    with pytest.raises(ValueError, match="hidden: expected at least 1 unit, got 0"):
        recurrent(adding(), hidden=0)
    with pytest.raises(ValueError, match=r"task: expected one with time .* got scalar, T 50; take `stack`"):
        recurrent(scalar())
    with pytest.raises(ValueError, match=r"task: expected one without time .* got adding, T 100; take `recurrent`"):
        stack(adding())
    with pytest.raises(ValueError, match="activation: expected one of sigmoid, tanh, relu, got 'gelu'"):
        stack(deep(), activation="gelu")
    with pytest.raises(ValueError, match="depth, width: expected at least 1 layer of 1 unit, got 0 of 64"):
        stack(deep(), depth=0)
