"""Which models are judged by others that hand no gradient back to them, over all looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gradreach.record.look import Look

FEWEST_LOOKS = 4
"""Looks from which on it is told: each must show the same."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """At one line the output of `source` goes to `judge` without its graph, in all `looks`, though only what comes
    before `judge` is stepped after the pass; `judge` is stepped after the passes of another line."""

    site: int
    source: str
    judge: str
    looks: int


def cut_offs(looks: Sequence[Look]) -> tuple[CutOff, ...]:
    """Each source and judge, by line."""
    found: list[CutOff] = []
    for site in dict.fromkeys(look.site for look in looks):
        here = [look for look in looks if look.site == site and look.stepped is not None and look.stepped.steps]
        pairs = set(here[0].cut_outputs).intersection(*(look.cut_outputs for look in here)) if here else set()
        for pair in sorted(pairs, key=lambda pair: (pair.source, pair.judge)):
            only_given = all(_gets_gradient(pair.judge, look) and not _is_stepped(pair.judge, look) for look in here)
            trains_source = all(_is_stepped(pair.source, look) for look in here)
            elsewhere = any(_is_stepped(pair.judge, look) for look in looks if look.site != site)
            if len(here) >= FEWEST_LOOKS and only_given and trains_source and elsewhere:
                found.append(CutOff(site, pair.source, pair.judge, len(here)))
    return tuple(found)


def _gets_gradient(root: str, look: Look) -> bool:
    return any(_is_in(root, [seen.module]) and seen.grad_rms for seen in look.depth)


def _is_stepped(root: str, look: Look) -> bool:
    return look.stepped is not None and _is_in(root, look.stepped.held)


def _is_in(root: str, names: Iterable[str]) -> bool:
    return any(name == root or name.startswith(f"{root}.") for name in names)
