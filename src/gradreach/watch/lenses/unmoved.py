"""The parameters that got a gradient and hold the very values that they held at the look before."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gradreach.engine.norms import each_norm, to_host
from gradreach.record.look import Look
from gradreach.watch.graph import trainable
from gradreach.watch.lens import Lens
from gradreach.watch.lenses.parameter_prints import Print, prints
from gradreach.watch.tensors import is_dense_and_real, is_measurable


@dataclass(frozen=True, slots=True)
class _Before:
    """Prints of the parameters by name, and of the other leaves by their place, at the look before."""

    parameters: dict[str, Print]
    others: list[Print]


class Unmoved(Lens):
    """Compares the weights with those of the look before, whoever moves them and how many passes make an update."""

    def look(self, look: Look) -> Look:
        """The look's `moved` and `unmoved`."""
        names = self.step.models.parameter_names()
        leaves = [leaf for leaf in self.step.leaves if leaf.requires_grad and is_dense_and_real(leaf)]
        owned = [p for p in trainable(leaves) if id(p) in names and p.grad is not None and is_measurable(p.grad)]
        norms = to_host(each_norm([p.grad for p in owned if p.grad is not None]))
        learning = {names[id(p)]: p for p, norm in zip(owned, norms, strict=True) if norm != 0.0}
        others = [leaf for leaf in leaves if id(leaf) not in names]
        now = _Before(dict(zip(learning, prints(list(learning.values())), strict=True)), prints(others))
        before: _Before | None = self.step.carried.get(Unmoved)
        known = before.parameters if before is not None else {}
        self.step.carried[Unmoved] = replace(now, parameters=known | now.parameters)
        same = tuple(name for name, each in now.parameters.items() if known.get(name) == each)
        moved = any(name in known for name in now.parameters if name not in same)
        others_moved = bool(others) and (before is None or now.others != before.others)
        return replace(look, unmoved=same, moved=moved or others_moved)
