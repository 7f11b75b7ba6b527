"""The source of a process that has torch loaded and forks a child for each command that it is sent.

A child is as a fresh `python` that has just started, less the 2 to 3 s that it takes to load torch: `__main__`, argv,
path, folder, environment and streams are its own, the generators of random numbers are seeded anew, and it runs its
exit handlers. It shares the seed of hashes with its siblings. Numpy, torch and torch's compiler, which the first
optimizer of a script loads, are loaded and yet not imported: they are no entries of `sys.modules` until the child
imports them, so that whatever waits for that import sees it.

It is run as `python -c SOURCE DESCRIPTOR`, so that its frames have no file and belong to no script. At the other end of
the socket DESCRIPTOR is `tests.forked`, which sends for each command one message and four descriptors: stdin, stdout,
stderr, and a socket to which the child's number and later its exit code are written.
"""

import atexit
import gc
import importlib
import io
import json
import multiprocessing.process
import os
import runpy
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

LARGEST = 1 << 20
"""Bytes of one message."""

HIDDEN = ("numpy", "torch", "torch._dynamo")
"""In the order of their import: each with its own modules that those before did not bring."""

SHOWN = ("jinja2", "msgspec", "rich.console", "rich.table", "rich.text", "sqlite3", "typer.main")
"""Loaded and imported: no test of a forked child asks when these come."""


LOADED: dict[str, dict[str, ModuleType]] = {}
"""Of each hidden package all modules by their names that come with it."""


def hide() -> None:
    """Load the packages and take them out of `sys.modules`, and what lies in a package from that as well."""
    for name in HIDDEN:
        before, outermost = set(sys.modules), name.partition(".")[0]
        importlib.import_module(name)
        new = [path for path in sys.modules if path not in before and path.partition(".")[0] == outermost]
        LOADED[name] = {path: sys.modules[path] for path in new}
    for name in HIDDEN:
        for path, inner, holder in held(name):
            if vars(holder).get(inner) is LOADED[name][path]:
                delattr(holder, inner)
        for path in LOADED[name]:
            del sys.modules[path]
    sys.meta_path.insert(0, Finding)


def held(name: str) -> Iterator[tuple[str, str, ModuleType]]:
    """The modules that come with a package and lie in one that came before: path, own name, and what holds it."""
    others = {path: module for other in HIDDEN if other != name for path, module in LOADED[other].items()}
    for path in LOADED[name]:
        outer, _, inner = path.rpartition(".")
        if outer in others:
            yield path, inner, others[outer]


class Finding:
    """Finds what is hidden, as a finder of `sys.meta_path`: whichever module of a package is asked for, all of it."""

    @staticmethod
    def find_spec(name: str, *_: object) -> ModuleSpec | None:
        package = next((package for package in HIDDEN if name in LOADED[package]), None)
        if package is None:
            return None
        module = LOADED[package][name]
        spec = ModuleSpec(name, Restoring(package), origin=getattr(module, "__file__", None))
        if hasattr(module, "__path__"):
            spec.submodule_search_locations = list(module.__path__)
        return spec


class Restoring:
    """Loads a hidden package: puts its modules back."""

    def __init__(self, package: str) -> None:
        self._package = package

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = LOADED[self._package][spec.name]
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec
        sys.modules.update(LOADED[self._package])
        for path, inner, holder in held(self._package):
            setattr(holder, inner, LOADED[self._package][path])
        if self._package == "torch":
            importlib.import_module("numpy")


def serve(requests: socket.socket) -> None:
    """Fork for each message until the other end is closed. The child of a child runs the command and never returns."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, LARGEST, 4)
        if not message:
            while reaped(0):
                pass
            return
        if len(os.listdir("/proc/self/task")) > 1:
            raise RuntimeError("the server has threads, which do not survive a fork")
        if os.fork() == 0:
            requests.close()
            start(descriptors, json.loads(message))
        for descriptor in descriptors:
            os.close(descriptor)
        while reaped(os.WNOHANG):
            pass


def reaped(how: int) -> bool:
    """Whether a child was waited for: then its time counts as this process's."""
    try:
        return os.waitpid(-1, how)[0] != 0
    except ChildProcessError:
        return False


def start(descriptors: list[int], command: dict[str, Any]) -> NoReturn:
    """Fork the process that runs the command; say its number, and how it ended."""
    *streams, said = descriptors
    child = os.fork()
    if child == 0:
        os.close(said)
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
            os.close(descriptor)
        become(command)
        end(run())
    for number in (*streams, 0, 1, 2):
        os.close(number)
    os.write(said, b"%d\n" % child)
    os.write(said, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    os._exit(0)


def become(command: dict[str, Any]) -> None:
    """Make this process as one that has just started."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if command["own_session"]:
        os.setsid()
    os.chdir(command["cwd"])
    os.environ.clear()
    os.environ.update(command["environment"])
    open_streams()
    LOADED["torch"]["torch"].default_generator.seed()  # drawn when torch is loaded; `random` draws its own after a fork
    multiprocessing.process.ORIGINAL_DIR = os.getcwd()
    sys.modules["__main__"] = ModuleType("__main__")
    sys.argv = command["argv"]


def open_streams() -> None:
    """Text streams over descriptors 0 to 2 as an interpreter opens them when it starts."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        unbuffered = number > 0 and old.write_through  # by PYTHONUNBUFFERED
        binary = open(number, "wb" if number else "rb", 0 if unbuffered else -1, closefd=False)  # noqa: SIM115
        raw = binary if unbuffered else binary.raw
        raw.name = f"<{name}>"
        new = io.TextIOWrapper(
            binary,
            old.encoding,
            old.errors,
            "\n" if number else None,
            line_buffering=name == "stderr" or raw.isatty(),
            write_through=unbuffered,
        )
        new.mode = "w" if number else "r"
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def run() -> int:
    """Run `-m MODULE …` or `SCRIPT …` of `sys.argv` and return the exit code that an interpreter gives it."""
    try:
        if sys.argv[0] == "-m":
            name = sys.argv.pop(1)
            sys.path[0] = os.getcwd()
            runpy._run_module_as_main(name)
        else:
            run_script(sys.argv[0])
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            return (leaving.code or 0) & 0xFF
        print(leaving.code, file=sys.stderr)
        return 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def run_script(path: str) -> None:
    sys.path[0] = os.path.dirname(os.path.realpath(path))
    main = sys.modules["__main__"]
    main.__file__ = os.path.abspath(path)
    with io.open_code(path) as file:
        exec(compile(file.read(), path, "exec", dont_inherit=True), main.__dict__)


def end(code: int) -> NoReturn:
    """End as an interpreter does, but for taking apart what was loaded before the fork: that costs most of a second."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    os._exit(code)


for module in SHOWN:
    importlib.import_module(module)
hide()
gc.collect()
gc.freeze()  # a collection in a child would copy every page of it
signal.signal(signal.SIGINT, signal.SIG_IGN)
serve(socket.socket(fileno=int(sys.argv[1])))
