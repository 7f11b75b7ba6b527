import pytest
import torch

import gradreach as gr
from gradreach.tasks.task import UNSCORED


@pytest.mark.parametrize("lag", [1, 4])
def test_says_what_came_some_steps_ago(lag: int) -> None:
    x, y = gr.tasks.echo(lag, length=9, symbols=3).train(5, torch.Generator().manual_seed(0))
    assert (y[:, :lag] == UNSCORED).all()
    for t in range(lag, 9):
        assert torch.equal(y[:, t], x[:, t - lag])


def test_a_perfect_answer_and_a_blind_one() -> None:
    task = gr.tasks.echo(lag=2, length=400, symbols=4)
    x, y = task.test(200, torch.Generator().manual_seed(1))
    said = torch.nn.functional.one_hot(x.roll(2, 1), 4).float()
    assert float(task.error(said, y)) == 0.0
    blind, n = float(task.error(torch.nn.functional.one_hot(x, 4).float(), y)), 200 * 398
    assert abs(blind - task.chance) < 5 * (task.chance * (1 - task.chance) / n) ** 0.5


@pytest.mark.parametrize(
    ("arguments", "name"),
    [({"lag": 0}, "lag"), ({"lag": 5, "length": 5}, "length"), ({"symbols": 1}, "symbols")],
)
def test_refuses(arguments: dict[str, int], name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: expected"):
        gr.tasks.echo(**arguments)
