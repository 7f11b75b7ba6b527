"""What a panel of the page is: when it is there, what it shows, and how much of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from gradreach.report.conclusions import Conclusions


@dataclass(frozen=True, slots=True)
class Limits:
    """How many of each the page shows; the JSON report holds the rest."""

    findings: int = 60
    layers: int = 16
    modules: int = 300
    lags: int = 240
    sites: int = 60

    def halved(self) -> Limits:
        """Half as many of each."""
        return Limits(*(getattr(self, field.name) // 2 for field in fields(self)))


Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """One part of the page, which its fragment `templates/panels/ID.html.j2` draws from its `data`.

    Panels stand on the page in the order of their `place`. `data` is None where a run has nothing to show there.
    `title` is the panel's name in the navigation, which leads to the element `anchor`; a panel without a title is left
    out there.
    """

    id: str
    place: int
    data: Callable[[Conclusions, Limits], Data | None]
    title: str = ""
    anchor: str = ""
