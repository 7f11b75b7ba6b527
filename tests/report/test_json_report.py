"""The JSON report."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gradreach.record.schema import Finding, Overhead, Record
from gradreach.report.grouped_findings import grouped
from gradreach.report.json_report import WHOLE, as_dict, checked, report_fields, to_json
from gradreach.report.json_schema import FORMS, schema
from gradreach.report.verdict import Verdict
from tests.records.findings import BROKEN, CLIPPED, FINDINGS, VANISHING
from tests.records.runs import ALL
from tests.report.reports import conclusions_of, report_of

from .mutations import missing, of_another_type

CLIP = {"threshold": None, "rate": None, "low": None, "high": None, "scaled": False, "idle": False, "advised": None}
"""How nothing clips."""

SCHEMA = schema("report")
PUBLISHED = Path(__file__).parents[2] / "docs" / "schema"


def document(
    record: Record,
    findings: Sequence[Finding],
    passed: Sequence[str] = (),
    not_judged: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    return as_dict(report_fields(conclusions_of(record, findings, passed, not_judged)))


@pytest.mark.parametrize("form", FORMS)
def test_the_published_schemas_are_those_of_the_fields(form: str) -> None:
    """`make schema` writes them anew."""
    assert json.loads((PUBLISHED / f"{form}.schema.json").read_text(encoding="utf-8")) == schema(form)


@pytest.mark.parametrize("name", ALL)
def test_every_record_meets_the_schema(name: str) -> None:
    fields = document(ALL[name], FINDINGS.get(name, ()), ("GR102",), {"GR401": "not recorded"})
    jsonschema.Draft202012Validator(SCHEMA).validate(fields)
    assert json.loads(to_json(fields)) == fields
    json.dumps(fields, allow_nan=False)


def test_the_schema_itself_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_refuses_what_is_not_a_report() -> None:
    fields = document(ALL["healthy"], (), ())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**fields, "schema": "gradreach/2"}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**fields, "norm": {**fields["norm"], "global": ["NaN"]}}, SCHEMA)


@pytest.mark.slow(2, "validates a document for each of its fields")
@pytest.mark.parametrize("name", ["vanishing", "broken", "gan", "guarded", "asked", "probed"])
def test_the_schema_refuses_a_field_that_is_missing_or_another(name: str) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    fields = document(replace(ALL[name], steps=ALL[name].steps[:125]), FINDINGS.get(name, ()), ("GR102",))
    cases = [*missing(fields, SCHEMA), *of_another_type(fields, SCHEMA)]
    assert len(cases) > 80
    for path, mutated in cases:
        assert not validator.is_valid(mutated), path


@pytest.mark.parametrize("form", FORMS)
def test_every_field_is_described(form: str) -> None:
    described = schema(form)
    silent = [
        f"{name}.{field}"
        for name, fields in described["$defs"].items()
        for field, part in fields["properties"].items()
        if not part.get("description")
    ]
    assert silent == []
    assert described["$id"]
    assert described["title"]


def test_findings_come_in_the_order_of_page_and_terminal() -> None:
    late = replace(CLIPPED, code="GR304", severity="error")
    report = report_of(ALL["vanishing"], (VANISHING, CLIPPED, late, replace(BROKEN, where={})))
    told = [finding["code"] for finding in report.as_dict()["findings"]]
    assert told == ["GR301", "GR304", "GR303", "GR101"]
    assert told == [finding.code for group in grouped(report.findings) for finding in group.findings]


def test_non_finite_steps_are_null_and_named() -> None:
    norm = document(ALL["broken"], (BROKEN,), ())["norm"]
    assert norm["nonfinite_steps"] == [121, 122, 123, 124, 125, 126]
    assert norm["global"][120] == 900.0
    assert norm["loss"][121] is None
    assert norm["global"][121:] == [None] * 6
    assert norm["largest"] == 900.0


def test_evidence_that_is_not_finite_is_null() -> None:
    finding = Finding("GR301", "error", "t", {"step": 3}, {"norm": math.nan, "peak": math.inf, "before": 2.0}, "b")
    assert document(ALL["broken"], (finding,), ())["findings"][0]["evidence"] == {
        "norm": None,
        "peak": None,
        "before": 2.0,
    }


def test_clip_rate_counts_only_steps_with_a_norm_and_a_limit() -> None:
    fields = document(ALL["vanishing"], (), ())
    advised = fields["norm"]["clip"]["advised"]
    assert fields["norm"]["clip"] == CLIP | {
        "threshold": 0.25,
        "rate": 1.0,
        "low": 1.0,
        "high": 1.0,
        "advised": advised,
    }
    assert {**document(ALL["healthy"], (), ())["norm"]["clip"], "advised": None} == CLIP


def test_long_series_are_thinned_and_keep_spike_and_break() -> None:
    record = ALL["long"]
    norm = document(record, (), ())["norm"]
    assert len(record.steps) == 24_000
    assert len(norm["steps"]) == len(norm["global"]) == len(norm["loss"]) <= WHOLE
    assert norm["steps"] == sorted(set(norm["steps"]))
    assert norm["global"][norm["steps"].index(8_000)] == 5e4
    assert norm["nonfinite_steps"] == [12_000]


def test_a_series_at_the_limit_stays_whole() -> None:
    assert len(document(ALL["large"], (), ())["norm"]["global"]) == WHOLE


def test_time_shows_the_typical_one_of_the_last_sound_looks() -> None:
    broken, vanishing = document(ALL["broken"], (), ())["time"], document(ALL["vanishing"], (), ())["time"]
    assert [(entry["step"], entry["factor"]) for entry in broken] == [(2, 1.05)]
    assert [(entry["layer"], entry["step"]) for entry in vanishing] == [(0, 182), (1, 242)]
    assert vanishing[0]["lambda"] == 1.2


def test_overhead_says_whether_every_nth_step_was_asked_for() -> None:
    assert document(ALL["gan"], (), ())["overhead"]["every"] is None
    asked = replace(ALL["gan"], overhead=Overhead(0.02, 0.4, 0.4, 1.0, every=3))
    fields = document(asked, (), ())
    assert fields["overhead"]["every"] == 3
    jsonschema.Draft202012Validator(SCHEMA).validate(fields)


def test_every_lag_has_its_reach_and_its_verdict() -> None:
    fields = document(ALL["asked"], (), ())
    lags = {entry["lag"]: entry for entry in fields["dependency"]}
    assert [entry["verdict"] for entry in lags.values()] == [
        "nothing", "reached", "slight", "nothing", "reached", "vanishing", "undecided",
    ]  # fmt: skip
    assert lags[29]["reach"] == pytest.approx(0.86**36)
    assert (lags[29]["until"], lags[29]["at"], lags[29]["q"], lags[29]["share"]) == (43, 36, 0.0014, 0.24)
    assert {(entry["module"], entry["site"]) for entry in fields["dependency"]} == {("rnn", 0)}
    (test,) = fields["dependency_tests"]
    assert (test["sequences"], test["positions"], test["looks"], test["T"]) == (256, 2560, 5, 60)
    assert (test["horizon"], test["why_not"]) == (30, "")


def test_a_test_that_lacked_data_says_so() -> None:
    fields = document(ALL["scarce"], (), ())
    assert fields["dependency"] == []
    assert fields["dependency_tests"][0]["why_not"].startswith("12 positions in 3 sequences")


def test_probes_are_those_of_the_last_look() -> None:
    (probe,) = document(ALL["probed"], (), ())["probes"]
    assert (probe["module"], probe["horizon"], probe["T"], probe["step"]) == ("model.head", 15, 64, 122)
    assert document(ALL["asked"], (), ())["probes"] == []


@pytest.mark.parametrize(
    "wrong", [{"verdict": "maybe"}, {"q": 1.5}, {"lag": -1}, {"reach": "0.1"}, {"module": None}, {"more": 1}]
)
def test_the_schema_refuses_what_is_no_lag(wrong: dict[str, object]) -> None:
    fields = document(ALL["asked"], (), ())
    entry = {**fields["dependency"][0], **wrong}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**fields, "dependency": [entry]}, SCHEMA)


def test_depth_of_two_sites_stands_apart() -> None:
    depth = document(ALL["gan"], (), ())["depth"]
    assert [entry["site"] for entry in depth] == [0] * 8 + [1] * 8
    assert [entry["order"] for entry in depth[:8]] == list(range(8))


def test_checked_says_what_failed() -> None:
    verdict = Verdict("learns", "Learns.")
    assert checked("error", verdict, (BROKEN,))["failed"] is True
    assert json.loads(to_json(checked("error", verdict, ()))) == {
        "schema": "gradreach/1",
        "fail_on": "error",
        "failed": False,
        "verdict": {"level": "learns", "sentence": "Learns."},
        "findings": [],
    }
