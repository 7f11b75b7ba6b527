"""A record and its findings as one plain dictionary: the JSON report, schema "gradreach/1"."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from gradreach.facts.course import sound_looks, usual_length
from gradreach.facts.legacy_dependency import Asked, verdicts
from gradreach.facts.legacy_thresholds import DEFAULT, Thresholds
from gradreach.facts.statistics import extremes, finite, quantile
from gradreach.record.schema import SCHEMA, DepthLook, Finding, Look, Probe, Record, Step, TimeLook

WHOLE = 20_000
"""Steps up to which series are kept whole; beyond, the lowest and highest value of each stretch stay."""


def document(
    record: Record,
    findings: Sequence[Finding],
    passed: Sequence[str],
    not_judged: Mapping[str, str] | None = None,
    thresholds: Thresholds = DEFAULT,
) -> dict[str, Any]:
    """The report's fields, every float finite or None.

    `norm.steps` gives the step of each entry of `norm.global` and `norm.loss`. `time` and `depth` show, for each line
    of the script that calls backward, the last watched step whose gradients were finite; `step` and `site` name it.
    `dependency` has an entry for each lag of each of the `dependency_tests`, with the reach there and the verdict.
    """
    asked = verdicts(record, thresholds)
    return {
        "schema": SCHEMA,
        "version": version_here(),
        "run": _run(record),
        "outcome": plain(asdict(record.outcome)),
        "models": dict(record.models),
        "sites": [_site(record, site) for site in range(len(record.sites))],
        "steps": record.passes,
        "watched_steps": len(record.looks),
        "overhead": plain(asdict(record.overhead)) if record.overhead else None,
        "guarded": plain(asdict(record.guarded)) if record.guarded else None,
        "norm": _norm(record, findings),
        "time": [_time(look, seen) for look, seen in time_shown(record)],
        "depth": [_depth(look, seen) for look, seen in depth_shown(record)],
        "probes": [
            {**plain(asdict(seen)), "step": look.step, "site": look.site} for look, seen in probes_shown(record)
        ],
        "dependency": [entry for each in asked for entry in _lags(each)],
        "dependency_tests": [_test(each) for each in asked],
        "nonfinite": [plain(asdict(found)) for found in record.nonfinite],
        "findings": [plain(asdict(finding)) for finding in findings],
        "checks_passed": list(passed),
        "checks_not_judged": dict(not_judged or {}),
        "notes": list(record.notes),
    }


def checked(fail_on: str, failing: Sequence[Finding]) -> dict[str, Any]:
    """What a check found at or above the level `fail_on`."""
    return {
        "schema": SCHEMA,
        "fail_on": fail_on,
        "failed": bool(failing),
        "findings": [plain(asdict(finding)) for finding in failing],
    }


def to_json(fields: dict[str, Any]) -> str:
    """The report's fields as one line of JSON."""
    import msgspec

    return msgspec.json.encode(fields).decode() + "\n"


def plain(value: Any) -> Any:
    """`value` with every tuple a list and every non-finite float None."""
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        isfinite = math.isfinite
        return [(item if isfinite(item) else None) if isinstance(item, float) else plain(item) for item in value]
    return value


def version_here() -> str:
    """The version of gradreach that writes."""
    from importlib.metadata import version

    return version("gradreach")


def seconds(record: Record) -> float | None:
    """How long the run took, or went on until it was last seen."""
    if record.outcome.seconds is not None:
        return record.outcome.seconds
    return record.steps[-1].seconds if record.steps else None


def norms_of(steps: Sequence[Step]) -> list[float | None]:
    """Of each step the global norm before any clipping."""
    return [step.unclipped for step in steps]


def nonfinite_steps(record: Record) -> list[int]:
    """Steps whose norm or loss was NaN or infinite, or that the replay was called for."""
    seen = {step.step for step in record.not_finite}
    return sorted(seen | {found.step for found in record.nonfinite})


def clip_rate(steps: Sequence[Step]) -> float | None:
    """Share of the steps with a finite norm and a limit on it whose norm lay above; None where there is none.

    What the script's own clipping call saw decides: it may have clipped before there was a gradient.
    """
    pairs = [
        (norm, step.threshold)
        for step, measured in zip(steps, norms_of(steps), strict=True)
        for norm in [measured if step.pre_clip is None else step.pre_clip]
        if step.threshold is not None and step.clip != "value" and norm is not None and math.isfinite(norm)
    ]
    return sum(norm > threshold for norm, threshold in pairs) / len(pairs) if pairs else None


def threshold(steps: Sequence[Step]) -> float | None:
    """The limit on the global norm that was in force last; None where nothing clips by norm."""
    return next((s.threshold for s in reversed(steps) if s.threshold is not None and s.clip != "value"), None)


def spikes(findings: Sequence[Finding]) -> list[int]:
    """The steps that the rule on gradient spikes (GR302) names."""
    named: set[int] = set()
    for finding in findings:
        if finding.code == "GR302":
            named.update(int(step) for key in ("steps", "spikes") for step in _numbers(finding.evidence.get(key)))
            named.update(int(step) for step in _numbers(finding.where.get("step")))
    return sorted(named)


def time_shown(record: Record) -> list[tuple[Look, TimeLook]]:
    """Of each site, recurrent layer and direction: the last look at the usual length with a finite reach, else any.

    Only steps before anything broke count, where there are any: later ones show the damage, not its cause.
    """
    by_layer: dict[tuple[Any, ...], list[tuple[Look, TimeLook]]] = {}
    for look in sound_looks(record) or record.looks:
        for seen in look.time:
            by_layer.setdefault((look.site, seen.module, seen.layer, seen.direction), []).append((look, seen))
    shown = []
    for looks in by_layer.values():
        finite = [(look, seen) for look, seen in looks if _finite_reach(seen)] or looks
        speaks = usual_length([seen for _, seen in finite])[-1]
        shown.append(next((look, seen) for look, seen in reversed(finite) if seen is speaks))
    return shown


def probes_shown(record: Record) -> list[tuple[Look, Probe]]:
    """Of each site and module without a recurrence the last look of which the reach was probed."""
    shown: dict[tuple[int, str], tuple[Look, Probe]] = {}
    for look in sound_looks(record):
        for probe in look.probes:
            shown[(look.site, probe.module)] = (look, probe)
    return list(shown.values())


def depth_shown(record: Record) -> list[tuple[Look, DepthLook]]:
    """Of each site: the modules of the last watched step with finite gradients before anything broke, as they ran."""
    shown: dict[int, Look] = {}
    for look in sound_looks(record) or record.looks:
        if look.depth and (look.site not in shown or _finite_depth(look) or not _finite_depth(shown[look.site])):
            shown[look.site] = look
    return [(look, seen) for look in shown.values() for seen in sorted(look.depth, key=lambda seen: seen.order)]


def _run(record: Record) -> dict[str, Any]:
    """Of the process itself, its number and its host, nothing: a report is there to be handed on."""
    fields = plain(asdict(record.run))
    del fields["pid"], fields["host"]
    return {**fields, "seconds": finite(seconds(record))}


def _norm(record: Record, findings: Sequence[Finding]) -> dict[str, Any]:
    norms = norms_of(record.steps)
    losses = [step.loss for step in record.steps]
    kept = list(range(len(norms)))
    if len(norms) > WHOLE:
        kept = sorted({*extremes(norms, WHOLE // 4), *extremes(losses, WHOLE // 4)})
    return {
        "global": plain([norms[i] for i in kept]),
        "steps": [record.steps[i].step for i in kept],
        "site": [record.steps[i].site for i in kept],
        "loss": plain([losses[i] for i in kept]),
        "clip": {"threshold": finite(threshold(record.steps)), "rate": clip_rate(record.steps)},
        "median": quantile(norms, 0.5),
        "largest": quantile(norms, 1.0),
        "nonfinite_steps": nonfinite_steps(record),
        "spikes": spikes(findings),
    }


def _site(record: Record, site: int) -> dict[str, Any]:
    steps = [step for step in record.steps if step.site == site]
    norms = norms_of(steps)
    return {
        "site": record.sites[site],
        "steps": len(steps),
        "norm_median": quantile(norms, 0.5),
        "norm_largest": quantile(norms, 1.0),
        "threshold": finite(threshold(steps)),
        "clip_rate": clip_rate(steps),
    }


def _time(look: Look, seen: TimeLook) -> dict[str, Any]:
    fields = plain(asdict(seen))
    fields["lambda"] = fields.pop("lambda_")
    return {**fields, "step": look.step, "site": look.site}


def _lags(asked: Asked) -> list[dict[str, Any]]:
    place = {"module": asked.dependency.module, "site": asked.dependency.site}
    return [
        {**place, **plain(asdict(each.lag)), "reach": finite(each.reach), "verdict": each.verdict}
        for each in asked.lags
    ]


def _test(asked: Asked) -> dict[str, Any]:
    fields = plain(asdict(asked.dependency))
    del fields["lags"]
    return {**fields, "horizon": asked.reach.horizon}


def _depth(look: Look, seen: DepthLook) -> dict[str, Any]:
    return {**plain(asdict(seen)), "step": look.step, "site": look.site}


def _numbers(value: object) -> list[float]:
    if isinstance(value, int | float):
        return [value]
    return [float(word) for word in str(value or "").replace(",", " ").split() if word.isdecimal()]


def _broken(value: float | None) -> bool:
    return value is not None and not math.isfinite(value)


def _finite_reach(seen: TimeLook) -> bool:
    isfinite = math.isfinite
    return bool(seen.reach) and all(r is None or isfinite(r) for r in seen.reach)


def _finite_depth(look: Look) -> bool:
    isfinite = math.isfinite
    return all(seen.grad_rms is None or isfinite(seen.grad_rms) for seen in look.depth)
