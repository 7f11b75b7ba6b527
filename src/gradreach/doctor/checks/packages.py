"""The versions of gradreach and of the packages that it always needs."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import NamedTuple

from gradreach.doctor.check import Check, Diagnosis

_REQUIREMENT = re.compile(r"([\w.-]+)\s*>=\s*([\d.]+)(?:.*extra\s*==\s*['\"]([\w-]+)['\"])?")


class Requirement(NamedTuple):
    """A package that gradreach needs, from which version on; `extra` names what needs it, and is empty for all."""

    name: str
    least: str
    extra: str


def packages() -> Diagnosis:
    """gradreach and what it always needs, by version."""
    return diagnosis([each for each in requirements() if not each.extra], f"gradreach {version('gradreach')}")


def diagnosis(needed: list[Requirement], first: str) -> Diagnosis:
    """The versions of packages, and what to install where one is missing or too old."""
    found = {each: version_of(each.name) for each in needed}
    told = [f"{each.name} {there or 'missing'}" for each, there in found.items()]
    wrong = [f"'{each.name}>={each.least}'" for each, there in found.items() if not enough(there, each.least)]
    text = ", ".join([*([first] if first else []), *told])
    return Diagnosis("error", text, f"pip install {' '.join(wrong)}") if wrong else Diagnosis("ok", text)


def requirements() -> list[Requirement]:
    """Return what the installed gradreach says that it needs."""
    found = (_REQUIREMENT.match(line) for line in requires("gradreach") or ())
    return [Requirement(match[1], match[2], match[3] or "") for match in found if match]


def version_of(name: str) -> str | None:
    """Return the version of a package, None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def enough(there: str | None, least: str) -> bool:
    """Whether the version that is there is the least one or later."""
    return there is not None and _numbers(there) >= _numbers(least)


def _numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: of 2.13.0+cpu these are 2, 13, 0."""
    lead = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in lead[0].split(".")) if lead else ()


CHECK = Check("packages", 2, packages)
