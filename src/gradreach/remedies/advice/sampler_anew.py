"""A sampler that begins anew at each pass."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(part: str, kind: str, is_iterator: bool, function: str) -> str:
    if not is_iterator:
        return f"# in {kind}.__iter__: return a new iterator at each call, from a list or a generator function"
    named = function.isidentifier()
    make = function if named else f"make_{part}"
    how = f"the function {make} itself, not what it returns" if named else f"a function that returns a new {kind}"
    return (
        "class Anew:\n"
        "    def __init__(self, make):\n"
        "        self.make = make\n"
        "    def __iter__(self):\n"
        "        return self.make()\n"
        f"{part} = Anew({make})  # {how}; for DataLoader(…, {part}={part})"
    )


SAMPLER_ANEW = Advice(
    id="sampler-anew",
    does="each pass over the loader begins with a new iterator",
    code=_code,
    answers=("GR510",),
    unfit="Where the data can be gone through but once: make one pass.",
)
