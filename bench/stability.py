"""Whether the same script gets the same conclusions: each demo and zoo script several times with a core of its own,
and several times on a crowded machine, where three runs and more share each core.

What each run said goes to the error stream as it ends; the table at the end names each script whose codes, severities
or first sentence differ between any two of its runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import timing
import torch._dynamo  # the first optimizer of a script would import it: here once for all of them

from gradreach.cli import main as gradreach
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


def started(script: Path, steps: int | None, folder: str) -> int:
    """Start `gradreach run` of a script in a process of its own, which has torch already; returns the process's id."""
    if pid := os.fork():
        return pid
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    os.chdir(folder)
    torch.set_num_threads(1)
    limit = [] if steps is None else ["--steps", str(steps)]
    sys.argv = ["gradreach", "run", "--quiet", "--out", folder, *limit, str(script)]
    try:
        gradreach()
    finally:
        os._exit(0)


def said(folder: str) -> Said:
    """What the report of a run says."""
    conclusions = Conclusions.of(Facts(read(folder)))
    findings = {f"{finding.code} {finding.severity}" for finding in conclusions.findings}
    return Said(conclusions.verdict.sentence, tuple(sorted(findings)))


def runs_of(scripts: Mapping[Path, int | None], repeats: int, at_once: int) -> Iterator[tuple[Path, Said]]:
    """So many runs of each script, so many of them at once."""
    wanted = [script for _ in range(repeats) for script in scripts]
    under_way: dict[int, tuple[Path, tempfile.TemporaryDirectory[str]]] = {}
    for script in [*wanted, *[None] * at_once]:
        if len(under_way) == at_once or (script is None and under_way):
            done, folder = under_way.pop(os.wait()[0])
            with folder:
                what = said(folder.name)
            print(
                f"{at_once} at once\t{done.stem}\t{', '.join(what.findings)}\t{what.sentence}",
                file=sys.stderr,
                flush=True,
            )
            yield done, what
        if script is not None:
            place = tempfile.TemporaryDirectory()
            under_way[started(script, scripts[script], place.name)] = script, place


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
    parser.add_argument("--repeats", type=int, default=5, help="runs of each script, and as many on a crowded machine")
    parser.add_argument("--crowd", type=int, default=3 * (os.cpu_count() or 1), help="runs at once on the crowded one")
    arguments = parser.parse_args()
    demos = {demo.script: DEMO_STEPS for demo in DEMOS.values()}
    zoo = sorted((*ZOO.glob("faulty/*.py"), *ZOO.glob("healthy/*.py")))
    scripts: dict[Path, int | None] = {each.resolve(): None for each in arguments.scripts} or {
        **demos,
        **dict.fromkeys(zoo),
    }
    runs: dict[Path, list[Said]] = {script: [] for script in scripts}
    for at_once in (os.cpu_count() or 1, arguments.crowd):
        for script, each in runs_of(scripts, arguments.repeats, at_once):
            runs[script].append(each)
    rows = [row(script, each) for script, each in runs.items()]
    alike = sum(each[1].split("/")[0] == each[1].split("/")[1] for each in rows)
    print(f"{alike} of {len(rows)} scripts got the same findings in all of {2 * arguments.repeats} runs\n")
    print(timing.table([("script", "same findings", "same sentence", "findings"), *rows]))


if __name__ == "__main__":
    main()
