"""What each demo says on the terminal, as it was read and approved: `tests/demo_texts/NAME.txt`.

`python -m tests.demo_text [NAME...]` runs demos and stores what they say now; read the difference before you commit.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from contextlib import chdir
from io import StringIO
from pathlib import Path

from rich.console import Console

from gradreach.demo import DEMOS
from gradreach.record.store import read
from gradreach.report.report import Report
from gradreach.report.terminal import print_summary
from tests import forked

TEXTS = Path(__file__).parent / "demo_texts"

STEPS = {"text": 120, "vanishing": 400, "nan": 400, "clip": 250, "deep": 300, "healthy": 200}
"""As few as show what each demo is for."""


def demo(name: str, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`gradreach demo NAME` in a process of its own."""
    return forked.run("-m", "gradreach", "demo", name, "--out", out, *options, cwd=out.parent)


def said(name: str, out: Path, stderr: str) -> str:
    """The last screen of a demo, 80 columns wide and as from its script's folder, so that no other folder's name makes
    a line longer; then the demo's own words."""
    screen = StringIO()
    with chdir(DEMOS[name].script.parent):
        print_summary(Report.of(read(out)).conclusions, Console(file=screen, width=80), "out/report.html", spare=8)
    words = stderr.partition("\nwhat to look at: ")
    own = re.sub(r"(?<![\w`])/[^\s`]*/(?=[\w.]+)", "", "".join(words[1:]))
    return "\n".join(line.rstrip() for line in screen.getvalue().rstrip().splitlines()) + own.rstrip() + "\n"


def without_figures(text: str) -> str:
    """The same words, wherever a line ends, with each figure as #: how long it took, and last digits, are the
    machine's."""
    return re.sub(r"(?<![\w#])\d[\d.,]*(?:e[+-]?\d+)?", "#", " ".join(text.split()))


def main(names: list[str]) -> None:
    """Run these demos, or all, and store what they say."""
    for name in names or STEPS:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out"
            told = said(name, out, demo(name, out, "--steps", str(STEPS[name])).stderr)
        (TEXTS / f"{name}.txt").write_text(told, encoding="utf-8")
    forked.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
