"""An IterableDataset that begins anew at each pass."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(kind: str) -> str:
    return (
        f"# in {kind}: what is read is opened in __iter__ itself, not in __init__\n"
        "def __iter__(self):\n"
        "    yield from self.open()  # a new iterator at each call"
    )


ROWS_ANEW = Advice(
    id="rows-anew",
    does="each pass over the dataset reads from its beginning",
    code=_code,
    answers=("GR510",),
    unfit="Where the data can be gone through but once: make one pass.",
)
