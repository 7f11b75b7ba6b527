"""Documents that a schema must refuse: a required field left out, or of a type that it cannot have."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

Path = tuple[str | int, ...]


def missing(document: Any, schema: Any) -> Iterator[tuple[Path, Any]]:
    """The document without each field that the schema requires, of a list in its first entry that holds anything."""
    for path, value, part in _walk(document, schema, schema):
        if isinstance(value, dict):
            for name in part.get("required", ()):
                yield (*path, name), _changed(document, path, lambda found, name=name: found.pop(name))


def of_another_type(document: Any, schema: Any) -> Iterator[tuple[Path, Any]]:
    """The document with a list of lists of nothing in place of each required field."""
    for path, value, part in _walk(document, schema, schema):
        if isinstance(value, dict):
            for name in part.get("required", ()):
                yield (
                    (*path, name),
                    _changed(
                        document, path, lambda found, name=name: found.update({name: [[["of", "another", "type"]]]})
                    ),
                )


def _changed(document: Any, path: Path, change: Any) -> Any:
    copy = deepcopy(document)
    found = copy
    for step in path:
        found = found[step]
    change(found)
    return copy


def _walk(value: Any, part: Any, schema: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Each object of the document with the part of the schema that it must meet."""
    part = _resolved(part, value, schema)
    if isinstance(value, dict):
        yield path, value, part
        for name, inner in part.get("properties", {}).items():
            if name in value:
                yield from _walk(value[name], inner, schema, (*path, name))
    elif isinstance(value, list) and value and "items" in part:
        yield from _walk(value[0], part["items"], schema, (*path, 0))


def _resolved(part: Any, value: Any, schema: Any) -> Any:
    if isinstance(part, dict) and "$ref" in part:
        return _resolved(schema["$defs"][part["$ref"].rpartition("/")[2]], value, schema)
    if isinstance(part, dict) and "anyOf" in part and value is not None:
        return _resolved(next(each for each in part["anyOf"] if each.get("type") != "null"), value, schema)
    return part if isinstance(part, dict) else {}
