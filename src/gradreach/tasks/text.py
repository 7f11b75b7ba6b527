"""Texts: Python's own manual, or a file."""

from __future__ import annotations

from pathlib import Path


def manual() -> str:
    """CPython's help texts (pydoc_data.topics, 0.46 MB of English), in the order of their names."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))


def read(path: Path) -> str:
    """A text file in UTF-8. Raises OSError where it cannot be read, ValueError where it is no UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as broken:
        raise ValueError(f"data: expected a text in UTF-8, got {path}: {broken}") from broken
