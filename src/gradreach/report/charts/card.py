"""What is shown of one thing by itself, a finding, a reach, a spectrum: the same in a notebook and on a terminal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A named line of a card: what is to be typed, if anything, and prose, in which backticks mark names."""

    name: str
    text: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures under headings; the first column says of what."""

    head: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure as SVG, and what its lines are."""

    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class Card:
    """A title with its place, rows, a table and, in a notebook, figures.

    `level` is a finding's severity, by which the card is coloured; empty where there is nothing to judge.
    """

    title: str
    place: str = ""
    level: str = ""
    rows: tuple[Row, ...] = ()
    table: Table | None = None
    figures: tuple[Drawing, ...] = ()
