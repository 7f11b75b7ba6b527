"""The fence around gradreach's own work while a script runs: what it raises ends in the record's notes, never in the
script, and what the script has set up to listen to its own operations hears nothing of it.

Every hook, wrapper, listener and graph hook of ours runs behind it.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from types import CodeType, TracebackType

import torch
from torch.utils._python_dispatch import _disable_current_modes

from gradreach.remedies.guard.events import GaveUp

MOST_FAILURES = 3
"""A part that has failed so often is left out for the rest of the run."""

MOST_ERRORS = 100
"""After so many errors in all nothing is watched any more."""


class OwnWork:
    """A block that is our own work: `with own_work: …`. What it raises is handed to `note` as a sentence, once for each
    line of code that it comes from, and goes no further. What asks the program to end, and what a signal's handler of
    the script raises in the middle of our work, goes through. Blocks may stand within each other, in any thread.

    `has_given_up` says that too much went wrong: nothing more is to be watched. While it `rests`, hooks do nothing.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self.has_given_up = self.rests = False
        self._note = note
        self._open = _OpenBlocks()
        self._errors = 0
        self._told: set[tuple[CodeType, int]] = set()
        self._failures: Counter[str] = Counter()

    @property
    def is_running(self) -> bool:
        """Whether what happens now in this thread is not the script's doing."""
        return self._open.depth > 0

    def __enter__(self) -> None:
        here = self._open
        if not here.depth:
            here.apart = apart()
            here.apart.__enter__()
        here.depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        here = self._open
        here.depth -= 1
        if not here.depth:
            here.apart.__exit__(None, None, None)
        if error is None or not is_ours(error):
            return False
        self.tell(error)
        return True

    def hook(self, act: Callable[..., None]) -> Callable[..., None]:
        """`act` as a hook of ours: it runs as own work, and after it has failed once it does nothing any more."""
        is_sound = True

        def hook(*args: object) -> None:
            nonlocal is_sound
            if is_sound and not self.rests:
                is_sound = False
                with self:
                    act(*args)
                    is_sound = True

        return hook

    def tell(self, error: BaseException, part: str = "") -> None:
        """Note an error, and the line of code that it came from; `part` names what is left out for it."""
        self._errors += 1
        self._failures[part] += 1
        innermost = list(traceback.walk_tb(error.__traceback__))[-1:]
        for frame, line in innermost:
            code = frame.f_code
            if (code, line) not in self._told:
                self._told.add((code, line))
                where = f"{os.path.basename(code.co_filename)}:{line}"
                what = f"{part or 'Part of what is watched'} failed and was left out"
                self._note(f"{what}: {type(error).__name__}: {_words(error)} ({where}).")
        if self._errors >= MOST_ERRORS and not self.has_given_up:
            self.has_given_up = True
            self._note(f"Watching ended early: {MOST_ERRORS} parts of it had failed.")

    def is_out(self, part: str) -> bool:
        """Whether a part has failed so often that it is not to be tried again."""
        return self.has_given_up or self._failures[part] >= MOST_FAILURES


class _OpenBlocks(threading.local):
    """Of each thread: how many blocks are open, and what the outermost has set aside."""

    depth = 0
    apart: AbstractContextManager[object]


def apart() -> AbstractContextManager[object]:
    """Torch without what listens to its operations: the overrides of tensors' classes, and the script's modes (a
    default device, a counter of operations, the recording of a graph)."""
    functions: AbstractContextManager[object] = torch._C.DisableTorchFunction()
    if not torch._C._len_torch_dispatch_stack():
        return functions
    both = ExitStack()
    both.enter_context(functions)
    both.enter_context(_disable_current_modes())
    return both


def as_script() -> AbstractContextManager[object]:
    """Within own work, a block in which the script's own code runs again, on its own default device."""
    block: AbstractContextManager[object] = torch._C._EnableTorchFunction()
    return block


def is_ours(error: BaseException) -> bool:
    """Whether an error is of our own making: not a request to end, nor raised by a signal's handler of the script."""
    if not isinstance(error, Exception) or isinstance(error, GaveUp):
        return False
    handlers = {getattr(signal.getsignal(each), "__code__", None) for each in signal.valid_signals()}
    return not any(frame.f_code in handlers for frame, _ in traceback.walk_tb(error.__traceback__))


def _words(error: BaseException) -> str:
    """The first line of an error's message, which may be a whole report; an error may even fail to tell."""
    try:
        return str(error).partition("\n")[0][:300]
    except Exception:
        return "it has no words"
