"""How many units of a recurrence sit where its tanh is flat, from what the script's own graph keeps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gradreach.engine.cells.cell import flat_share
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.state_gradients import State
from gradreach.watch.tensors import is_dense_and_real
from gradreach.watch.topology import Topology


@torch.no_grad()
def flat_units(topology: Topology, states: Sequence[State]) -> float | None:
    """Of each tanh in a step the share of its values with a slope under 5 % of the largest, from the first
    of these states to the last: the largest of these shares. None where there is no tanh.

    The tanhs of a step are told apart by the operations that feed them.
    """
    ends = ({part.node for part in state if part is not None} for state in (states[0], states[-1]))
    shares: dict[object, list[float]] = {}
    for number in topology.between(*ends):
        if topology.names[number] == "TanhBackward0":
            result = saved_value(topology.nodes[number], "result")
            if not isinstance(result, Tensor) or not is_dense_and_real(result) or not result.numel():
                return None
            shares.setdefault(_fed_by(topology, number), []).append(flat_share(result))
    return max((sum(each) / len(each) for each in shares.values()), default=None)


def _fed_by(topology: Topology, number: int) -> object:
    """What feeds an operation, and what feeds that."""
    feeds = [fed for fed in topology.feeds[number] if fed is not None]
    before = [each for fed in feeds for each in topology.feeds[fed.node] if each is not None]
    return tuple((topology.names[fed.node], fed.number) for fed in (*feeds, *before))
