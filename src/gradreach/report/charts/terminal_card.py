"""A card as rich draws it: in the width that the console gives, in ASCII where its encoding holds nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import ASCII, SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from gradreach.facts.wording import safe
from gradreach.report.charts.card import Card, Row, Table
from gradreach.report.charts.flow import Flow

STYLE = {
    "error": "bold red",
    "warning": "bold yellow",
    "info": "bold blue",
    "learns": "bold green",
    "stalled": "bold yellow",
    "unseen": "bold",
}
"""How a severity, or the level of a verdict, is written."""

INDENT = 8
"""Columns by which all but the head of a judged card stands in."""


WIDTH = 100
"""Columns that a text takes at most, whatever the terminal has."""


class CardDrawing:
    """A card that rich prints; its figures are left to those who can show them."""

    def __init__(self, card: Card) -> None:
        self.card = card

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Draw head, rows and table."""
        card, ascii_only = self.card, options.ascii_only
        indent = (0, 0, 0, INDENT if card.level else 2)
        yield from head(card.level, card.title, card.place, options)
        rows = grid()
        for row in card.rows:
            rows.add_row(safe(row.name, ascii_only), _row(row, ascii_only))
        if card.rows:
            yield Padding(rows, indent)
        if card.table is not None:
            yield Padding(_table(card.table, ascii_only), indent)


def print_within(drawn: RenderableType, console: Console) -> None:
    """Print to `console`, at most WIDTH columns wide unless a line may not wrap, no line ending in blanks."""
    with console.capture() as capture:
        console.print(drawn, width=min(console.width, WIDTH), crop=False)
    lines = [line.rstrip() for line in capture.get().rstrip("\n").split("\n")]
    console.file.write("\n".join(line for line, before in zip(lines, ["", *lines], strict=False) if line or before))
    console.file.write("\n")


def console_for(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr: colour and width of the terminal, or no colour and at most WIDTH columns."""
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console


def head(level: str, title: str, place: str, options: ConsoleOptions) -> Iterator[RenderableType]:
    """Severity, title and place; the place on a line of its own where one line does not hold both."""
    title, at = safe(title, options.ascii_only), safe(place, options.ascii_only)
    line = Text.assemble((f"{level:<{INDENT}}" if level else "", STYLE.get(level, "")), (title, "bold"))
    if line.cell_len + 2 + len(at) <= options.max_width:
        yield line.append(f"  {at}" if at else "")
        return
    yield line
    yield Padding(Flow(at), (0, 0, 0, INDENT))


def grid() -> RichTable:
    """Rows of a name and what it names."""
    rows = RichTable.grid(padding=(0, 1))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    return rows


def _row(row: Row, ascii_only: bool) -> RenderableType:
    typed = Text(safe(row.code, ascii_only), style="cyan", overflow="fold")
    prose = Flow(safe(row.text, ascii_only))
    return Group(typed, prose) if row.code and row.text else typed if row.code else prose


def _table(table: Table, ascii_only: bool) -> RichTable:
    drawn = RichTable(box=ASCII if ascii_only else SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in table.head:
        drawn.add_column(safe(name, ascii_only), justify="right", no_wrap=True)
    for cells in table.body:
        drawn.add_row(*(Text(safe(cell, ascii_only)) for cell in cells))
    return drawn
