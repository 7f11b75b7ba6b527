"""A line of text as a tree: brackets, scripts and roots, no fractions yet."""

from __future__ import annotations

import re

from .tree import CLOSING, Fence, Leaf, Node, Root, Row, Scripted, bare

_LEAF = re.compile(
    r"(?P<space> +)"
    r"|(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)"
    r"|(?P<differential>d(?!o\b)(?=[A-Za-z](?![A-Za-z])))"
    r"|(?P<word>(?<!\w)a(?= [A-Za-z]{2})|[A-Za-z][A-Za-z\d]+(?:['.][a-z]+)*|[a-z](?:\.[a-z]+)+)"
    r"|(?P<letter>[^\W\d_ᵀ²])"
    r"|(?P<given>(?<= )\|(?= ))"
    r"|(?P<sign>.)"
)
_ABOVE = {"ᵀ": Leaf("word", "T"), "²": Leaf("number", "2")}


class Reader:
    """Reads a formula from left to right."""

    def __init__(self, formula: str) -> None:
        self._formula = formula
        self._leaves = [Leaf(found.lastgroup, found[0]) for found in _LEAF.finditer(formula)]
        self._at = 0

    def row(self, closing: str = "") -> Row:
        read: list[Node] = []
        while self._here not in ("", closing):
            read.append(self._scripted(self._node()))
        return tuple(read)

    @property
    def _here(self) -> str:
        return self._leaves[self._at].text if self._at < len(self._leaves) else ""

    def _node(self) -> Node:
        leaf = self._leaves[self._at]
        self._at += 1
        if leaf.text == "√":
            return Root(bare((self._node(),)))
        if leaf.kind != "sign" or leaf.text not in CLOSING:
            return leaf
        inside = self.row(CLOSING[leaf.text])
        if not self._here:
            raise ValueError(f"{self._formula}: expected {CLOSING[leaf.text]} after {leaf.text}, got the end")
        self._at += 1
        return Fence(leaf.text, inside)

    def _scripted(self, base: Node) -> Node:
        below: Row = ()
        above: Row = ()
        while (here := self._here) in ("_", "^", *_ABOVE):
            self._at += 1
            if here == "_":
                below = self._script()
            else:
                above += (_ABOVE[here],) if here in _ABOVE else self._script()
        return Scripted(base, below, above) if below or above else base

    def _script(self) -> Row:
        """What stands within brackets without these; a word of two letters is two letters."""
        match self._node():
            case Fence(_, inside):
                return inside
            case Leaf("word", text) if len(text) == 2:
                return tuple(Leaf("letter", letter) for letter in text)
            case node:
                return (node,)
