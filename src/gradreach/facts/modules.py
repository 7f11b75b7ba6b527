"""The modules of a run by their dotted paths: which root each belongs to, and which are part of one another."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache


@lru_cache(maxsize=4096)
def root_of(roots: tuple[str, ...], path: str) -> str:
    """The root module that a dotted path belongs to: the longest registered name that it starts with."""
    fitting = [name for name in roots if path == name or path.startswith(f"{name}.")]
    return max(fitting, key=len, default=path.split(".", 1)[0])


def is_within(path: str, parts: Iterable[str]) -> bool:
    """Whether any of the `parts` is the module at `path` or lies in it."""
    return any(part == path or part.startswith(f"{path}.") for part in parts)


def of_one_stack(module: str, other: str) -> bool:
    """Whether two paths name one module, parts of it, or members of one numbered list of modules."""
    one, two = (path.rpartition(".")[0] if path.rpartition(".")[2].isdecimal() else path for path in (module, other))
    return one == two or module.startswith(f"{other}.") or other.startswith(f"{module}.")
