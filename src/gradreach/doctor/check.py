"""What a check is, and how all of them are made: one that raises is itself what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any, Literal

from gradreach.record.members import in_folder

State = Literal["ok", "warning", "error"]
MARKS: dict[State, str] = {"ok": "✓", "warning": "!", "error": "✗"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a check came to: its state, in words, and what to do where it is not well."""

    state: State
    text: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, its place among the others, what it does, and whether it is left out without torch."""

    name: str
    order: int
    diagnose: Callable[[], Diagnosis]
    needs_torch: bool = False


def torch_is_installed() -> bool:
    """Whether torch can be imported at all."""
    return find_spec("torch") is not None


def checks() -> list[Check]:
    """Return the checks that can be made, in their order."""
    found = sorted(in_folder("gradreach.doctor.checks", Check), key=lambda check: check.order)
    return [check for check in found if torch_is_installed() or not check.needs_torch]


def examine(checks: Iterable[Check], begin: Callable[[str], None]) -> Iterator[tuple[str, Diagnosis]]:
    """Yield the name and the diagnosis of each check as it comes; `begin` is told the name of the one that is next."""
    for check in checks:
        begin(check.name)
        try:
            diagnosis = check.diagnose()
        except Exception as error:
            first_line = (str(error).strip().splitlines() or ["no message"])[0]
            diagnosis = Diagnosis("error", f"{type(error).__name__}: {first_line}")
        yield check.name, diagnosis


def as_dict(name: str, diagnosis: Diagnosis) -> dict[str, Any]:
    """Return the fields that `gradreach doctor --format json` prints of one check."""
    return {"name": name, **asdict(diagnosis)}
