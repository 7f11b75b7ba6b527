"""A comparison as one plain dictionary: its JSON form, schema "gradreach-compare/1"."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gradreach.record.schema import Record
from gradreach.report.compare import wording as words
from gradreach.report.compare.comparison import Comparison
from gradreach.report.compare.curve import Curve
from gradreach.report.compare.matching import Matched
from gradreach.report.compare.measure import Measure
from gradreach.report.compare.noise import LEVEL
from gradreach.report.json_report import plain, seconds, version_here

SCHEMA = "gradreach-compare/1"


def document(comparison: Comparison) -> dict[str, Any]:
    """The comparison's fields, every float finite or None; `schema.json` beside this file says what each means."""
    judged = comparison.judgement
    return {
        "schema": SCHEMA,
        "version": version_here(),
        "a": _side(comparison.names[0], comparison.a.record),
        "b": _side(comparison.names[1], comparison.b.record),
        "judgement": {"level": judged.level, "sentence": judged.sentence},
        "part": None if comparison.part.empty else asdict(comparison.part),
        "settings": [asdict(each) for each in comparison.settings],
        "findings": [_finding(each) for each in comparison.findings],
        "noise": {
            "level": LEVEL,
            "figures_tested": comparison.tested,
            "correction": "Holm",
            "seeds": words.ONE_RUN,
        },
        "figures": [_figure(each) for each in comparison.figures],
        "curves": [_curve(each) for each in comparison.curves],
    }


def _side(name: str, record: Record) -> dict[str, Any]:
    run = record.run
    return {
        "name": name,
        "script": run.script,
        "argv": list(run.argv),
        "started": run.started,
        "seconds": plain(seconds(record)),
        "torch": run.torch,
        "device": run.device,
        "steps": record.passes,
        "watched_steps": len(record.looks),
        "outcome": record.outcome.how,
    }


def _finding(each: Matched) -> dict[str, Any]:
    return {
        "code": each.shown.code,
        "title": each.shown.title,
        "state": each.state,
        "place": each.place,
        "severity": {"a": each.a.severity if each.a else None, "b": each.b.severity if each.b else None},
        "a": plain(asdict(each.a)) if each.a else None,
        "b": plain(asdict(each.b)) if each.b else None,
        "why": each.why,
    }


def _figure(each: Measure) -> dict[str, Any]:
    change = each.change
    return {
        "key": each.key,
        "name": each.name,
        "place": each.place,
        "unit": each.unit,
        "over": each.over,
        "a": plain(each.a),
        "b": plain(each.b),
        "ratio": each.ratio,
        "change": plain(change.value) if change else None,
        "interval": plain([change.low, change.high]) if change else None,
        "p": each.p,
        "changed": each.changed,
        "lacking": each.lacking,
    }


def _curve(each: Curve) -> dict[str, Any]:
    return {
        "title": each.title,
        "x": each.x,
        "y": each.y,
        "log": each.log,
        "a": plain([list(point) for point in each.a]),
        "b": plain([list(point) for point in each.b]),
        "horizons": list(each.marks) if each.marks else None,
        "names": list(each.names),
    }
