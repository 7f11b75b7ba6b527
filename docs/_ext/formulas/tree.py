"""What a formula is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CLOSING = {"(": ")", "[": "]", "{": "}", "‖": "‖", "|": "|"}
"""The brackets and bars, each with what closes it."""

UPRIGHT = "∂ΔΠ∞…′"
"""What is set upright, and touches what stands beside it as a letter does."""


@dataclass(frozen=True)
class Leaf:
    """A space, a number, a letter, a word, or a sign."""

    kind: str | None
    text: str

    @property
    def is_sign(self) -> bool:
        return self.kind == "sign" and self.text not in UPRIGHT


@dataclass(frozen=True)
class Fence:
    """What stands between brackets or bars."""

    opening: str
    inside: Row


@dataclass(frozen=True)
class Scripted:
    """A base with what stands below and above at its right."""

    base: Node
    below: Row
    above: Row


@dataclass(frozen=True)
class Root:
    inside: Row


@dataclass(frozen=True)
class Fraction:
    above: Row
    below: Row


Node = Leaf | Fence | Scripted | Root | Fraction
Row = tuple[Node, ...]


def is_a(node: Node, kind: str) -> bool:
    return isinstance(node, Leaf) and node.kind == kind


def is_sign(node: Node, among: str = "") -> bool:
    return isinstance(node, Leaf) and node.is_sign and (not among or node.text in among)


def bare(row: Sequence[Node]) -> Row:
    """Without the round brackets around all of it."""
    match row:
        case [Fence("(", inside)]:
            return inside
        case _:
            return tuple(row)
