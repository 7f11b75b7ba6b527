"""How the members of a family are found: one file each in the family's folder, and those that other packages bring."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import TypeVar

Member = TypeVar("Member")

OURS = "gradreach"
"""The origin of the members that gradreach brings itself."""


def in_folder(package: str, kind: type[Member]) -> Iterator[Member]:
    """Import every module in the folder of `package`, in the order of their names, and yield each `kind` made there.

    A member that a module only imports from another one is not its own and is not yielded twice.
    """
    seen: list[Member] = []
    for module in sorted(iter_modules(import_module(package).__path__), key=lambda module: module.name):
        for value in vars(import_module(f"{package}.{module.name}")).values():
            if isinstance(value, kind) and not any(value is other for other in seen):
                seen.append(value)
                yield value


def from_others(group: str, kind: type[Member]) -> Iterator[tuple[str, Member]]:
    """Yield each `kind` that an installed package offers under the entry point `group`, with the package's name.

    Raises TypeError where an entry point leads to something else.
    """
    for entry in entry_points(group=group):
        value = entry.load()
        if not isinstance(value, kind):
            raise TypeError(
                f"entry point {entry.name!r} of {group}: expected a {kind.__name__}, got {type(value).__name__}; "
                f"correct it in the package {_package(entry.dist)}"
            )
        yield _package(entry.dist), value


def _package(distribution: object) -> str:
    return str(getattr(distribution, "name", "unknown"))
