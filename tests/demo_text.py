"""What each demo says on the terminal, as it was read and approved: `tests/demo_texts/NAME.txt`.

`python -m tests.demo_text [NAME...]` runs demos and stores what they say now; read the difference before you commit it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from gradreach.cli.run_and_report import ASKING, REPORTING
from tests import forked

TEXTS = Path(__file__).parent / "demo_texts"

STEPS = {"text": 120, "vanishing": 400, "nan": 400, "clip": 250, "deep": 300, "healthy": 200}
"""As few as show what each demo is for."""


def demo(name: str, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`gradreach demo NAME` in a process of its own."""
    return forked.run("-m", "gradreach", "demo", name, "--out", out, *options, cwd=out.parent)


def said(stderr: str) -> str:
    """What a demo said, without the folders of this machine and without the lines that come only where it is slow."""
    lines = [line for line in stderr.splitlines() if not line.endswith((ASKING, REPORTING))]
    return re.sub(r"(?<![\w`])/[^\s`]*/(?=[\w.]+)", "", "\n".join(lines)) + "\n"


def without_figures(text: str) -> str:
    """The same words, wherever a line ends, with each figure as #: how long it took, and last digits, are the
    machine's."""
    return re.sub(r"(?<![\w#])\d[\d.,]*(?:e[+-]?\d+)?", "#", " ".join(text.split()))


def main(names: list[str]) -> None:
    """Run these demos, or all, and store what they say."""
    for name in names or STEPS:
        with tempfile.TemporaryDirectory() as folder:
            done = demo(name, Path(folder) / "out", "--steps", str(STEPS[name]))
        (TEXTS / f"{name}.txt").write_text(said(done.stderr), encoding="utf-8")
    forked.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
