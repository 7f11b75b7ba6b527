"""Gradients that are exactly 0 to the end of a run: which parameters get nothing, from which look on, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from gradreach.facts.site import Site
from gradreach.facts.statistics import median
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.schema import Step
from gradreach.record.seen.depth import DepthLook
from gradreach.record.seen.zero_gradient import ZeroGradient

NEGLIGIBLE = 0.01
"""Part of the trained numbers below which zeros that no operation explains are left alone: a bias that something after
it takes out again, as normalisation does, may well get exactly 0."""


MANY_LOOKS = 20
"""Looks at which a part that is picked one time in four has been picked but for 3 chances in a thousand."""

SOME_LOOKS = 6
"""Looks from which on a part that gets 0 for no reason of its own make is told: a factor of 0 may be one batch's."""


@dataclass(frozen=True, slots=True)
class ZeroStretch:
    """Parameters whose gradient is exactly 0 in each of the last looks of one line that calls backward.

    `cause` is where and why, as the last of these looks has it, with all these parameters in it. `looks` are how many,
    of `of` at this line; `first` and `last` their first and last step. `before` is whether an earlier look saw a
    gradient. `is_whole` is whether nothing that comes before the place gets a gradient: what the data passes through
    on its way there, or nine tenths of all.
    """

    site: int
    cause: ZeroGradient
    looks: int
    of: int
    first: int
    last: int
    before: bool
    is_whole: bool

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that own these parameters, in the order of the parameters."""
        return tuple(dict.fromkeys(name.rpartition(".")[0] for name in self.cause.parameters))


def zero_stretches(looks: Sequence[Look], sites: Mapping[int, Site]) -> tuple[ZeroStretch, ...]:
    """What gets exactly 0 in the last looks, MIN_LOOKS at least, at every line that calls backward.

    Left out is what another line gives a gradient, and a loss that fell to exactly 0: that has been learned.
    """
    found: list[ZeroStretch] = []
    for site in dict.fromkeys(look.site for look in looks):
        here = [look for look in looks if look.site == site]
        if site in sites and _is_solved(sites[site].sound_steps):
            continue
        lengths = {name: length for name, length in _lengths(here).items() if length >= MIN_LOOKS}
        trained = {name for name in lengths if _gets_one_elsewhere(name, site, looks)}
        names = [name for name in lengths if name not in trained]
        groups: dict[tuple[str, ...], list[str]] = {}
        for name in names:
            cause = _cause(name, here[-lengths[name] :])
            key = ("derivative",) if cause.why == "derivative" else (cause.why, cause.operation, cause.module)
            groups.setdefault(key, []).append(name)
        made = [_stretch(here, site, cut, min(lengths[name] for name in cut)) for cut in groups.values()]
        picks = _picks_parts(here)
        found += _joined([each for each in made if not _is_odd(each, here[-1]) and _is_long(each, picks)])
    return tuple(found)


def _lengths(looks: Sequence[Look]) -> dict[str, int]:
    """For each parameter how many of the last looks in a row gave it exactly 0."""
    lengths: dict[str, int] = {}
    ended: set[str] = set()
    for count, look in enumerate(reversed(looks)):
        names = dict.fromkeys(name for group in look.zero_gradient for name in group.parameters)
        ended |= {name for name in lengths if name not in names}
        lengths |= {name: count + 1 for name in names if lengths.get(name, 0) == count and name not in ended}
    return lengths


def _gets_one_elsewhere(name: str, site: int, looks: Sequence[Look]) -> bool:
    """Whether another line's backward pass gives this parameter a gradient."""
    owner = name.rpartition(".")[0]
    for look in looks:
        if look.site != site and name not in look.without_gradient:
            zero = any(name in group.parameters for group in look.zero_gradient)
            if not zero and any(seen.module == owner and seen.weight_grad_norm for seen in look.depth):
                return True
    return False


def _is_solved(steps: Sequence[Step]) -> bool:
    """Whether the loss fell to exactly 0, as a hinge does when every example is on the right side, and is there on most
    of the last steps."""
    losses = [step.loss for step in steps if step.loss is not None]
    last = losses[-max(len(losses) // 10, 1) :]
    return bool(losses) and median(last) == 0.0 and losses[0] > 0.0


def _cause(name: str, looks: Sequence[Look]) -> ZeroGradient:
    """Why a parameter got 0, as most of these looks that traced it say, and the last of these."""
    traced = [group for look in looks for group in look.zero_gradient if name in group.parameters]
    traced = [group for group in traced if group.why != "untraced"] or traced
    usual = Counter((group.why, group.operation, group.module) for group in traced).most_common(1)[0][0]
    return next(group for group in reversed(traced) if (group.why, group.operation, group.module) == usual)


def _stretch(looks: Sequence[Look], site: int, names: Sequence[str], length: int) -> ZeroStretch:
    last = looks[-length:]
    order = {seen.module: seen.order for seen in last[-1].depth}
    names = sorted(names, key=lambda name: order.get(name.rpartition(".")[0], -1))
    groups = [group for group in last[-1].zero_gradient if set(group.parameters) & set(names)]
    cause = replace(
        _cause(names[0], last), parameters=tuple(names), elements=sum(g.elements for g in groups), of=groups[0].of
    )
    whole = cause.elements >= 0.9 * cause.of or _is_all_before(cause, last[-1].depth)
    return ZeroStretch(
        site, cause, length, len(looks), last[0].step, last[-1].step, before=length < len(looks), is_whole=whole
    )


def _is_all_before(cause: ZeroGradient, depth: Sequence[DepthLook]) -> bool:
    """Whether every layer that ran no later than the last one of these parameters got nothing either."""
    owners = {name.rpartition(".")[0] for name in cause.parameters}
    order = max((seen.order for seen in depth if seen.module in owners), default=-1)
    weighty = [seen for seen in depth if seen.parameters and seen.weight_grad_norm is not None]
    return order >= 0 and all(seen.weight_grad_norm == 0.0 for seen in weighty if seen.order <= order)


def _is_odd(stretch: ZeroStretch, last: Look) -> bool:
    """Whether zeros mean little here: a few numbers for no known reason, or rows of a table that no batch asks for."""
    cause = stretch.cause
    if cause.why in ("unknown", "untraced") and cause.elements < NEGLIGIBLE * cause.of:
        return True
    kinds = {seen.module: seen.kind for seen in last.depth}
    return all("Embedding" in kinds.get(owner, "") for owner in stretch.modules)


def _picks_parts(looks: Sequence[Look]) -> bool:
    """Whether parameters take turns in getting 0: experts, blocks left out, one of several outputs."""
    zero = [{name for group in look.zero_gradient for name in group.parameters} for look in looks]
    return any(one - other and other - one for one, other in combinations(zero, 2))


def _is_long(stretch: ZeroStretch, picks: bool) -> bool:
    """Whether there are looks enough to say that the part is cut off, and not merely idle."""
    why = stretch.cause.why
    if stretch.is_whole:
        return why != "empty"
    if why == "empty":
        return False
    needed = MANY_LOOKS if picks else SOME_LOOKS if why in ("factor", "input", "unknown") else MIN_LOOKS
    return stretch.looks >= needed


def _joined(stretches: Sequence[ZeroStretch]) -> list[ZeroStretch]:
    """Without those that only follow: where weights are 0, so is what goes into later ones. A loss whose one term has
    no slope and whose other ones are met gives 0 everywhere, for the first reason."""
    derivatives = [each for each in stretches if each.cause.why == "derivative"]
    causes = [each for each in stretches if each.cause.why != "input"]
    return derivatives or causes or list(stretches)
