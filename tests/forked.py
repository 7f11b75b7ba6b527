"""Starts `python` commands by fork from a process that has torch loaded (`tests/fork_server.py`), one a test session.

What asks how a process starts (what it imports, its options, its environment's PYTHON… variables) starts a true one.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock

READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "OMP_", "MKL_", "KMP_", "TORCH_", "MALLOC_", "GLIBC_")
"""Variables that an interpreter or torch reads once, when it is loaded; a forked child has the server's."""


class Child:
    """A forked child, handled as `subprocess.Popen` handles one."""

    def __init__(
        self,
        *args: str | Path,
        stdin: int,
        stdout: int,
        stderr: int,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        start_new_session: bool = False,
    ) -> None:
        """Start `python ARGS`, where ARGS begin with -m and a module or with a script."""
        environment = {**(os.environ if env is None else env), "OMP_NUM_THREADS": "1"}
        server = _server()
        server.refuse(environment)
        message = {
            "argv": [str(arg) for arg in args],
            "cwd": str(cwd or os.getcwd()),
            "environment": environment,
            "own_session": start_new_session,
        }
        self._said, theirs = socket.socketpair()
        with theirs:
            server.send(message, [stdin, stdout, stderr, theirs.fileno()])
        self._lines = self._said.makefile("r", encoding="ascii")
        self.pid = int(self._lines.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, or minus the signal that ended it. Raises TimeoutExpired where it is still running."""
        if self.returncode is None:
            self._said.settimeout(timeout)
            try:
                self.returncode = int(self._lines.readline())
            except TimeoutError:
                raise subprocess.TimeoutExpired(["python"], timeout or 0.0) from None
            self._lines.close()
            self._said.close()
        return self.returncode

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0.001)
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def run(
    *args: str | Path,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    input: str = "",
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """`python ARGS` to its end, as `subprocess.run(..., capture_output=True, text=True)`."""
    with tempfile.TemporaryFile() as typed, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        typed.write(input.encode())
        typed.seek(0)
        child = Child(*args, stdin=typed.fileno(), stdout=out.fileno(), stderr=err.fileno(), cwd=cwd, env=env)
        try:
            code = child.wait(timeout)
        except BaseException:
            child.kill()
            raise
        told = [file.seek(0) or file.read().decode() for file in (out, err)]
    return subprocess.CompletedProcess([sys.executable, *map(str, args)], code, *told)


class _Server:
    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._requests = ours
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        source = Path(__file__).with_name("fork_server.py").read_text(encoding="utf-8")
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", source, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=self._environment,
                stdin=subprocess.DEVNULL,
            )

    def refuse(self, environment: Mapping[str, str]) -> None:
        """Raises ValueError where a variable that is read at the start differs from the server's."""
        for name in {*environment, *self._environment}:
            if name.startswith(READ_AT_START) and environment.get(name) != self._environment.get(name):
                raise ValueError(f"{name} is read when a process starts: start a true one with subprocess")

    def send(self, message: object, descriptors: list[int]) -> None:
        socket.send_fds(self._requests, [json.dumps(message).encode()], descriptors)

    def stop(self) -> None:
        self._requests.close()
        self._process.wait()


_servers: list[_Server] = []
_starting = Lock()


def _server() -> _Server:
    with _starting:
        if not _servers:
            _servers.append(_Server())
        return _servers[0]


def stop() -> None:
    """End the server of this session, if one was needed."""
    while _servers:
        _servers.pop().stop()
