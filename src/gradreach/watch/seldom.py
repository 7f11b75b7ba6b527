"""How often a look asks what further looks answer alike, because it stands in the script's code or changes slowly."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

FIRST_LOOKS = 4
"""Looks in a row that find nothing of a kind before it is asked about seldom."""


def is_asked(looks: int, first: int, every: int = 4) -> bool:
    """Whether a question is asked after so many looks that could ask it: on the `first` ones, then on each `every`-th.

    >>> [looks for looks in range(16) if is_asked(looks, 6)]
    [0, 1, 2, 3, 4, 5, 9, 13]
    """
    return looks < first or (looks - first) % every == every - 1


def may_be_found(carried: dict[Any, Any], kind: Hashable) -> bool:
    """Whether a look asks for what it may find of a kind: seldom after several looks in a row that found none."""
    return is_asked(carried.get(kind, 0), FIRST_LOOKS)


def was_found(carried: dict[Any, Any], kind: Hashable, *, found: bool) -> None:
    """Keep for the looks that follow whether this one, which asked or not, found any of a kind."""
    carried[kind] = 0 if found else carried.get(kind, 0) + 1
