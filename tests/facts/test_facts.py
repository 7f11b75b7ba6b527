"""The one view of a record: each fact is derived once, whatever the record holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cached_property
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from gradreach.facts import blow_up, breaks, facts, seen
from gradreach.facts.facts import Facts
from gradreach.facts.seen import Seen
from gradreach.facts.site import Site
from gradreach.record.schema import GuardDeed, GuardSummary, NonFinite, Record
from gradreach.report.report import Report
from gradreach.rules.registry import judge
from tests.records.parts import at, chain, dependency, flat, lag, probe, record, run, steps, time_look

NAMES = [
    (kind, name)
    for kind in (Facts, Seen)
    for name, value in sorted(vars(kind).items())
    if isinstance(value, cached_property)
]

DERIVATIONS: tuple[tuple[Any, str, int], ...] = (
    (breaks, "kept_out", 1),
    (breaks, "scaled_away", 1),
    (breaks, "first_break", 1),
    (breaks, "origin", 1),
    (breaks, "nonfinite_steps", 1),
    (blow_up, "blow_up", 1),
    (facts, "sites_of", 1),
    (facts, "clipping", 1),
    (facts, "spikes_of", 1),
    (seen, "layers_of", 3),  # of the sound looks for the rules and for what is shown, and of all looks
    (seen, "depth_shown", 1),
    (seen, "trends_of", 1),
    (seen, "hidden_activations", 1),
    (facts, "dependency_test", 2),
)
"""The functions that facts are derived by, and how often each may be called for a record with two tests of the data."""

FULL = record(
    steps(400, loss=flat),
    at(time_look(factor=0.5), *chain(10, 0.15), probe()),
    dependency=(dependency(lag(40)), dependency(lag(3))),
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each derivation was called."""
    counts: Counter[str] = Counter()

    def counted(name: str, derive: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            counts[name] += 1
            return derive(*args)

        return call

    for module, name, _ in DERIVATIONS:
        monkeypatch.setattr(module, name, counted(name, getattr(module, name)))
    return counts


def _view(made: Facts, kind: type) -> Facts | Seen:
    return made if kind is Facts else made.seen


def test_each_fact_is_derived_once_however_often_it_is_asked_for(calls: Counter[str]) -> None:
    made = Facts(FULL)
    judge(made)
    once = {name: getattr(_view(made, kind), name) for kind, name in NAMES}
    judge(made)
    assert all(getattr(_view(made, kind), name) is once[name] for kind, name in NAMES)
    assert calls == {name: times for _, name, times in DERIVATIONS}


def test_a_report_in_every_form_derives_each_fact_once(calls: Counter[str]) -> None:
    report = Report.of(FULL)
    report.to_html()
    report.to_json()
    Console(file=StringIO()).print(report)
    assert calls == {name: times for _, name, times in DERIVATIONS if name != "origin"}  # nothing broke


def test_the_facts_of_a_line_are_derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Facts(FULL).site(0)
    names = [name for name, value in vars(Site).items() if isinstance(value, cached_property)]
    assert {"losses", "stalled", "rest", "worse_than_at_first", "clipping"} <= set(names)
    assert all(getattr(site, name) is getattr(site, name) for name in names)


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_an_empty_record_has_every_fact(kind: type, name: str) -> None:
    found = getattr(_view(Facts(Record(run())), kind), name)
    assert not found or name in ("without_guard", "clipping", "seen")


def test_an_empty_record_has_no_place() -> None:
    made = Facts(Record(run()))
    assert made.site_name(3) == ""
    assert made.site(3).steps == ()
    assert made.seen.models_at(0) == frozenset()
    assert made.suggested_threshold_at(made.site(0)) is None


def test_what_comes_after_the_break_is_left_out() -> None:
    broken = (NonFinite(15, 0, "loss", "nan"), NonFinite(3, 0, "backward", "inf", scaled_away=True))
    made = Facts(record(steps(15), at(count=4), nonfinite=broken))
    assert made.first_break == 15
    assert [look.step for look in made.seen.looks] == [0, 10]


def test_without_the_guard_the_run_would_have_broken() -> None:
    found = NonFinite(30, 0, "loss", "nan")
    made = Facts(
        record(steps(60), nonfinite=(found,), guarded=GuardSummary(1, 59, deeds=(GuardDeed(30, "skipped", "nan"),)))
    )
    assert (made.first_break, made.origin) == (None, None)
    assert (made.without_guard.first_break, made.without_guard.origin) == (30, found)


def test_the_root_is_the_longest_name_that_fits() -> None:
    made = Facts(record(models={"net": "Net", "net.inner": "Inner"}))
    assert made.seen.root_of("net.inner.0") == "net.inner"
    assert made.seen.root_of("net.0.weight") == "net"
    assert made.seen.root_of("network.0") == "network"


def test_the_models_of_a_line_are_those_that_its_looks_saw() -> None:
    made = Facts(record((), at(*chain(1)), models={"model": "A", "critic": "B"}))
    assert made.seen.models_at(0) == {"model"}
    assert made.seen.models_at(1) == {"model", "critic"}
