"""GR510: a loader that gives no batch any more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.facts.facts import Facts
from gradreach.record.schema import Record
from gradreach.record.seen.loop import SpentLoader
from gradreach.report.verdict import verdict
from tests.records.parts import at, chain, record, steps
from tests.records.speaking import SPENT
from tests.rules.judging import codes, findings, the


def trained(*spent: SpentLoader, count: int = 50) -> Record:
    return record(steps(count), at(*chain(2)), spent_loaders=spent)


def test_the_generator_and_the_steps_are_told() -> None:
    found = the(trained(SPENT), "GR510")
    assert (found.severity, found.where) == ("error", {"site": "train.py:18", "step": 50})
    assert found.because == (
        "the loader that train.py:18 goes through gave no batch from pass 2 on: its `batch_sampler` is a generator, "
        "made by `batches`, which can be gone through only once. 50 steps is all that the whole training had; the 8 "
        "passes that followed made none."
    )
    assert found.remedies[0].do.splitlines()[-1] == (
        "batch_sampler = Anew(batches)  # the function batches itself, not what it returns; for DataLoader(…, "
        "batch_sampler=batch_sampler)"
    )


@pytest.mark.parametrize(
    ("spent", "why", "do"),
    [
        (
            replace(SPENT, part="sampler", kind="map", function=""),
            "its `sampler` is an iterator (map), which can be gone through only once.",
            "sampler = Anew(make_sampler)  # a function that returns a new map",
        ),
        (
            replace(SPENT, function="<genexpr>"),
            "its `batch_sampler` is an iterator (generator), which",
            "batch_sampler = Anew(make_batch_sampler)",
        ),
        (
            replace(SPENT, kind="Buckets", is_iterator=False, function=""),
            "its `batch_sampler` (Buckets) does not begin anew, for what its __iter__ goes through is used up.",
            "# in Buckets.__iter__: return a new iterator at each call",
        ),
        (
            replace(SPENT, part="dataset", kind="Rows", is_iterator=False, function=""),
            "its dataset (Rows) does not begin anew",
            "    yield from self.open()",
        ),
    ],
)
def test_what_is_used_up_has_its_words_and_its_remedy(spent: SpentLoader, why: str, do: str) -> None:
    found = the(trained(spent), "GR510")
    assert why in found.because
    assert do in found.remedies[0].do


def test_a_training_that_goes_on_elsewhere_is_not_said_to_be_over() -> None:
    found = the(trained(SPENT, count=90), "GR510")
    assert "50 steps is all that its training had;" in found.because


def test_one_empty_pass_and_one_without_a_training_are_none() -> None:
    assert codes(trained(replace(SPENT, empty=1), replace(SPENT, steps=0), replace(SPENT, empty=0))) == []


def test_it_leads_and_the_run_is_not_said_to_learn() -> None:
    made = record(steps(50), at(*chain(2)), spent_loaders=(SPENT,))
    told = verdict(Facts(made), findings(made))
    assert told.level == "error"
    assert told.sentence.startswith("The loader that train.py:18 goes through gave no batch from pass 2 on")
    assert "earns" not in told.sentence
