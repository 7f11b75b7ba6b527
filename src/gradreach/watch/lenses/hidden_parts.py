"""Parts of the models that get a gradient and that `parameters()` does not hold, and whether anything moves them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from torch import nn

from gradreach.engine.norms import each_norm, to_host
from gradreach.record.look import Look
from gradreach.record.seen.loop import HiddenPart
from gradreach.watch.hidden_parts import held_in
from gradreach.watch.lens import Lens
from gradreach.watch.lenses.parameter_prints import Print, prints
from gradreach.watch.models import modules_of, parameters_of
from gradreach.watch.tensors import is_dense_and_real, is_measurable


class HiddenParts(Lens):
    """Searches the containers of every known module, and compares the weights there with those of the look before."""

    def look(self, look: Look) -> Look:
        """The look's `hidden`."""
        before: dict[str, list[Print]] = self.step.carried.get(HiddenParts, {})
        now: dict[str, list[Print]] = {}
        found: list[HiddenPart] = []
        owned = self.step.models.parameter_names()
        leaves = {id(leaf) for leaf in self.step.leaves if id(leaf) not in owned}
        for name, part in self._hidden() if leaves else ():
            learning = _learning(part, leaves)
            if not learning or name in now:
                continue
            now[name] = prints(learning)
            moved = now[name] != before[name] if name in before else None
            elements = sum(p.numel() for p in learning)
            found.append(HiddenPart(name, type(part).__name__, len(learning), elements, moved))
        self.step.carried[HiddenParts] = now
        return replace(look, hidden=tuple(found))

    def _hidden(self) -> Iterator[tuple[str, nn.Module | nn.Parameter]]:
        """What the models hold out of torch's sight, and what that holds in turn."""
        pending = [(self.step.models.path(each), each) for root in self.step.models for _, each in modules_of(root)]
        seen = {id(module) for _, module in pending}
        for path, module in pending:  # grows while it is walked
            for place, part in held_in(module):
                if id(part) in seen:
                    continue
                seen.add(id(part))
                yield f"{path}{place}", part
                if isinstance(part, nn.Module):
                    within = [
                        (f"{path}{place}.{name}" if name else f"{path}{place}", m) for name, m in modules_of(part)
                    ]
                    seen.update(id(each) for _, each in within)
                    pending += within


def _learning(part: nn.Module | nn.Parameter, leaves: Collection[int]) -> list[nn.Parameter]:
    """The parameters of a part among these leaves of the loss that got a gradient other than 0.

    A module in evaluation mode is meant to stay as it is.
    """
    if isinstance(part, nn.Module) and not part.training:
        return []
    mine = [part] if isinstance(part, nn.Parameter) else list(parameters_of(part))
    asked = [p for p in mine if id(p) in leaves and p.requires_grad and is_dense_and_real(p)]
    asked = [p for p in asked if p.grad is not None and is_measurable(p.grad)]
    norms = to_host(each_norm([p.grad for p in asked if p.grad is not None]))
    return [p for p, norm in zip(asked, norms, strict=True) if norm != 0.0]
