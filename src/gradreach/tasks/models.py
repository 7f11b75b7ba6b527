"""What is trained on a task: a recurrent layer with a readout, or a deep stack."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from gradreach.remedies.layers import Residual
from gradreach.tasks.layers import LAYERS
from gradreach.tasks.task import Task

EMBEDDED = 32
ACTIVATIONS: dict[str, type[nn.Module]] = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}


class Recurrent(nn.Module):
    """Tokens embedded where there are tokens, one recurrent layer, a linear readout: x (N, T) or (N, T, f).

    Says (N, T, p), or (N, p) where the task is scored at the last step.
    """

    def __init__(self, task: Task, body: nn.RNNBase, embedded: int = EMBEDDED) -> None:
        super().__init__()
        self.embed = None if task.alphabet is None else nn.Embedding(task.alphabet, embedded)
        self.body, self.head = body, nn.Linear(body.hidden_size, task.outputs)
        self.last = task.where == "last step"

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.carry(x, None)
        said: Tensor = self.head(output[:, -1] if self.last else output)
        return said

    def carry(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The layer's outputs (N, T, H) from `state` on, and the state to go on from: a `step` for `gr.tbptt`."""
        output, state = self.body(x if self.embed is None else self.embed(x), state)
        return output, state


def recurrent(task: Task, layer: str = "lstm", hidden: int = 64) -> Recurrent:
    """A readout over one of the `LAYERS`, H = `hidden`.

    Raises ValueError for a layer that has no such name, no unit, or a task without time.
    """
    if layer not in LAYERS:
        raise ValueError(f"layer: expected one of {', '.join(LAYERS)}, got {layer!r}")
    if hidden < 1:
        raise ValueError(f"hidden: expected at least 1 unit, got {hidden}")
    if task.length is None:
        raise ValueError(f"task: expected one with time for a recurrent layer, got {task.name}; take `stack`")
    width = task.width if task.alphabet is None else EMBEDDED
    return Recurrent(task, LAYERS[layer](width, hidden, task.length))


def stack(
    task: Task, depth: int = 20, width: int = 64, activation: str = "sigmoid", residual: bool = False
) -> nn.Sequential:
    """`depth` layers of `width` units between the input and a linear readout; each with its input added if `residual`.

    Raises ValueError for an activation other than sigmoid, tanh, relu, no layer, no unit, or a task with time.
    """
    if task.length is not None:
        raise ValueError(f"task: expected one without time for a stack, got {task.name}; take `recurrent`")
    if depth < 1 or width < 1:
        raise ValueError(f"depth, width: expected at least 1 layer of 1 unit, got {depth} of {width}")
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation: expected one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    blocks: list[nn.Module] = []
    for _ in range(depth - 1):
        block = nn.Sequential(nn.Linear(width, width), ACTIVATIONS[activation]())
        blocks += [Residual(block)] if residual else list(block)
    return nn.Sequential(
        nn.Linear(task.width, width), ACTIVATIONS[activation](), *blocks, nn.Linear(width, task.outputs)
    )
