"""A tree as text and MathML.

What stands without a space in between becomes one `<math>`, which no line breaks; words stay text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from docutils import nodes

from .fractions import with_fractions
from .reading import Reader
from .tree import CLOSING, UPRIGHT, Fence, Fraction, Leaf, Node, Root, Row, Scripted, is_a, is_sign

_TIGHT = 'lspace="0" rspace="0"'
_SUM = f'<mo {_TIGHT} largeop="true" movablelimits="false">∑</mo>'


def typeset(formula: str) -> list[nodes.Node]:
    """The formula as text and MathML. Raises ValueError where a bracket or a bar stays open."""
    made: list[nodes.Node] = []
    for is_gap, part in groupby(_opened(with_fractions(Reader(formula).row())), lambda node: is_a(node, "space")):
        row = list(part)
        made += [_gap(row)] if is_gap else _set(row)
    return made


def _gap(spaces: Sequence[Node]) -> nodes.Text:
    """Several spaces, which stand between two statements, are a wide one."""
    return nodes.Text(" " if list(spaces) == [Leaf("space", " ")] else "\u2003 ")


def _set(row: Sequence[Node]) -> list[nodes.Node]:
    """What stands without a space in between: as text where it has no letter, else as MathML."""
    if all(is_a(node, "word") or is_a(node, "number") or is_sign(node) for node in row):
        return [nodes.Text("".join(node.text for node in row if isinstance(node, Leaf)))]
    return [nodes.raw("", f'<math displaystyle="true">{_mathml(row)}</math>', format="html")]


def _mathml(row: Sequence[Node]) -> str:
    return "".join(map(_element, row))


def _element(node: Node) -> str:
    match node:
        case Leaf():
            return _leaf(node)
        case Fence(opening, inside):
            stretchy = f'stretchy="{str(_is_tall(inside)).lower()}"'
            brackets = (f"<mo {_TIGHT} {stretchy}>{each}</mo>" for each in (opening, CLOSING[opening]))
            return f"<mrow>{_mathml(inside).join(brackets)}</mrow>"
        case Scripted(Leaf("letter", "Σ"), below, ()):
            return f"<munder>{_SUM}<mrow>{_mathml(below)}</mrow></munder>"
        case Scripted(base, below, ()):
            return f"<msub>{_element(base)}<mrow>{_mathml(below)}</mrow></msub>"
        case Scripted(base, (), above):
            return f"<msup>{_element(base)}<mrow>{_mathml(above)}</mrow></msup>"
        case Scripted(base, below, above):
            return f"<msubsup>{_element(base)}<mrow>{_mathml(below)}</mrow><mrow>{_mathml(above)}</mrow></msubsup>"
        case Root(inside):
            return f"<msqrt>{_mathml(inside)}</msqrt>"
        case Fraction(above, below):
            return f"<mfrac><mrow>{_mathml(above)}</mrow><mrow>{_mathml(below)}</mrow></mfrac>"


def _leaf(leaf: Leaf) -> str:
    match leaf.kind:
        case "space":
            return '<mspace width="0.25em"/>'
        case "number":
            return f"<mn>{leaf.text}</mn>"
        case "word":
            return f"<mtext>{leaf.text}</mtext>"
    if leaf.text == "Σ":
        return _SUM
    if leaf.text in UPRIGHT:
        return f'<mi mathvariant="normal">{leaf.text}</mi>'
    if leaf.is_sign:
        return f'<mo {_TIGHT} stretchy="false">{escape(leaf.text)}</mo>'
    return f"<mi>{leaf.text}</mi>"


def _opened(row: Row) -> Iterator[Node]:
    """Brackets as signs of their own, so that a line may end between them, but for those around a fraction."""
    for node in row:
        match node:
            case Fence(opening, inside) if not _is_tall(inside):
                yield Leaf("sign", opening)
                yield from _opened(inside)
                yield Leaf("sign", CLOSING[opening])
            case Scripted(Fence(opening, inside), below, above) if not _is_tall(inside):
                yield Leaf("sign", opening)
                yield from _opened(inside)
                yield Scripted(Leaf("sign", CLOSING[opening]), below, above)
            case _:
                yield node


def _is_tall(row: Row) -> bool:
    """Whether there is a fraction in it."""
    return any(
        isinstance(node, Fraction)
        or (isinstance(node, Fence | Root) and _is_tall(node.inside))
        or (isinstance(node, Scripted) and _is_tall((node.base,)))
        for node in row
    )
