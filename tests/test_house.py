"""The house keeps its own rules: each folder names in its docstring what lies in it, and no class is named twice."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import gradreach

HOUSE = Path(gradreach.__file__).parent

LATE = {
    "cli": "the command line answers --help and tab completion without torch and without the report",
    "doctor": "the doctor reports on an environment in which torch may not load",
    "engine/cells": "numba, which the compiled loops need, is optional",
    "engine/compiled_scan.py": "numba is optional",
    "experiments": "matplotlib and scipy are optional; a list of the experiments needs no torch",
    "record/has_card.py": "what shows itself imports what draws it when it is shown",
    "report/charts/cards.py": "what draws a card is imported when it is shown",
    "report/report.py": "each form of a report is imported when it is asked for",
    "settings.py": "a script that is watched needs neither rules nor a parser of settings until its report",
    "tasks": "scikit-learn and scipy are optional; the standard library's topics are large",
    "watch/launch": "torch is imported by the script that is watched, not before it",
    "watch/memory.py": "what tells the memory that was used is not there on every system",
    "watch/samples": "the question to the data is imported when it is first asked",
    "watch/session.py": "a guard over every optimizer is imported where it is asked for",
}
"""Where a function may import, and why it does not wait at the top of its module."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
PACKAGES = {str(init.parent.relative_to(HOUSE)): init for init in sorted(HOUSE.rglob("__init__.py"))}


def members(package: Path) -> Iterator[str]:
    """The modules and packages that lie in a package's folder."""
    for entry in package.parent.iterdir():
        if entry.suffix == ".py" and entry.stem not in ("__init__", "__main__"):
            yield entry.stem
        elif (entry / "__init__.py").is_file():
            yield entry.name


def missing(package: Path) -> set[str]:
    """Those that the package's docstring does not name as `name:` or `name,`."""
    told = ast.get_docstring(ast.parse(package.read_text(encoding="utf-8"))) or ""
    return {name for name in members(package) if not re.search(rf"(?<![\w.]){name}`{{0,2}}[:,]", told)}


def classes() -> dict[str, list[str]]:
    """Of each class the modules that define it, but for those of the experiments, each of which stands alone."""
    places: dict[str, list[str]] = defaultdict(list)
    for file in sorted(HOUSE.rglob("*.py")):
        place = str(file.relative_to(HOUSE))
        if not place.startswith("experiments"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(place)
    return places


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_names_all_that_lies_in_it(package: str) -> None:
    assert not missing(PACKAGES[package])


def test_no_two_classes_have_one_name() -> None:
    twice = {name: places for name, places in classes().items() if len(places) > 1}
    assert not twice


def imports_late(file: Path) -> bool:
    """Whether a function in the file imports something."""
    functions = (node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, FUNCTIONS))
    return any(isinstance(node, ast.Import | ast.ImportFrom) for function in functions for node in ast.walk(function))


def test_functions_import_only_where_there_is_a_reason() -> None:
    late = [file.relative_to(HOUSE) for file in sorted(HOUSE.rglob("*.py")) if imports_late(file)]
    reasons = {str(file): [place for place in LATE if file.is_relative_to(place)] for file in late}
    assert not [file for file, places in reasons.items() if not places]
    assert {place for places in reasons.values() for place in places} == set(LATE)
