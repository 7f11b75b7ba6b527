"""What a project sets for all of its runs, in the `[tool.gradreach]` table of its pyproject.toml.

    [tool.gradreach]
    budget = 0.02                    # share of the wall time that watching may cost
    ignore = ["GR101"]               # rules that say nothing

    [tool.gradreach.thresholds]      # figures from which on a rule speaks, each by the name of its field, with dashes

What the command line says wins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradreach.facts.thresholds import DEFAULT, Threshold, Thresholds
from gradreach.facts.wording import figure

BUDGET = 0.02
"""Share of the wall time that watching may cost where nothing else is said."""

TABLE = "tool.gradreach"
_FILE = "pyproject.toml"


class BadSettings(ValueError):
    """A setting that cannot be used; the message names file, key, what was expected, what came and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force; `source` is the file that says so, None where all of it is the default."""

    budget: float = BUDGET
    ignore: tuple[str, ...] = ()
    thresholds: Thresholds = DEFAULT
    source: Path | None = None

    @property
    def changed(self) -> tuple[str, ...]:
        """The keys of the thresholds that are not at their default."""
        return self.thresholds.changed


UNSET = Settings()
"""What holds where no file says anything."""


def of(folder: Path | None = None) -> Settings:
    """The settings of the nearest pyproject.toml at or above `folder` (default: the current one) that has the table.

    Raises BadSettings where that file cannot be read or holds what is no setting.
    """
    for file, text in _candidates(Path.cwd() if folder is None else folder.absolute()):
        table = _table(file, text)
        if table is not None:
            return _settings(table, file)
    return UNSET


def _candidates(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The files that may hold the table, nearest first; most projects' do not so much as name gradreach."""
    for place in (folder, *folder.parents):
        file = place / _FILE
        try:
            text = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue
        except OSError as error:
            raise BadSettings(f"{file}: cannot be read: {error.strerror or error}") from None
        if b"gradreach" in text:
            yield file, text


def _table(file: Path, text: bytes) -> Mapping[str, Any] | None:
    import tomllib

    try:
        whole = tomllib.loads(text.decode())
    except UnicodeDecodeError:
        raise BadSettings(f"{file}: expected UTF-8, as TOML asks for; save it so") from None
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{file}: expected TOML, got {error}; mend it") from None
    tool = whole.get("tool")
    table = tool.get("gradreach") if isinstance(tool, dict) else None
    if table is None:
        return None
    if not isinstance(table, dict):
        raise BadSettings(f"{file}: tool.gradreach: expected a table, got {_came(table)}; write [{TABLE}]")
    return table


def _settings(table: Mapping[str, Any], file: Path) -> Settings:
    _check_keys(table, ("budget", "ignore", "thresholds"), f"{file} [{TABLE}]")
    return Settings(
        budget=_budget(table.get("budget", BUDGET), f"{file} [{TABLE}] budget"),
        ignore=_codes(table.get("ignore", []), f"{file} [{TABLE}] ignore"),
        thresholds=_thresholds(table.get("thresholds", {}), f"{file} [{TABLE}.thresholds]"),
        source=file,
    )


def _check_keys(table: Mapping[str, Any], known: Collection[str], at: str) -> None:
    expected = f"expected one of {', '.join(known)}"
    for key in table:
        if key not in known:
            raise BadSettings(f"{at}: unknown key {key!r}; {_meant(key.replace('_', '-'), known, expected)}")


def _budget(value: object, at: str) -> float:
    number = _number(value)
    if number is None or not 0.0 < number <= 1.0:
        raise BadSettings(f"{at}: expected a share of the wall time above 0 and up to 1, got {_came(value)}; try 0.02")
    return number


def _codes(value: object, at: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(code, str) for code in value):
        raise BadSettings(f'{at}: expected a list of codes, got {_came(value)}; write ["GR101"]')
    if not value:
        return ()
    from gradreach.rules.registry import RULES

    for code in value:
        if code.upper() not in RULES:
            raise BadSettings(
                f"{at}: no rule has the code {code!r}; {_meant(code.upper(), RULES, '`gradreach rules` lists them')}"
            )
    return tuple(code.upper() for code in value)


def _thresholds(value: object, at: str) -> Thresholds:
    if not isinstance(value, dict):
        raise BadSettings(f"{at}: expected a table, got {_came(value)}; write its keys under [{TABLE}.thresholds]")
    from gradreach.rules.registry import THRESHOLDS

    known = THRESHOLDS
    _check_keys(value, known, at)
    given: dict[Threshold, float] = {}
    for key, came in value.items():
        number, each = _number(came), known[key]
        if number is None or not each.low <= number <= each.high:
            raise BadSettings(
                f"{at} {key}: expected {each.range}, got {_came(came)}; it is the {each.meaning}, "
                f"{figure(each.default)} unless set"
            )
        given[each] = number
    return Thresholds(given)


def _number(value: object) -> float | None:
    """`value` as a float; None where it is none, as are true and false."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _came(value: object) -> str:
    """What stands there, as TOML would spell its simple values."""
    if isinstance(value, bool):
        return str(value).lower()
    return "a table" if isinstance(value, dict) else repr(value)[:80]


def _meant(came: str, known: Collection[str], otherwise: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(came, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else otherwise
