"""What a rule's findings advise: each remedy as an example of its code, with its trials of docs/remedies.md."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gradreach.facts.facts import Facts
from gradreach.record.schema import Remedy
from gradreach.remedies.advice.registry import ADVICE
from gradreach.rules.registry import judge
from tests.records.advised import ADVISED


@dataclass(frozen=True)
class Trial:
    """A row of the table: on which script, what became of the finding, the loss before and after."""

    script: str
    then: str
    before: str
    after: str


@dataclass(frozen=True)
class Answer:
    """A remedy that a finding of one rule may name: as one such finding does, where it does not fit, its trials."""

    remedy: Remedy
    unfit: str
    trials: tuple[Trial, ...]


def answers(code: str, table: Path) -> list[Answer]:
    """Those of one rule, in the order in which findings name them."""
    return [
        Answer(remedy, ADVICE[advice].unfit, _trials(table).get((advice, code), ()))
        for (advice, answered), remedy in _examples().items()
        if answered == code and code in ADVICE[advice].answers
    ]


@cache
def _examples() -> dict[tuple[str, str], Remedy]:
    """Each remedy as a finding names it, by its id and the code of the rule."""
    examples: dict[tuple[str, str], Remedy] = {}
    for made in ADVISED:
        for finding in judge(Facts(made)).findings:
            for remedy in finding.remedies:
                examples.setdefault((remedy.id, finding.code), remedy)
    return examples


@cache
def _trials(table: Path) -> dict[tuple[str, str], tuple[Trial, ...]]:
    trials: dict[tuple[str, str], tuple[Trial, ...]] = {}
    for line in table.read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and len(cells := line.strip("| ").split(" | ")) == 6:
            advice, code, *told = cells
            trials[advice, code] = (*trials.get((advice, code), ()), Trial(*told))
    return trials
