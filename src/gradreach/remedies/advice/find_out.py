"""Find out more where nothing is known that would help."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(script: str, code: str, watched: bool) -> str:
    """The next thing to ask: of a run of which every step was `watched`, what else the finding may come from."""
    return (
        f"gradreach explain {code}" if watched else f"gradreach run --every 1 {script}  # and its arguments as before"
    )


FIND_OUT = Advice(
    id="find-out",
    does="what is known to help is in place already, or this run's own figures speak against it",
    code=_code,
    answers=(),
    unfit="Where another remedy is named.",
)
