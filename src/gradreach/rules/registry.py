"""All rules, ours and those of other packages, and what they find in the facts of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from gradreach.facts.facts import Facts
from gradreach.facts.thresholds import Threshold
from gradreach.record.members import OURS, from_others, in_folder, warn
from gradreach.record.schema import SEVERITIES, Finding
from gradreach.rules.fitting import fitting
from gradreach.rules.rule import LEAST_URGENT, Rule, RuleOutcome

ENTRY_POINTS = "gradreach.rules"
"""The group of entry points by which other packages bring rules, each a `Rule`."""

RULES: dict[str, Rule] = {}
"""Every rule by its code, ours first."""

ORIGINS: dict[str, str] = {}
"""The package that brings each rule, by its code."""

THRESHOLDS: dict[str, Threshold] = {}
"""Every threshold that a user may set, by its key in pyproject.toml, in the order of the rules."""


@dataclass(frozen=True, slots=True)
class RuleResults:
    """What all rules together say of a run: findings, codes of the checks it passed, and what the others lacked."""

    findings: tuple[Finding, ...]
    passed: tuple[str, ...]
    not_judged: dict[str, str]


def register(rule: Rule, origin: str) -> None:
    """Add a rule that the package `origin` brings; raises ValueError where its code or a threshold's key is taken."""
    if rule.code in RULES:
        raise ValueError(
            f"{rule.code}: expected one rule of that code, got {RULES[rule.code].slug!r} of {ORIGINS[rule.code]} and "
            f"{rule.slug!r} of {origin}; give the one of {origin} another code"
        )
    for each in rule.thresholds:
        if THRESHOLDS.get(each.key, each) != each:
            raise ValueError(f"{each.key}: {rule.code} of {origin} declares another threshold of that key; rename it")
    THRESHOLDS.update((each.key, each) for each in rule.thresholds)
    RULES[rule.code] = rule
    ORIGINS[rule.code] = origin


def rules_moved_by(threshold: Threshold) -> tuple[str, ...]:
    """The codes of the rules that speak earlier or later as a threshold is set."""
    return tuple(rule.code for rule in RULES.values() if threshold in rule.thresholds)


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings with the most serious first; among equals what is most urgent, then by code."""
    return tuple(sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), _urgency(found), found.code)))


def judge(facts: Facts, ignore: Collection[str] = ()) -> RuleResults:
    """Apply every rule once; those whose codes are in `ignore` find nothing.

    Findings come in the order of `ranked`. A rule of another package that fails counts as not judged.
    """
    outcomes = {code: _outcome(rule, facts) for code, rule in RULES.items()}
    found = [each for code, outcome in outcomes.items() if code not in ignore for each in outcome.findings]
    return RuleResults(
        findings=ranked(_beside_causes(fitting(facts, _without_effects(found)))),
        passed=tuple(code for code, each in outcomes.items() if not each.findings and not each.why_not),
        not_judged={code: each.why_not for code, each in outcomes.items() if each.why_not and not each.findings},
    )


def _outcome(rule: Rule, facts: Facts) -> RuleOutcome:
    if ORIGINS[rule.code] == OURS:
        return rule.judge(facts)
    try:
        outcome = rule.judge(facts)
        ranked(outcome.findings)
    except Exception as error:
        return RuleOutcome(why_not=f"the rule of {ORIGINS[rule.code]} failed: {type(error).__name__}: {error}")
    return outcome


def _without_effects(findings: Sequence[Finding]) -> Sequence[Finding]:
    """The findings without those that another one, at the same line, brings about by itself."""
    causes = [each for each in findings if each.code in RULES and RULES[each.code].is_cause(each)]
    brought = {(code, each.where.get("site")) for each in causes for code in RULES[each.code].effects}
    known = {code for code, _ in brought}
    return [
        each
        for each in findings
        if each.code not in known or ("site" in each.where and (each.code, each.where["site"]) not in brought)
    ]


def _beside_causes(findings: Sequence[Finding]) -> Sequence[Finding]:
    """The findings, symptoms among them as information where an error or a warning tells what they may come from."""
    symptoms = {code for code, rule in RULES.items() if rule.is_symptom}
    if all(each.code in symptoms or each.severity == "info" for each in findings):
        return findings
    return [replace(each, severity="info") if each.code in symptoms else each for each in findings]


def _urgency(finding: Finding) -> int:
    return RULES[finding.code].urgency if finding.code in RULES else LEAST_URGENT


for _rule in in_folder(__package__, Rule):
    register(_rule, OURS)
for _origin, _rule in from_others(ENTRY_POINTS, Rule):
    try:
        register(_rule, _origin)
    except ValueError as error:
        warn(f"{_rule.slug} of {_origin} is left out: {error}.")
