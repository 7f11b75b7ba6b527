"""What a project sets for all of its runs, in the `[tool.gradreach]` table of its pyproject.toml.

    [tool.gradreach]
    budget = 0.02                    # share of the wall time that watching may cost
    memory = "500MB"                 # what a look may take, where not a quarter of what the process holds
    ignore = ["GR101"]               # rules that say nothing

    [tool.gradreach.thresholds]      # figures from which on a rule speaks, each by the name of its field, with dashes

What the command line says wins.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, ValidationError, convert

from gradreach.facts.thresholds import DEFAULT, Threshold, Thresholds
from gradreach.facts.wording import figure
from gradreach.record.byte_sizes import bytes_of

BUDGET = 0.02
"""The share of the wall time that watching may cost where nothing else is said."""

TABLE = "tool.gradreach"
_SHARE = Annotated[float, Meta(gt=0.0, le=1.0)]
_FILE = "pyproject.toml"


class BadSettings(ValueError):
    """A setting that cannot be used; the message names file, key, what was expected, what came and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force; `source` is the file that sets them, None where all of them are the defaults."""

    budget: float = BUDGET
    ignore: tuple[str, ...] = ()
    thresholds: Thresholds = DEFAULT
    source: Path | None = None
    memory: int | None = None

    @property
    def changed(self) -> tuple[str, ...]:
        """The keys of the thresholds that are not at their default."""
        return self.thresholds.changed


UNSET = Settings()
"""What holds where no file says anything."""


def of(folder: Path | None = None) -> Settings:
    """Read the settings of the nearest pyproject.toml at or above `folder` (default: the current one) with the table.

    Raises BadSettings where that file cannot be read or holds what is no setting.
    """
    for file, text in _candidates(Path.cwd() if folder is None else folder.absolute()):
        table = _table(file, text)
        if table is not None:
            return _settings(table, file)
    return UNSET


def _candidates(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield the files that may hold the table, nearest first; most projects' do not even name gradreach."""
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
    at = f"{file} [{TABLE}]"
    _check_keys(table, ("budget", "memory", "ignore", "thresholds"), at)
    share = "a share of the wall time above 0 and up to 1"
    return Settings(
        budget=_value(table.get("budget", BUDGET), _SHARE, f"{at} budget", share, "try 0.02"),
        memory=None if "memory" not in table else _memory(table["memory"], f"{at} memory"),
        ignore=_codes(table.get("ignore", []), f"{at} ignore"),
        thresholds=_thresholds(table.get("thresholds", {}), f"{file} [{TABLE}.thresholds]"),
        source=file,
    )


def _value(value: object, kind: Any, at: str, expected: str, do: str) -> Any:
    """Convert what stands in the file. Raises BadSettings where it is of another kind, or out of its range."""
    try:
        return convert(value, kind)
    except ValidationError:
        raise BadSettings(f"{at}: expected {expected}, got {_came(value)}; {do}") from None


def _check_keys(table: Mapping[str, Any], known: Collection[str], at: str) -> None:
    expected = f"expected one of {', '.join(known)}"
    for key in table:
        if key not in known:
            raise BadSettings(f"{at}: unknown key {key!r}; {_meant(key.replace('_', '-'), known, expected)}")


def _memory(value: object, at: str) -> int:
    try:
        return bytes_of(value)
    except (TypeError, ValueError):
        raise BadSettings(f'{at}: expected a size of memory, got {_came(value)}; try "500MB"') from None


def _codes(value: object, at: str) -> tuple[str, ...]:
    codes = _value(value, list[str], at, "a list of codes", 'write ["GR101"]')
    if codes:
        from gradreach.rules.registry import RULES

        for code in codes:
            if code.upper() not in RULES:
                meant = _meant(code.upper(), RULES, "`gradreach rules` lists them")
                raise BadSettings(f"{at}: no rule has the code {code!r}; {meant}")
    return tuple(code.upper() for code in codes)


def _thresholds(value: object, at: str) -> Thresholds:
    from gradreach.rules.registry import THRESHOLDS

    table = _value(value, dict[str, Any], at, "a table", f"write its keys under [{TABLE}.thresholds]")
    _check_keys(table, THRESHOLDS, at)
    return Thresholds({THRESHOLDS[key]: _threshold(came, THRESHOLDS[key], at) for key, came in table.items()})


def _threshold(value: object, threshold: Threshold, at: str) -> float:
    top = threshold.high if threshold.high < math.inf else None
    kind: Any = Annotated[float, Meta(ge=threshold.low, le=top)]
    do = f"it is the {threshold.meaning}, {figure(threshold.default)} unless set"
    number: float = _value(value, kind, f"{at} {threshold.key}", threshold.range, do)
    return number


def _came(value: object) -> str:
    """What stands there, as TOML would spell its simple values."""
    if isinstance(value, bool):
        return str(value).lower()
    return "a table" if isinstance(value, dict) else repr(value)[:80]


def _meant(came: str, known: Collection[str], otherwise: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(came, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else otherwise
