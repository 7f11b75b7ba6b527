"""Numbers of bytes, as people write and read them."""

from __future__ import annotations

import math
import operator
import re
from typing import Any

_UNITS = {"": 1, **{power + i: base**n for i, base in (("", 1000), ("i", 1024)) for n, power in enumerate("kmgt", 1)}}


def bytes_of(memory: Any) -> int:
    """Bytes, from their number or a text such as "512MB" (10⁶) or "2GiB" (2³⁰). Raises TypeError or ValueError."""
    what = 'a number of bytes over 0, or a text such as "512MB" or "2GiB"'
    if isinstance(memory, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(|[kmgt]i?)B?\s*", memory, re.IGNORECASE)
        size = 0 if found is None else int(float(found[1]) * _UNITS[found[2].lower()])
    else:
        try:
            size = operator.index(memory)
        except TypeError:
            raise TypeError(f"memory: expected {what}, got {memory!r}") from None
    if size < 1 or isinstance(memory, bool):
        raise (TypeError if isinstance(memory, bool) else ValueError)(f"memory: expected {what}, got {memory!r}")
    return size


def readable(size: int) -> str:
    """A number of bytes to three digits: "310 MB", "1.32 GB"."""
    power = min(int(math.log10(size)) // 3, 4) if size >= 1 else 0
    return f"{size / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"
