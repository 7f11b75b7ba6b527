"""Someone else's program, run as `python` runs it: as `__main__`, with its own argv, path, traceback and exit code."""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Literal

from gradreach.watch.tracebacks import without_ours


class NotRunnable(ValueError):
    """The target is no program; the message says why and what to do."""


@dataclass(frozen=True)
class Program:
    """A script by path, or a module by name (as `python -m`), and its arguments."""

    target: str
    argv: tuple[str, ...] = ()
    is_module: bool = False

    def check(self) -> None:
        """Raises NotRunnable where there is nothing to run."""
        if self.is_module:
            return
        path = Path(self.target)
        if path.is_dir() and not (path / "__main__.py").is_file():
            raise NotRunnable(f"{self.target} is a folder without a __main__.py; name a Python script")
        if not path.exists():
            raise NotRunnable(f"{self.target} does not exist; name a Python script, or a module after -m")
        if path.suffix == ".ipynb":
            raise NotRunnable(
                f"{self.target} is a notebook, and no script: put `with gr.observe(model) as watch:` around its "
                f"training loop, or make a script of it with `jupyter nbconvert --to script {self.target}`"
            )


@dataclass(frozen=True)
class ProgramEnd:
    """How a program ended, and the exit code that `python` would have given."""

    how: Literal["finished", "raised", "interrupted"]
    code: int
    error: str = ""


def execute(program: Program) -> ProgramEnd:
    """Run the program to its end; tracebacks go to stderr without any frame of ours."""
    try:
        with _as_main(program):
            if program.is_module:
                runpy._run_module_as_main(program.target)  # type: ignore[attr-defined]
            elif Path(program.target).is_dir():
                runpy.run_path(program.target, run_name="__main__")
            else:
                exec(_compiled(program.target), sys.modules["__main__"].__dict__)
    except SystemExit as leaving:
        code = _exit_code(leaving)
        return ProgramEnd("finished" if code == 0 else "raised", code, "" if code == 0 else f"exit code {code}")
    except KeyboardInterrupt as error:
        _show(error)
        return ProgramEnd("interrupted", 128 + signal.SIGINT, "KeyboardInterrupt")
    except BaseException as error:
        _show(error)
        return ProgramEnd("raised", 1, f"{type(error).__name__}: {error}")
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
    return ProgramEnd("finished", 0)


def leave(ended: ProgramEnd) -> int:
    """The exit code to end with; a program that was interrupted ends by that very signal, as under `python`."""
    if ended.how == "interrupted" and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return ended.code


def after_import(name: str, then: Callable[[], None]) -> None:
    """Call `then` once the module is imported, or now if it is: the program may set its environment first."""
    if name in sys.modules:
        then()
    else:
        sys.meta_path.insert(0, _AfterImport(name, then))


class _AfterImport:
    def __init__(self, name: str, then: Callable[[], None]) -> None:
        self._name = name
        self._then = then
        self._looking = False

    def find_spec(
        self,
        name: str,
        path: object = None,  # noqa: ARG002
        target: object = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._name or self._looking:
            return None
        self._looking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._looking = False
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
                self._then()

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def _as_main(program: Program) -> Iterator[None]:
    """argv, sys.path[0] and `__main__` as under `python`; path and argv are put back, `__main__` stays for atexit."""
    argv, path = sys.argv, list(sys.path)
    first = os.getcwd() if program.is_module else _folder(program.target)
    sys.argv = [program.target, *program.argv]
    sys.path[:1] = [first]
    main = ModuleType("__main__")
    main.__dict__.update(__builtins__=__builtins__, __spec__=None, __annotations__={})
    if not program.is_module:
        main.__file__ = os.path.abspath(program.target)
        main.__loader__ = importlib.machinery.SourceFileLoader("__main__", main.__file__)
    sys.modules["__main__"] = main
    try:
        yield
    finally:
        sys.argv = argv
        sys.path[:] = path + [entry for entry in sys.path if entry not in path]


def _folder(script: str) -> str:
    path = Path(script).resolve()
    return str(path if path.is_dir() else path.parent)


def _compiled(script: str) -> CodeType:
    path = os.path.abspath(script)
    with io.open_code(path) as file:
        return compile(file.read(), path, "exec", dont_inherit=True)


def _exit_code(leaving: SystemExit) -> int:
    if leaving.code is None or isinstance(leaving.code, int):
        return (leaving.code or 0) & 0xFF
    print(leaving.code, file=sys.stderr)
    return 1


def _show(error: BaseException) -> None:
    """The traceback as `python` prints it, through the program's own excepthook where it set one."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        each.__traceback__ = without_ours(each.__traceback__)
        each = each.__cause__ or each.__context__
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except Exception:
        traceback.print_exception(error)
