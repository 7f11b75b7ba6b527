"""Prose in a column of a terminal: lines end between words, never between a number and its unit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import TextWrapper

from rich.console import Console, ConsoleOptions
from rich.text import Text

_UNIT = r"(?:%|s|ms|steps?|watched|norms?|times|values|layers?|modules?|checks?)"
_BOUND = re.compile(
    rf"(?<=[\d)]) (?={_UNIT}(?!\w))|(?<=\blayer) (?=\d)|(?<=\bstep) (?=\d)|(?<=\blag) (?=\d)| (?=[=×] )|(?<= [=×]) "
)
_TIE = "\ue000"
"""Stands for a space at which no line may end; private, so that no text holds it."""


class Flow:
    """Text that breaks into lines by itself, at spaces alone; a word longer than a line is cut.

    The first `bold` characters are what it says in short.
    """

    def __init__(self, text: str, style: str = "", bold: int = 0) -> None:
        self.text = text
        self.style = style
        self.bold = bold

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Draw within the width that the console gives."""
        drawn = Text("\n".join(lines(self.text, options.max_width)), style=self.style, overflow="fold")
        drawn.stylize("bold", 0, self.bold)
        yield drawn


def lines(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` characters; line ends within it stay."""
    wrapper = TextWrapper(max(width, 1), break_on_hyphens=False)
    return [
        line.replace(_TIE, " ")
        for paragraph in text.split("\n")
        for line in wrapper.wrap(_BOUND.sub(_TIE, paragraph)) or [""]
    ]
