"""Whether the same script gets the same conclusions: each demo and zoo script several times, on an idle machine and
while other processes keep every core busy.

The table names each script whose codes, severities or first sentence differ between any two of its runs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import timing

from gradreach.demo import DEMOS
from gradreach.facts.facts import Facts
from gradreach.record.store import read
from gradreach.report.conclusions import Conclusions

ZOO = Path(__file__).parent.parent / "tests" / "zoo"
DEMO_STEPS = 300


@dataclass(frozen=True, slots=True)
class Said:
    """What one run came to: its first sentence, and its findings as "code severity"."""

    sentence: str
    findings: tuple[str, ...]


def spin() -> None:
    while True:
        sum(range(10_000))


@contextmanager
def hogs(count: int) -> Iterator[None]:
    """So many processes that do nothing but keep a core busy."""
    processes = [multiprocessing.Process(target=spin, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()


def said(script: Path, steps: int | None) -> Said:
    """Run a script under watch, and read what its report says."""
    with tempfile.TemporaryDirectory() as folder:
        limit = [] if steps is None else ["--steps", str(steps)]
        command = [sys.executable, "-m", "gradreach", "run", "--quiet", "--out", folder, *limit, str(script)]
        subprocess.run(command, capture_output=True, check=False, cwd=folder)
        conclusions = Conclusions.of(Facts(read(folder)))
    findings = {f"{finding.code} {finding.severity}" for finding in conclusions.findings}
    return Said(conclusions.verdict.sentence, tuple(sorted(findings)))


def row(script: Path, runs: Sequence[Said]) -> tuple[str, str, str, str]:
    """How many of the runs said what the most of them said: the findings, and the first sentence."""
    findings = Counter(each.findings for each in runs).most_common(1)[0]
    sentence = Counter(each.sentence for each in runs).most_common(1)[0]
    return (
        script.stem,
        f"{findings[1]}/{len(runs)}",
        f"{sentence[1]}/{len(runs)}",
        " / ".join(sorted({", ".join(each.findings) or "none" for each in runs})),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="*", type=Path, help="scripts to run instead of the demos and the zoo")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each script idle, and as many beside the hogs")
    parser.add_argument("--hogs", type=int, default=2 * (os.cpu_count() or 1))
    arguments = parser.parse_args()
    demos = {demo.script: DEMO_STEPS for demo in DEMOS.values()}
    zoo = sorted((*ZOO.glob("faulty/*.py"), *ZOO.glob("healthy/*.py")))
    scripts = {each.resolve(): None for each in arguments.scripts} or {**demos, **dict.fromkeys(zoo)}
    rows = []
    for script, steps in scripts.items():
        runs = [said(script, steps) for _ in range(arguments.repeats)]
        with hogs(arguments.hogs):
            runs += [said(script, steps) for _ in range(arguments.repeats)]
        rows.append(row(script, runs))
        print(*rows[-1], file=sys.stderr, flush=True)
    alike = sum(each[1].split("/")[0] == each[1].split("/")[1] for each in rows)
    print(f"{alike} of {len(rows)} scripts got the same findings in all of {2 * arguments.repeats} runs\n")
    print(timing.table([("script", "same findings", "same sentence", "findings"), *rows]))


if __name__ == "__main__":
    main()
