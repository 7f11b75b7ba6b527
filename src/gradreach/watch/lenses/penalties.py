"""The layers that a loss leads to by a penalty alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from gradreach.record.look import Look
from gradreach.record.seen.loss import PenaltyAlone
from gradreach.watch.lens import BackwardPass, Lens, WatchedStep
from gradreach.watch.lenses.losses import Losses, value_of
from gradreach.watch.penalties import penalised


class Penalties(Lens):
    """Reads the summands of the loss before the backward pass uses the graph up."""

    after = (Losses,)

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._found: PenaltyAlone | None = None

    def before_backward(self, backward: BackwardPass) -> None:
        """Name the layers, where they are whole modules."""
        found = penalised(backward.losses, backward.graph, value_of)
        if found is None:
            return
        names = self.step.models.parameter_names()
        alone = {names[id(leaf)] for leaf in found.leaves if id(leaf) in names}
        trained = {names[id(each)] for each in self.step.models.parameters() if each.requires_grad}
        modules = {_owner(weights, names) for weights in found.layers}
        if all(modules) and modules.isdisjoint(name.rpartition(".")[0] for name in trained - alone):
            parameters = tuple(name for name in names.values() if name in alone)
            owners = dict.fromkeys(name.rpartition(".")[0] for name in parameters)
            gaussian = (_owner(found.mean, names), _owner(found.log_variance, names))
            self._found = PenaltyAlone(tuple(each for each in owners if each in modules), parameters, *gaussian)

    def look(self, look: Look) -> Look:
        """The look's `penalty_alone`."""
        return replace(look, penalty_alone=self._found)


def _owner(weights: Sequence[Tensor], names: Mapping[int, str]) -> str:
    """The module that these weights belong to; empty where there is none."""
    owners = {names.get(id(weight), "").rpartition(".")[0] for weight in weights}
    return owners.pop() if len(owners) == 1 else ""
