"""The flattest tanh of a step, from the script's own graph."""

import pytest
import torch
from torch import Tensor

from gradreach.watch.flat_units import flat_units
from gradreach.watch.graph import walk
from gradreach.watch.topology import Output, Topology


def run(steps: int, memory: float) -> tuple[Topology, list[tuple[Output | None, ...]], list[Tensor]]:
    """A cell whose candidate is near 0 and whose memory grows by so much a step; the states (h, c) of each step."""
    weight = torch.full((1,), 0.1, requires_grad=True)
    h = c = torch.zeros(4, 3)
    states, flat = [], []
    for _ in range(steps):
        c = c + 0.001 * torch.tanh(weight * (1 + h)) + memory
        squashed = torch.tanh(c)
        h = squashed * weight.sigmoid()
        states.append((h, c))
        flat.append(squashed.detach())
    loss = h.sum()
    topology = Topology(walk([loss]))
    outputs = [tuple(Output(topology.numbers[part.grad_fn], 0) for part in state) for state in states]
    return topology, outputs, flat


@pytest.mark.parametrize("memory", [0.0, 0.2, 1.0])
def test_it_is_the_share_of_the_flattest_tanh_over_all_steps(memory: float) -> None:
    topology, states, flat = run(12, memory)
    slopes = torch.stack(flat[1:-1]).square().neg() + 1
    share = flat_units(topology, states)
    assert share is not None
    assert share == pytest.approx(float((slopes < 0.05).double().mean()), abs=0.1)


def test_without_a_tanh_nothing_is_known() -> None:
    weight = torch.full((1,), 0.9, requires_grad=True)
    h, states = torch.ones(4, 3), []
    for _ in range(10):
        h = weight * h + 1
        states.append(h)
    topology = Topology(walk([h.sum()]))
    outputs = [(Output(topology.numbers[state.grad_fn], 0),) for state in states]
    assert flat_units(topology, outputs) is None
