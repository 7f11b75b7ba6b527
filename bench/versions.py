"""The core of the tests (watching, engine, remedies) under other versions of torch and Python, each in an environment
of its own, made by uv and taken away again.

A pair is TORCH/PYTHON; "newest" is the newest torch that there is for that Python. A pair whose Python or whose torch
cannot be had is said as such. Where torch is a CUDA build, an environment takes 3 to 6 GB until its tests are over.
The table goes to stdout, progress and the names of the tests that failed to stderr. The exit code is 1 where a test
failed or a pair could not be tried.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from timing import table

ROOT = Path(__file__).parents[1]

CORE = (
    "tests/watch/lenses/test_depth.py",
    "tests/watch/lenses/test_time.py",
    "tests/watch/lenses/test_alignments.py",
    "tests/watch/nonfinite/test_origin.py",
    "tests/engine/test_replay.py",
    "tests/engine/test_adjoint.py",
    "tests/remedies/clip/test_clip.py",
    "tests/remedies/layers/test_orthogonal.py",
)
"""A file or two of each part, for a few minutes of one core; more can be named on the command line."""

TOOLS = ("beartype", "geotorch", "hypothesis", "numba", "pytest", "pytest-xdist", "scipy")
"""What the core of the tests needs beside what gradreach itself needs."""

PAIRS = (
    "2.6.0/3.11",
    "2.6.0/3.13",
    "2.8.0/3.12",
    "2.10.0/3.13",
    "2.10.0/3.14",
    "2.13.0/3.12",
    "newest/3.11",
    "newest/3.13",
    "newest/3.14",
)
"""Every torch that is named with one Python at least, the oldest and the newest with the first and the last Python."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a pair: the versions that ran, and how many tests passed, failed and were skipped; or why none."""

    torch: str
    python: str
    passed: int = 0
    failed: tuple[str, ...] = ()
    skipped: int = 0
    seconds: float = 0.0
    why_not: str = ""

    @property
    def is_good(self) -> bool:
        return self.passed > 0 and not self.failed


def tried(uv: str, torch: str, python: str, tests: Sequence[str], jobs: str) -> Outcome:
    """Make the environment of a pair, run the tests in it, and take it away."""
    with tempfile.TemporaryDirectory(prefix="versions-") as folder:
        place = Path(folder, "venv")
        binary = place / "bin" / "python"
        wanted = "torch" if torch == "newest" else f"torch=={torch}"
        try:
            done(uv, "venv", "--quiet", "--no-project", "--python", python, str(place))
            install = (uv, "pip", "install", "--quiet", "--python", str(binary))
            done(*install, wanted, *TOOLS, "--editable", str(ROOT))
            torch, python = done(
                binary, "-c", "import platform, torch; print(torch.__version__, platform.python_version())"
            ).split()
        except subprocess.CalledProcessError as problem:
            return Outcome(torch, python, why_not=_last_words(problem.stderr))
        report, began = Path(folder, "report.xml"), time.perf_counter()
        quiet = "ignore:Guards may run slower:RuntimeWarning"  # of Python 3.13.0, by torch's compiler
        options = ("-q", "-W", quiet, "-p", "no:cacheprovider", "-n", jobs, "-m", "not slow and not exhaustive")
        subprocess.run(
            [binary, "-m", "pytest", *options, f"--junitxml={report}", *tests],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=sys.stderr,
            check=False,
        )
        if not report.exists():
            return Outcome(torch, python, why_not="pytest ended before it wrote a report")
        return outcome(ElementTree.parse(report).getroot(), torch, python, time.perf_counter() - began)


def outcome(report: ElementTree.Element, torch: str, python: str, seconds: float) -> Outcome:
    """What a report of pytest says."""
    cases = list(report.iter("testcase"))
    bad = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    names = tuple(f"{case.get('classname')}::{case.get('name')}" for case in bad)
    return Outcome(torch, python, len(cases) - len(bad) - len(skipped), names, len(skipped), seconds)


def done(*command: str | Path) -> str:
    """What a command printed. Raises CalledProcessError where it fails."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def row(each: Outcome) -> tuple[str, ...]:
    tests = each.why_not or f"{each.passed} passed, {len(each.failed)} failed, {each.skipped} skipped"
    return each.torch, each.python, tests, f"{each.seconds / 60:.0f}" if each.seconds else "–"


def _last_words(text: str) -> str:
    """The last line of what a failed command said that says anything."""
    lines = [line.strip(" ╰─▶×│") for line in text.splitlines() if line.strip(" ╰─▶×│")]
    return lines[-1] if lines else "it failed without a word"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="+", default=PAIRS, metavar="TORCH/PYTHON")
    parser.add_argument("--uv", default=shutil.which("uv"), help="the uv to use, where it is not on the path")
    parser.add_argument("--jobs", default="2", help="processes that run tests at a time")
    parser.add_argument("tests", nargs="*", default=CORE, help="the tests to run in place of the core")
    arguments = parser.parse_args()
    if arguments.uv is None:
        parser.error("uv is not installed: pip install uv, or say where it is with --uv")
    outcomes = []
    for pair in arguments.pairs:
        print(f"\n{pair}", file=sys.stderr, flush=True)
        outcomes.append(tried(arguments.uv, *pair.split("/"), arguments.tests, arguments.jobs))
        for name in outcomes[-1].failed:
            print(f"failed under {pair}: {name}", file=sys.stderr)
        print(table([("torch", "Python", "tests", "minutes"), *map(row, outcomes[-1:])]), file=sys.stderr, flush=True)
    print(table([("torch", "Python", "tests", "minutes"), *map(row, outcomes)]), flush=True)
    sys.exit(not all(each.is_good for each in outcomes))


if __name__ == "__main__":
    main()
