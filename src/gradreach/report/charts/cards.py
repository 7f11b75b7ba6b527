"""The card of whatever has one."""

from __future__ import annotations

from gradreach.record.has_card import HasCard
from gradreach.record.schema import Finding
from gradreach.report.charts import finding_card
from gradreach.report.charts.card import Card


def card_of(result: HasCard) -> Card:
    """The card of a finding, a reach or a spectrum; raises TypeError for anything else.

    The last two come from the engine, which needs torch: it is imported only where there is such a result.
    """
    if isinstance(result, Finding):
        return finding_card.card(result)
    from gradreach.report.charts import engine_cards

    return engine_cards.card_of(result)
