"""How far does your gradient reach, how far does your data need it to, and what closes the difference?

cli: the command line.
observing: watching one's own loop, `gr.observe` and `gr.diagnose`.
settings: what a project's pyproject.toml sets.
report: what people take away of a run.
rules: what is found in the facts of a run, one file a code.
facts: what a record says, each thing derived once.
watch: a live model becomes a record.
remedies: what can be done, each remedy usable alone.
score: the question to the data.
engine: the mathematics of recurrence and depth.
record: the data that all layers speak.
tasks: what the theory is tried on.
experiments: every claim of the theory, measured.
demo: scripts that `gradreach demo` watches.
doctor: whether gradreach works here.

The public names stand in `__init__.pyi`, and nowhere else. Each is imported when it is first used: torch is slow to
import, and who only reads a recording needs none.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any


@cache
def _homes() -> dict[str, str]:
    """Return the dotted path of each public name, as the stub beside this file says."""
    homes = {}
    for node in ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            homes.update({each.asname or each.name: f"{node.module}.{each.name}" for each in node.names})
        elif isinstance(node, ast.Assign):
            homes[ast.unparse(node.targets[0])] = ast.unparse(node.value)
    return homes


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return sorted(_homes())
    if name == "__version__":
        return import_module("importlib.metadata").version("gradreach")
    if name not in _homes():
        raise AttributeError(f"module 'gradreach' has no attribute {name!r}; it has {', '.join(sorted(_homes()))}")
    place, _, attribute = _homes()[name].rpartition(".")
    there = vars(import_module(place))
    return there[attribute] if attribute in there else import_module(f"{place}.{attribute}")


def __dir__() -> list[str]:
    return sorted(_homes())
