"""Strokes as fractions: `∂L/∂w` of what touches the stroke, `a · b / ‖c‖` of the products on both sides."""

from __future__ import annotations

from collections.abc import Sequence

from .tree import Fence, Fraction, Leaf, Node, Root, Row, Scripted, bare, is_a, is_sign

_PRODUCT_ENDS = "=≤≥<>≈~→←∝,;:+−"


def with_fractions(row: Row) -> Row:
    done: list[Node] = []
    rest = [_within(node) for node in row]
    while rest:
        node = rest.pop(0)
        if node == Leaf("sign", "/"):
            if of_products := is_a(done[-1], "space"):
                del done[-1], rest[0]
            start = _product_start(done) if of_products else _touching_start(done)
            end = _product_end(rest) if of_products else _touching_end(rest)
            node = Fraction(bare(done[start:]), bare(rest[:end]))
            del done[start:], rest[:end]
        done.append(node)
    return tuple(done)


def _within(node: Node) -> Node:
    match node:
        case Fence(opening, inside):
            return Fence(opening, with_fractions(inside))
        case Scripted(base, below, above):
            return Scripted(_within(base), below, above)
        case Root(inside):
            return Root(with_fractions(inside))
        case _:
            return node


def _touching_start(done: Sequence[Node]) -> int:
    start = len(done)
    while start and not is_a(done[start - 1], "space") and not is_sign(done[start - 1]):
        start -= 1
    return start


def _touching_end(rest: Sequence[Node]) -> int:
    """Up to a space, a sign or the argument of what stands below: `∂L/∂w(w_j)` is (∂L/∂w)(w_j)."""
    end = 0
    while end < len(rest) and not is_a(rest[end], "space") and not is_sign(rest[end]):
        if end and isinstance(rest[end], Fence) and rest[end - 1] != Leaf("sign", "∂"):
            break
        end += 1
    return end


def _product_start(done: Sequence[Node]) -> int:
    start = len(done)
    while start and not is_sign(done[start - 1], _PRODUCT_ENDS):
        start -= 1
    while is_a(done[start], "space"):
        start += 1
    return start


def _product_end(rest: Sequence[Node]) -> int:
    """Up to a sign, or to a word after what is none: `max σ′` is one product, of `‖w‖ per update` only ‖w‖ is below."""
    end = 0
    while end < len(rest) and not is_sign(rest[end]):
        if is_a(rest[end], "word") and not all(is_a(node, "word") or is_a(node, "space") for node in rest[:end]):
            break
        end += 1
    while is_a(rest[end - 1], "space"):
        end -= 1
    return end
