"""What there is to run, by name and title, read from the sources: to import them takes torch, and seconds."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import fill

_PACKAGE = Path(__file__).parents[1]


def experiments() -> dict[str, str]:
    """The title of every experiment by its name, in the order in which the theory is taught."""
    folder = _PACKAGE / "experiments"
    sources = (
        file.read_text(encoding="utf-8") for file in sorted([*folder.glob("*.py"), *folder.glob("*/__init__.py")])
    )
    made = [call for source in sources if "= Experiment(" in source for call in _calls(source, "Experiment")]
    told = [{each.arg: getattr(each.value, "value", None) for each in call.keywords} for call in made]
    return {str(each["name"]): str(each["title"]) for each in sorted(told, key=lambda each: int(str(each["lesson"])))}


def tasks() -> dict[str, str]:
    """The first line of every task's docstring by the task's name."""
    tree = ast.parse((_PACKAGE / "tasks" / "offers.py").read_text(encoding="utf-8"))
    homes = {
        each.name: _PACKAGE.parent.joinpath(*node.module.split(".")).with_suffix(".py")
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        for each in node.names
    }
    offered = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "OFFERS" and isinstance(node.value, ast.Dict)
    )
    makers = {ast.literal_eval(key): ast.unparse(call.args[0]) for key, call in _entries(offered)}
    return {name: _says(homes[maker], maker) for name, maker in makers.items()}


def table(rows: Mapping[str, str]) -> str:
    """Names and titles, in lines that fit the terminal."""
    width, first = min(shutil.get_terminal_size().columns, 100), max(map(len, rows)) + 2
    return "\n".join(
        fill(f"{name:<{first}}{says}", width, subsequent_indent=" " * first, break_on_hyphens=False)
        for name, says in rows.items()
    )


def _calls(source: str, name: str) -> Iterable[ast.Call]:
    return (
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and ast.unparse(node.func) == name
    )


def _entries(offered: ast.Dict) -> Iterable[tuple[ast.expr, ast.Call]]:
    pairs = zip(offered.keys, offered.values, strict=True)
    return ((key, call) for key, call in pairs if key is not None and isinstance(call, ast.Call))


def _says(file: Path, function: str) -> str:
    """The first line of a function's docstring."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    made = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    return (ast.get_docstring(made) or "").partition("\n")[0]
