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
