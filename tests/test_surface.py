"""What people rely on stays: public names, fields of the JSON reports, commands with their options.

What a release adds is added to the files in `tests/surface`; what is there does not go.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import gradreach as gr
from gradreach.report.json_schema import FORMS, schema
from tests import forked

SURFACE = Path(__file__).with_name("surface")


def _promised(name: str) -> dict[str, Any]:
    promised: dict[str, Any] = json.loads((SURFACE / name).read_text(encoding="utf-8"))
    return promised


def _paths(node: dict[str, Any], root: dict[str, Any], at: str = "", within: tuple[str, ...] = ()) -> set[str]:
    """Every field that a schema describes: `norm.clip.rate`, `time[].reach`."""
    reference = node.get("$ref")
    if reference:
        if reference in within:
            return set()
        target = root
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        return _paths(target, root, at, (*within, reference))
    found = set()
    for name, below in node.get("properties", {}).items():
        path = f"{at}.{name}".lstrip(".")
        found |= {path} | _paths(below, root, path, within)
    if isinstance(node.get("items"), dict):
        found |= _paths(node["items"], root, f"{at}[]", within)
    for choice in (*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())):
        found |= _paths(choice, root, at, within)
    return found


def test_public_names_stay() -> None:
    for name, within in _promised("names.json").items():
        assert name in dir(gr)
        missing = [each for each in within if not hasattr(getattr(gr, name), each) and each not in _fields(name)]
        assert not missing, name


def _fields(name: str) -> set[str]:
    """The fields of a public dataclass; those without a default are no attributes of the class."""
    return set(getattr(getattr(gr, name), "__dataclass_fields__", ()))


@pytest.mark.parametrize("form", FORMS)
def test_fields_of_the_json_reports_stay(form: str) -> None:
    described = schema(form)
    assert set(_promised("fields.json")[form]) <= _paths(described, described)


@pytest.mark.parametrize("command", sorted(_promised("help.json")))
def test_commands_and_their_options_stay(command: str) -> None:
    words = [] if command == "gradreach" else [command]
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    told = forked.run("-m", "gradreach", *words, "--help", env=environment)
    assert told.returncode == 0
    assert told.stdout == _promised("help.json")[command]
