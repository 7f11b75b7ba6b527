"""As much of a terminal as it takes to see what stands on its screen."""

from __future__ import annotations

import re

_PIECE = re.compile(rb"\x1b\[([\d;]*)([A-Za-z])|\x1b([D78])|(.)", re.DOTALL)


class Screen:
    """Rows of text as a VT100 shows them, the last `height` of which can be written to."""

    def __init__(self, height: int = 24) -> None:
        self.rows = [""]
        self._height = height
        self._row = self._column = 0
        self._kept = (0, 0)

    def feed(self, data: bytes) -> Screen:
        """Take what a program wrote to the terminal (after its line discipline)."""
        for _parameters, control, escape, char in _PIECE.findall(data):
            if control == b"J":
                self.rows = [*self.rows[: self._row], self.rows[self._row][: self._column]]
            elif control == b"A":
                self._row = max(self._row - 1, len(self.rows) - self._height, 0)
            elif control == b"K":
                self.rows[self._row] = self.rows[self._row][: self._column]
            elif escape == b"D" or char == b"\n":
                self._down()
            elif escape == b"7":
                self._kept = (self._row - self._top(), self._column)
            elif escape == b"8":
                self._row, self._column = self._kept[0] + self._top(), self._kept[1]
            elif char == b"\r":
                self._column = 0
            elif control == b"m":
                continue  # colour
            else:
                assert char, f"unknown control {control!r}"
                row = self.rows[self._row].ljust(self._column)
                self.rows[self._row] = row[: self._column] + char.decode("latin-1") + row[self._column + 1 :]
                self._column += 1
        return self

    def _top(self) -> int:
        return max(len(self.rows) - self._height, 0)

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self.rows):
            self.rows.append("")

    def shown(self) -> list[str]:
        """The rows that are not empty."""
        return [row.rstrip() for row in self.rows if row.strip()]
