"""Trials of remedies: a small faulty script, run as it stands and once more with each remedy in its place.

A script in `tests/remedies/tried` trains `model` under `watch`. Its first line, `# try: {JSON}`, names the `code` of
its fault and, under what they promise, the remedies to try. Promises:

    loss     the fault goes, and the loss ends lower
    cost     the fault goes, and the loss ends no higher: it spares work, or says what is meant
    goes on  the training goes on to a finite loss, where it broke before
    learns   the fault goes, and the loss, which is another one, falls

Comments say where a remedy goes:

    # with ID              the remedy's own text, as the finding gives it, is pasted here
    # with ID: CODE        what a person does by hand, whom the text tells only what
    CODE  # not with ID    this line goes

`python -m tests.remedies.trial` prints the table of all trials, with names of scripts that of theirs.
"""

from __future__ import annotations

import json
import math
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gradreach.record.schema import SEVERITIES, Finding, Record
from gradreach.report.report import Report

SCRIPTS = sorted((Path(__file__).parent / "tried").glob("*.py"))

BETTER = 0.95
"""The part of the faulty form's loss that the remedied form must stay under."""

THEN = {"loss": "gone", "cost": "gone, at no cost", "goes on": "the training goes on", "learns": "gone, and it learns"}
"""What the table says of a promise that is kept."""

_WITH = re.compile(r"( *)# with ([\w-]+(?:, [\w-]+)*)(?:: (.*))?")
_NOT_WITH = re.compile(r".*  # not with ([\w-]+(?:, [\w-]+)*)")


@dataclass(frozen=True)
class Script:
    """A faulty script: the `code` of its fault, and of each remedy to try what it promises."""

    path: Path
    text: str
    code: str
    remedies: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def about(self) -> str:
        """Its docstring's first line."""
        return self.text.splitlines()[1].strip('"')

    def form(self, advice: str = "", do: str = "") -> str:
        """The script with one remedy in place; as it stands without one. A command sets how often it is looked at."""
        lines: list[str] = []
        for line in self.text.splitlines():
            given, gone = _WITH.fullmatch(line), _NOT_WITH.fullmatch(line)
            if given and advice in given[2].split(", "):
                lines += [given[1] + each for each in (given[3] or do).splitlines()]
            elif not given and not (gone and advice in gone[1].split(", ")):
                lines.append(line)
        text = "\n".join(lines) + "\n"
        return re.sub(r"every=\d+", "every=1", text) if do.startswith("gradreach run --every 1 ") else text


@dataclass(frozen=True)
class Run:
    """What one form of a script came to: its report, and the names that it left behind."""

    report: Report
    names: dict[str, Any]

    @property
    def record(self) -> Record:
        return self.report.record

    @property
    def loss(self) -> float:
        """The median of the last tenth of the losses, each by the pass; infinite where one of them is not finite."""
        losses = [step.loss / step.passes for step in self.record.steps if step.loss is not None]
        last = losses[-max(len(losses) // 10, 1) :]
        return statistics.median(last) if all(map(math.isfinite, last)) else math.inf

    @property
    def first_loss(self) -> float:
        return next(step.loss for step in self.record.steps if step.loss is not None)

    def has(self, code: str, severity: str) -> bool:
        """Whether the fault is there, at that severity or a worse one."""
        return any(SEVERITIES.index(each.severity) <= SEVERITIES.index(severity) for each in self.found(code))

    def found(self, code: str) -> list[Finding]:
        return [finding for finding in self.report.findings if finding.code == code]

    @property
    def told(self) -> str:
        """Every finding in a line, for whoever reads why a trial failed."""
        lines = [
            f"{each.severity} {each.code} {each.where}: {each.because} {[remedy.do for remedy in each.remedies]}"
            for each in self.report.findings
        ]
        return "\n".join([f"loss {self.loss:.4g}", *lines])


def read(path: Path) -> Script:
    """The trial that a script's first line declares."""
    text = path.read_text(encoding="utf-8")
    head = text.splitlines()[0]
    assert head.startswith("# try: "), f"{path.name}: its first line must be `# try: {{…}}`"
    declared = json.loads(head.removeprefix("# try: "))
    code = declared.pop("code")
    return Script(path, text, code, {advice: promise for promise, ids in declared.items() for advice in ids})


def run(script: Script, advice: str = "", do: str = "") -> Run:
    """Run one form of a script in this process."""
    names: dict[str, Any] = {"__name__": "__main__"}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        exec(compile(script.form(advice, do), str(script.path), "exec"), names)
    finally:
        torch.set_num_threads(threads)
    return Run(names["watch"].report(), names)


def text_of(fault: Run, code: str, advice: str) -> str:
    """What the findings of that code say is to be pasted for one remedy. Raises LookupError where none names it."""
    each = (remedy.do for found in fault.found(code) for remedy in found.remedies if remedy.id == advice)
    if not (texts := dict.fromkeys(each)):
        raise LookupError(f"no {code} that names {advice}, got\n{fault.told}")
    return "\n".join(texts)


def remedied(script: Script, fault: Run, advice: str) -> Run:
    """The script with one remedy; one that says "and again" is pasted until the loss falls, eight times at most."""
    do = text_of(fault, script.code, advice)
    for times in range(1, 9):
        done = run(script, advice, "\n".join([do] * times))
        if "and again" not in do or done.loss < BETTER * fault.loss:
            break
    return done


def keeps(script: Script, fault: Run, done: Run, promise: str) -> bool:
    """Whether a remedy did what it promises."""
    severity = fault.found(script.code)[0].severity
    match promise:
        case "loss":
            return not done.has(script.code, severity) and done.loss < BETTER * fault.loss
        case "cost":
            return not done.has(script.code, severity) and done.loss <= fault.loss
        case "learns":
            return not done.has(script.code, severity) and done.loss < BETTER * done.first_loss
        case "goes on":
            return math.isinf(fault.loss) and math.isfinite(done.loss)
    raise ValueError(f"{script.name}: expected loss, cost, goes on or learns, got {promise!r}")


def main(names: Sequence[str] = ()) -> int:
    """Print a row for every trial of these scripts, by default of all; returns 1 where a promise was not kept."""
    rows, broken = [], 0
    for script in map(read, SCRIPTS):
        if names and script.name not in names:
            continue
        fault = run(script)
        for advice, promise in script.remedies.items():
            done = remedied(script, fault, advice)
            then = THEN[promise]
            if not keeps(script, fault, done, promise):
                then, broken = "promise not kept", 1
                print(f"{advice}, from\n{fault.told}\nto\n{done.told}", file=sys.stderr)
            losses = f"{_shown(fault.loss)} | {_shown(done.loss)}"
            rows.append(f"| {advice} | {script.code} | {script.about} | {then} | {losses} |")
    print("| remedy | finding | tried on | then | loss before | after |\n| --- | --- | --- | --- | --- | --- |")
    print("\n".join(sorted(rows)))
    return broken


def _shown(loss: float) -> str:
    return f"{loss:.3g}" if math.isfinite(loss) else "not finite"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
