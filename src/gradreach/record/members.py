"""How the members of a family are found: one file each in the family's folder, and those that other packages bring."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
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


def warn(told: str) -> None:
    """Warn of what another package brings and gradreach leaves out."""
    warnings.warn(f"gradreach: {told}", stacklevel=3)


def from_others(group: str, kind: type[Member], left_out: Callable[[str], None] = warn) -> Iterator[tuple[str, Member]]:
    """Yield each `kind` that an installed package offers under the entry point `group`, with the package's name.

    An entry point that cannot be loaded, or that leads to something else, is left out and told of by `left_out`: what
    another package breaks must not cost a recording.
    """
    for entry in entry_points(group=group):
        package = str(getattr(entry.dist, "name", "unknown"))
        try:
            value = entry.load()
        except Exception as error:
            left_out(f"{entry.name} of {package} is left out, for it failed to load: {type(error).__name__}: {error}.")
            continue
        if isinstance(value, kind):
            yield package, value
        else:
            got = f"expected a {kind.__name__}, got {type(value).__name__}"
            left_out(f"{entry.name} of {package} is left out: {got} at its entry point in {group}.")
