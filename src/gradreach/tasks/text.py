"""Texts, Python's own manual or a file, and what language models of characters and of words share."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor


def manual() -> str:
    """Return CPython's help texts (pydoc_data.topics, 0.46 MB of English), in the order of their names."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))


def read(path: Path) -> str:
    """Read a text file in UTF-8. Raises OSError where it cannot be read, ValueError where it is no UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as broken:
        raise ValueError(f"data: expected a text in UTF-8, got {path}: {broken}") from broken


def frequency_nats(train: Tensor, test: Tensor, kinds: int) -> float:
    """Return the nats a token of `test` of who knows how often each token comes in `train`, plus one."""
    counts = train.bincount(minlength=kinds).double() + 1
    return float(-(counts / counts.sum()).log()[test].mean())
