"""What the run was when the guard began, by which changes of the run itself are noticed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradreach.engine.norms import local
from gradreach.remedies.guard.run_state import RunState


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """The identities of the optimizer's parameters, the parameters that it does not train, the names of those that were
    not finite already (a mask of −∞ that is kept as a parameter, say), and the versions of all."""

    optimized: tuple[int, ...]
    untrained: list[Tensor]
    not_finite: tuple[str, ...]
    versions: list[tuple[int, int]]

    @classmethod
    def of(cls, run: RunState) -> StartingPoint:
        optimized = _identities(run)
        untrained = [p for p in run.parameters() if id(p) not in optimized]
        return cls(optimized, untrained, tuple(run.not_finite()), _versions(run))

    def has_its_parameters(self, run: RunState) -> bool:
        """Whether the optimizer still has the parameters that it had."""
        return self.optimized == _identities(run)

    def is_untouched(self, run: RunState) -> bool:
        """Whether no parameter was written to or replaced since."""
        return self.versions == _versions(run)


def _identities(run: RunState) -> tuple[int, ...]:
    return tuple(map(id, run.optimized()))


def _versions(run: RunState) -> list[tuple[int, int]]:
    dense = [p for p in run.parameters() if p.layout == torch.strided]
    return [(local(p).data_ptr(), p._version) for p in dense]
