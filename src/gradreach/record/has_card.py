"""What shows itself as a card in a notebook and on a terminal: findings, reaches, spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradreach.report.charts.terminal_card import CardDrawing


class HasCard:
    """A mixin for results that a notebook and rich can show.

    What draws them stands far above them, and is imported when something is shown.
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        """The result as a card in a notebook."""
        from gradreach.report.charts import notebook_card
        from gradreach.report.charts.cards import card_of

        return notebook_card.html(card_of(self))

    def __rich__(self) -> CardDrawing:
        """The result as rich prints it."""
        from gradreach.report.charts.cards import card_of
        from gradreach.report.charts.terminal_card import CardDrawing

        return CardDrawing(card_of(self))
