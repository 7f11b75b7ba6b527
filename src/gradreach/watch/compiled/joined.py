"""What is seen of a step at the end of its backward pass: by its own watch, and by the shadow of its compiled calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.watch.compiled.shadow import Shadow
from gradreach.watch.samples.local_errors import LocalErrors
from gradreach.watch.step_watch import StepWatch

EXACT = 1e-4
"""The relative difference of outputs up to which what a shadow shows is taken to be true of the compiled code too:
compiled code adds in another order, and rounds otherwise."""


@dataclass(frozen=True, slots=True)
class SeenStep:
    """A look without the update that is still to come, the modules that it tells of, the leaves of the graph, the
    errors for the test of what they depend on, and how many steps before the next look are to be followed."""

    look: Look
    modules: Sequence[nn.Module]
    leaves: tuple[Tensor, ...]
    local_errors: Sequence[LocalErrors]
    lead: int


def seen_by(watch: StepWatch, shadow: Shadow | None, step: int, site: int, scale: float) -> SeenStep:
    """What a step's watch has seen, and the shadow of its compiled calls; the script's backward pass is over."""
    if shadow is None or shadow.is_empty:
        look = watch.look(step, site)
        return SeenStep(look, watch.step.modules, watch.step.leaves, watch.local_errors(), watch.step.lead)
    shadow.go_back(scale)
    watch.step.recurs = watch.step.recurs or shadow.watch.step.recurs
    look = watch.look(step, site)
    beside = _inexact(shadow.watch.look(step, site, look.losses), shadow.off)
    order, both = watch.step.called, (watch.step, shadow.watch.step)
    layers = sorted(
        [*zip(both[0].modules, look.depth, strict=True), *zip(both[1].modules, beside.depth, strict=True)],
        key=lambda pair: order.get(id(pair[0]), len(order)),
    )
    depth = tuple(replace(layer, order=n) for n, (_, layer) in enumerate(layers))
    leaves = tuple({id(leaf): leaf for each in both for leaf in each.leaves}.values())
    errors = watch.local_errors() or shadow.watch.local_errors()
    lead = max(step.lead for step in both)
    return SeenStep(replace(_joined(look, beside), depth=depth), [module for module, _ in layers], leaves, errors, lead)


def _joined(look: Look, beside: Look) -> Look:
    """The look with what the other adds: whatever it has not seen itself."""
    own = ("step", "site", "seconds")
    return replace(
        look,
        **{
            each.name: _both(getattr(look, each.name), getattr(beside, each.name))
            for each in fields(Look)
            if each.name not in own
        },
    )


def _inexact(look: Look, off: float) -> Look:
    """The look where the shadow's outputs are further off than rounding explains."""
    if off <= EXACT:
        return look
    why = f"the eager form's output differs from the compiled code's by {off:.1e}"
    return replace(look, time=tuple(replace(t, exact=False, why_inexact=t.why_inexact or why) for t in look.time))


def _both(one: Any, other: Any) -> Any:
    """One where there is one, and what it holds several of from the other too."""
    if isinstance(one, tuple):
        return one + tuple(each for each in other if each not in one)
    if is_dataclass(one) and not isinstance(one, type) and type(one) is type(other):
        parts = {each.name: getattr(one, each.name) for each in fields(one)}
        several = {name: _both(part, getattr(other, name)) for name, part in parts.items() if isinstance(part, tuple)}
        return replace(one, **several)
    return one or other
