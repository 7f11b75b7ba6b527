"""Where what a command says goes: results to stdout, all else to stderr, files to disk, and its exit code."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import fill
from typing import Any

from gradreach.facts import wording

CLEAN, FOUND, USAGE, UNREADABLE = 0, 1, 2, 3
"""Exit codes: nothing found, findings at or above the level, wrong usage, a recording that cannot be read."""


def say(text: str) -> None:
    """Print a result, in ASCII where stdout holds nothing else."""
    text = wording.printable(text)
    print(text if (sys.stdout.encoding or "").lower().startswith("utf") else wording.to_ascii(text))


def say_in_lines(text: str) -> None:
    """Print prose: at a terminal in lines that end between words, elsewhere, as in a log, as it stands."""
    say(fitting(text, at_a_terminal=sys.stdout.isatty()))


def fitting(text: str, *, at_a_terminal: bool) -> str:
    """`text` in lines that end between words where that is asked, else as it stands."""
    if not at_a_terminal:
        return text
    width = min(shutil.get_terminal_size().columns, 100)
    return "\n".join(fill(each, width, break_on_hyphens=False, break_long_words=False) for each in text.split("\n"))


def say_as_json(value: Any) -> None:
    """Print a result as one line of JSON, ASCII alone."""
    import json

    print(json.dumps(value))


def complain(text: str) -> None:
    """Print to stderr what went wrong."""
    sentence = wording.to_ascii(wording.printable(f"gradreach: {text}"))
    print(fitting(sentence, at_a_terminal=sys.stderr.isatty()), file=sys.stderr)


def write(path: Path, content: Callable[[], str]) -> bool:
    """Write a file; whether that worked, with a complaint where it did not."""
    try:
        path.write_text(content(), encoding="utf-8")
    except OSError as error:
        complain(f"cannot write {path}: {error.strerror or error}")
        return False
    return True


def unknown_rule(code: str) -> int:
    """Complain of a code that no rule has, with those that it may stand for; the exit code."""
    from difflib import get_close_matches

    from gradreach.rules.registry import RULES

    near = get_close_matches(code.upper(), RULES, n=3, cutoff=0.5)
    near = near or [rule.code for rule in RULES.values() if code.lower() in rule.title.lower()][:3]
    hint = f"did you mean {' or '.join(near)}?" if near else "`gradreach rules` lists them."
    complain(f"no rule has the code {code}; {hint}")
    return USAGE
