"""By which change of their names the tensors of a state would fit a module: a prefix too many, too few, or another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SAMPLE = 12
"""Names of which prefixes are tried."""

MOST_TRIED = 200

ENOUGH = 0.5
"""Share of the module's own tensors, or of those given, that must fit."""


@dataclass(frozen=True, slots=True)
class Renaming:
    """What stands `under` a key, with `prefix` at the start of the names replaced by `wanted`: so many of them fit."""

    under: str
    prefix: str
    wanted: str
    fits: int


def renaming(own: Mapping[str, Any], state: Mapping[Any, Any]) -> Renaming | None:
    """The change by which most of a state fits; None where none makes enough of it do so."""
    nested = {key: each for key, each in state.items() if isinstance(key, str) and isinstance(each, Mapping)}
    found = [
        made
        for under, given in {"": state, **nested}.items()
        if (made := _best(under, own, {key: each for key, each in given.items() if isinstance(key, str)})) is not None
    ]
    return max(found, key=lambda each: each.fits, default=None)


def _best(under: str, own: Mapping[str, Any], given: Mapping[str, Any]) -> Renaming | None:
    tried = list(dict.fromkeys(_pairs(own, given)))[:MOST_TRIED]
    if under:
        tried.insert(0, ("", ""))
    made = [Renaming(under, prefix, wanted, _fits(own, given, prefix, wanted)) for prefix, wanted in tried]
    best = max(made, key=lambda each: (each.fits, -len(each.prefix) - len(each.wanted)), default=None)
    return best if best is not None and best.fits >= ENOUGH * max(min(len(own), len(given)), 1) else None


def _pairs(own: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A prefix of a name that was given, and what must stand in its place for the rest to be a name of the module's.

    A rest of one word, as `weight`, belongs to any layer: it counts where it is a whole name.
    """
    starts: dict[str, list[str]] = {}
    for name in own:
        for start, rest in _cuts(name):
            starts.setdefault(rest, []).append(start)
    names = list(given)
    for name in names[:: max(len(names) // SAMPLE, 1)]:
        for prefix, rest in _cuts(name):
            whole = "." in rest or not prefix
            yield from ((prefix, start) for start in starts.get(rest, ())[:4] if (whole or not start))


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    """A name as a start that ends with a dot, and the rest."""
    words = name.split(".")
    for i in range(len(words)):
        yield "".join(f"{word}." for word in words[:i]), ".".join(words[i:])


def _fits(own: Mapping[str, Any], given: Mapping[str, Any], prefix: str, wanted: str) -> int:
    """How many of the given tensors the module would take, by name and shape."""
    found = ((own.get(wanted + name[len(prefix) :]), each) for name, each in given.items() if name.startswith(prefix))
    return sum(tensor is not None and _shape(tensor) == _shape(each) for tensor, each in found)


def _shape(tensor: Any) -> tuple[int, ...] | None:
    size = getattr(tensor, "shape", None)
    return None if size is None else tuple(size)
