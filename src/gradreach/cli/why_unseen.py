"""Why a program ended without a backward pass, in one sentence: what Python or the program said, and what to do."""

from __future__ import annotations

import re
import sys

from gradreach.facts.known_errors import meaning
from gradreach.watch.launch.program import Program, ProgramEnd

_PLACE = re.compile(r"(?P<what>.*) \((?P<file>.*), line (?P<line>\d+)\)")
_UNREADABLE = ("SyntaxError", "IndentationError", "TabError")
_OURS = (
    "--out",
    "--budget",
    "--memory",
    "--every",
    "--steps",
    "--json",
    "--html",
    "--fail-on",
    "--guard",
    "--no-children",
    "--quiet",
)


def why_unseen(program: Program, ended: ProgramEnd, asked_otherwise: str = "") -> str:
    """The sentence for a run that saw no backward pass; `asked_otherwise` says what else asked for gradients."""
    name = program.target
    if ended.how == "interrupted":
        return f"{name} was interrupted before its first backward pass"
    if ended.how == "finished":
        return _finished(program, asked_otherwise)
    kind, _, said = ended.error.partition(": ")
    if kind in _UNREADABLE:
        return f"Python cannot read {_where(said, name)}; nothing was trained"
    if kind == "ModuleNotFoundError":
        missing = said.rpartition("'")[0].rpartition("'")[2] or "a module"
        return f"{name} imports {missing}, which {sys.executable} does not find: install it there; nothing was trained"
    if kind == "ImportError":
        return f"{name} ended at an import, before any training: {said}"
    if not said and kind.startswith("exit code"):
        return f"{name} ended itself with {kind} before its first backward pass{_misplaced(program)}"
    raised = f"{name} raised {ended.error.splitlines()[0]} before its first backward pass"
    means = meaning(ended.error)
    return f"{raised}. {means}" if means else f"{raised}: the traceback is the script's own"


def _finished(program: Program, asked_otherwise: str) -> str:
    name = program.target
    if {"-h", "--help"} & set(program.argv):
        return f"{name} was asked for its help and trained nothing"
    if "torch" not in sys.modules:
        return f"{name} ran to its end and never imported torch: there was nothing to watch"
    unseen = f"{name} ran to its end, and no backward pass was seen"
    if asked_otherwise:
        return f"{unseen}: {asked_otherwise}"
    return f"{unseen}: in this process it called neither Tensor.backward nor torch.autograd.backward"


def _where(said: str, name: str) -> str:
    """The file, the line and the reason, from Python's own words: train.py, line 3: invalid syntax."""
    found = _PLACE.fullmatch(said)
    return f"{found['file']}, line {found['line']}: {found['what']}" if found else f"{name}: {said}"


def _misplaced(program: Program) -> str:
    """A hint where an option of gradreach's stands after the script, and so is the script's."""
    ours = [word for word in program.argv if word.partition("=")[0] in _OURS]
    return f"; {ours[0]} was given to the script: gradreach's own options stand before its name" if ours else ""
