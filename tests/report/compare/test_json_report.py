"""The JSON form of a comparison."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import jsonschema
import pytest

from gradreach.report.compare.comparison import Comparison, compare
from gradreach.report.compare.json_report import comparison_fields
from gradreach.report.conclusions import Conclusions
from gradreach.report.json_report import as_dict, to_json
from gradreach.report.json_schema import schema
from tests.records.findings import CLIPPED, FINDINGS
from tests.records.pairs import bare, falling
from tests.records.runs import ALL
from tests.report.mutations import missing, of_another_type
from tests.report.reports import conclusions_of

SCHEMA = schema("compare")
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def document(comparison: Comparison) -> dict[str, Any]:
    return as_dict(comparison_fields(comparison))


@cache
def report(name: str) -> Conclusions:
    return conclusions_of(ALL[name], FINDINGS.get(name, ()))


@cache
def fields() -> dict[str, Any]:
    """A comparison that has something of everything."""
    lower = replace(falling(2, level=0.3), run=replace(falling(2).run, argv=("--lr", "0.2")))
    return document(compare(conclusions_of(falling(1), FINDINGS["vanishing"]), conclusions_of(lower, (CLIPPED,))))


def test_the_schema_itself_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == "urn:gradreach:compare:1"


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("long", "large")])
@pytest.mark.parametrize("other", ["vanishing", "broken", "hostile", "empty"])
def test_every_pair_meets_the_schema(name: str, other: str) -> None:
    made = compare(report(name), report(other))
    VALIDATOR.validate(document(made))
    assert json.loads(to_json(comparison_fields(made))) == json.loads(json.dumps(document(made), allow_nan=False))


def test_a_field_that_is_missing_or_another_is_refused() -> None:
    VALIDATOR.validate(fields())
    cases = [*missing(fields(), SCHEMA), *of_another_type(fields(), SCHEMA)]
    assert len(cases) > 100
    for path, mutated in cases:
        assert not VALIDATOR.is_valid(mutated), path


def test_it_says_what_the_comparison_says() -> None:
    made = compare(bare(falling(1)), bare(falling(2, level=0.3)), ("runs/one", "runs/two"))
    told = document(made)
    assert (told["a"]["name"], told["b"]["name"]) == ("runs/one", "runs/two")
    assert told["judgement"] == {"level": "better", "sentence": made.verdict.sentence}
    assert told["part"] == {"first": 150, "last": 299, "why": ""}
    loss = told["figures"][0]
    assert (loss["key"], loss["changed"]) == ("loss", True)
    assert loss["interval"][0] < loss["change"] < loss["interval"][1] < 0
    assert told["noise"]["figures_tested"] == sum(each["interval"] is not None for each in told["figures"])
    assert "other seeds" in told["noise"]["seeds"]
