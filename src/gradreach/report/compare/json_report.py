"""The JSON form of a comparison, schema "gradreach-compare/1"."""

from __future__ import annotations

from typing import Final

from gradreach.report.compare import wording
from gradreach.report.compare.comparison import Comparison
from gradreach.report.compare.curve import CurvePair
from gradreach.report.compare.fields import (
    ComparisonFields,
    CurveFields,
    MatchFields,
    MeasureFields,
    NoiseFields,
    PartFields,
    SettingFields,
    SeverityPairFields,
    SideFields,
    VerdictFields,
)
from gradreach.report.compare.matching import FindingMatch
from gradreach.report.compare.measure import Measure
from gradreach.report.compare.noise import LEVEL
from gradreach.report.conclusions import Conclusions
from gradreach.report.json_report import fields_of, finding_fields, version_here

SCHEMA: Final = "gradreach-compare/1"


def comparison_fields(comparison: Comparison) -> ComparisonFields:
    """The fields of a comparison."""
    return ComparisonFields(
        schema=SCHEMA,
        version=version_here(),
        a=_side(comparison.names[0], comparison.a),
        b=_side(comparison.names[1], comparison.b),
        judgement=fields_of(VerdictFields, comparison.verdict),
        part=None if comparison.part.empty else fields_of(PartFields, comparison.part),
        settings=[fields_of(SettingFields, each) for each in comparison.settings],
        findings=[_match(each) for each in comparison.findings],
        noise=NoiseFields(level=LEVEL, figures_tested=comparison.tested, correction="Holm", seeds=wording.ONE_RUN),
        figures=[_measure(each) for each in comparison.figures],
        curves=[_curve(each) for each in comparison.curves],
    )


def _side(name: str, side: Conclusions) -> SideFields:
    record = side.record
    return fields_of(
        SideFields,
        record.run,
        name=name,
        seconds=side.facts.seconds,
        steps=record.length,
        watched_steps=len(record.looks),
        outcome=record.outcome.how,
        verdict=side.verdict.sentence,
    )


def _match(each: FindingMatch) -> MatchFields:
    return MatchFields(
        code=each.shown.code,
        title=each.shown.title,
        state=each.state,
        place=each.place,
        severity=SeverityPairFields(a=each.a.severity if each.a else None, b=each.b.severity if each.b else None),
        a=finding_fields(each.a) if each.a else None,
        b=finding_fields(each.b) if each.b else None,
        why=each.why,
    )


def _measure(each: Measure) -> MeasureFields:
    change = each.change
    return fields_of(
        MeasureFields,
        each,
        change=change.value if change else None,
        interval=[change.low, change.high] if change else None,
    )


def _curve(each: CurvePair) -> CurveFields:
    return fields_of(CurveFields, each, horizons=list(each.marks) if each.marks else None)
