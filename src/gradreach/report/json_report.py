"""The JSON report, schema "gradreach/1": a run's conclusions as fields."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, TypeVar

import msgspec

from gradreach.facts.dependency import DependencyTest, LagResult
from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.statistics import extremes, quantile
from gradreach.record.schema import SCHEMA, Finding, GuardSummary
from gradreach.report.conclusions import Conclusions
from gradreach.report.fields.common import Fields
from gradreach.report.fields.dependency import DependencyTestFields, LagFields
from gradreach.report.fields.findings import FindingFields, NonFiniteFields, RemedyFields
from gradreach.report.fields.looks import DepthFields, ProbeFields, TimeFields
from gradreach.report.fields.norms import ClipFields, NormFields, SiteFields
from gradreach.report.fields.report import AnswerFields, ReportFields, RunVerdictFields
from gradreach.report.fields.run import DeedFields, GuardFields, OutcomeFields, OverheadFields, RunFields
from gradreach.report.verdict import Verdict

WHOLE = 20_000
"""Steps up to which series are kept whole; beyond, the lowest and highest value of each stretch stay."""

SomeFields = TypeVar("SomeFields", bound=Fields)


def report_fields(conclusions: Conclusions) -> ReportFields:
    """The report's fields.

    `norm.steps` gives the step of each entry of `norm.global` and `norm.loss`. For each line of the script that
    calls backward `depth` shows the last watched step whose gradients were finite, `time` the typical one of the last
    three; `step` and `site` name it.
    `dependency` has an entry for each lag of each of the `dependency_tests`, with the reach there and the verdict.
    """
    facts, record = conclusions.facts, conclusions.record
    return ReportFields(
        schema=SCHEMA,
        version=version_here(),
        run=fields_of(RunFields, record.run, seconds=facts.seconds),
        outcome=fields_of(OutcomeFields, record.outcome),
        verdict=fields_of(RunVerdictFields, conclusions.verdict),
        answers=[fields_of(AnswerFields, answer) for answer in conclusions.answers],
        models=record.models,
        sites=[_site(facts.all_sites[number]) for number in range(len(record.sites))],
        steps=record.length,
        passes=record.passes,
        watched_steps=len(record.looks),
        overhead=fields_of(OverheadFields, record.overhead) if record.overhead else None,
        guarded=_guard(record.guarded) if record.guarded else None,
        norm=_norm(facts),
        time=[fields_of(TimeFields, s.layer, step=s.look.step, site=s.look.site) for s in facts.seen.time_shown],
        depth=[
            fields_of(DepthFields, module, step=shown.look.step, site=shown.look.site)
            for shown in facts.seen.depth_shown
            for module in shown.modules
        ],
        probes=[
            fields_of(ProbeFields, probe, step=look.step, site=look.site) for look, probe in facts.seen.probes_shown
        ],
        dependency=[_lag(test, each) for test in facts.dependency_tests for each in test.lags],
        dependency_tests=[
            fields_of(DependencyTestFields, test.dependency, horizon=test.reach.horizon)
            for test in facts.dependency_tests
        ],
        nonfinite=[fields_of(NonFiniteFields, found) for found in record.nonfinite],
        findings=[finding_fields(finding) for finding in conclusions.findings],
        checks_passed=list(conclusions.passed),
        checks_not_judged=dict(conclusions.not_judged),
        notes=list(record.notes),
    )


def finding_fields(finding: Finding) -> FindingFields:
    """The fields of one finding."""
    remedies = [fields_of(RemedyFields, remedy) for remedy in finding.remedies]
    return fields_of(FindingFields, finding, remedies=remedies)


def checked(fail_on: str, verdict: Verdict, failing: tuple[Finding, ...]) -> dict[str, Any]:
    """What a check found at or above the level `fail_on`, and what the run comes to."""
    return {
        "schema": SCHEMA,
        "fail_on": fail_on,
        "failed": bool(failing),
        "verdict": fields_of(RunVerdictFields, verdict),
        "findings": [finding_fields(finding) for finding in failing],
    }


def to_json(fields: Any) -> str:
    """Fields as one line of JSON, in which a float that is not finite is null."""
    return msgspec.json.encode(fields).decode() + "\n"


def as_dict(fields: Any) -> dict[str, Any]:
    """Fields as a dictionary, every float finite or None."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(fields))
    return plain


def fields_of(kind: type[SomeFields], source: Any, **more: Any) -> SomeFields:
    """The fields of a kind, each from the attribute of `source` that has its name, or from `more`."""
    own = {name: getattr(source, name) for name in kind.__struct_fields__ if name not in more}
    return kind(**own, **more)


def version_here() -> str:
    """The version of gradreach that writes."""
    return version("gradreach")


def _norm(facts: Facts) -> NormFields:
    steps = facts.record.steps
    losses = [step.loss for step in steps]
    kept = list(range(len(steps)))
    if len(steps) > WHOLE:
        kept = sorted({*extremes(facts.norms, WHOLE // 4), *extremes(losses, WHOLE // 4)})
    return NormFields(
        global_=[facts.norms[i] for i in kept],
        steps=[steps[i].step for i in kept],
        site=[steps[i].site for i in kept],
        loss=[losses[i] for i in kept],
        clip=fields_of(ClipFields, facts.clipping, advised=facts.suggested_threshold),
        median=facts.norm_median,
        largest=quantile(facts.norms, 1.0),
        nonfinite_steps=list(facts.nonfinite_steps),
        spikes=[spike.step for spike in facts.spikes],
    )


def _site(site: Site) -> SiteFields:
    return SiteFields(
        site=site.name,
        steps=len(site.steps),
        norm_median=site.norm_median,
        norm_largest=quantile(site.norms, 1.0),
        threshold=site.clipping.threshold,
        clip_rate=site.clipping.rate,
        course=site.learning.course,
        loss_first=site.learning.first,
        loss_last=site.learning.last,
    )


def _guard(guarded: GuardSummary) -> GuardFields:
    return fields_of(GuardFields, guarded, deeds=[fields_of(DeedFields, deed) for deed in guarded.deeds])


def _lag(test: DependencyTest, each: LagResult) -> LagFields:
    found = test.dependency
    return fields_of(LagFields, each.lag, module=found.module, site=found.site, reach=each.reach, verdict=each.verdict)
