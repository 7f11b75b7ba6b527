"""Hidden layers whose units are copies of one another from the first look to the last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.seen.weights import CopiedUnits


@dataclass(frozen=True, slots=True)
class CopiedLayers:
    """The layers behind one line whose units are copies, in the order in which they run, each as its last look saw it.

    `looks` are those that saw all of them get a gradient.
    """

    site: int
    layers: tuple[CopiedUnits, ...]
    looks: tuple[Look, ...]


def copied_layers(looks: Sequence[Look], root_of: Callable[[str], str]) -> tuple[CopiedLayers, ...]:
    """What each line trains that is copies in every look at which a gradient comes to it, MIN_LOOKS at least.

    Weights that are the same for all units at the start are none: their gradient tells the units apart. Left out is
    what puts out the output: its units may be the same because their targets are.
    """
    found: list[CopiedLayers] = []
    for site in dict.fromkeys(look.site for look in looks):
        here = [look for look in looks if look.site == site]
        names = dict.fromkeys(seen.name for look in here for seen in look.copied_units)
        layers = {name: seen for name in names if (seen := _always(name, here, root_of)) is not None}
        if layers:
            at = tuple(look for look in here if layers.keys() <= {each.name for each in look.copied_units})
            order = {seen.module: seen.order for look in here for seen in look.depth}
            inside = sorted(layers.values(), key=lambda each: order.get(each.module, -1))
            found.append(CopiedLayers(site, tuple(inside), at or (here[-1],)))
    return tuple(found)


def _always(name: str, looks: Sequence[Look], root_of: Callable[[str], str]) -> CopiedUnits | None:
    """This layer as last seen, where it was copies in every look at which it had a gradient."""
    seen = [next((each for each in look.copied_units if each.name == name), None) for look in looks]
    last = next(each for each in reversed(seen) if each is not None)
    if any(each is None and _had_gradient(last, look) for each, look in zip(seen, looks, strict=True)):
        return None
    if sum(each is not None and each.is_reached for each in seen) < MIN_LOOKS:
        return None
    return last if not last.kind or _is_hidden(last.module, looks, root_of) else None


def _had_gradient(layer: CopiedUnits, look: Look) -> bool:
    """Whether a gradient came to a layer in a look; of one that no module has that is not known, and taken to be so."""
    owner = next((each for each in look.depth if each.module == layer.module), None)
    return not layer.kind or (owner is not None and bool(owner.weight_grad_norm))


def _is_hidden(module: str, looks: Sequence[Look], root_of: Callable[[str], str]) -> bool:
    """Whether something with weights runs behind a module, within the same root."""
    for look in looks:
        order = {seen.module: seen.order for seen in look.depth if seen.parameters}
        later = [at for name, at in order.items() if root_of(name) == root_of(module)]
        if module in order and order[module] < max(later):
            return True
    return False
