"""What a check is, and how all of them are made: one that raises is itself what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "warning", "error"]
MARKS: dict[State, str] = {"ok": "✓", "warning": "!", "error": "✗"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check came to: how it stands, in words, and what to do where it does not stand well."""

    state: State
    text: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its name, and what it came to."""

    name: str
    seen: Seen

    def as_dict(self) -> dict[str, Any]:
        """The fields that `gradreach doctor --format json` prints."""
        return {"name": self.name, **asdict(self.seen)}


def made(checks: Mapping[str, Callable[[], Seen]], begin: Callable[[str], None]) -> Iterator[Check]:
    """Each check's result as it comes; `begin` is told the name of the one that is about to be made."""
    for name, check in checks.items():
        begin(name)
        try:
            seen = check()
        except Exception as error:
            seen = Seen("error", f"{type(error).__name__}: {_first_line(error)}")
        yield Check(name, seen)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
