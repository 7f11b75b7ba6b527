"""Each threshold moves the rules that it names: what spoke falls silent, or the reverse."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gradreach.facts.facts import Facts
from gradreach.facts.thresholds import DEFAULT, Threshold, Thresholds
from gradreach.record.schema import Record
from gradreach.rules.registry import RULES, THRESHOLDS, judge, rules_moved_by
from tests.records.parts import at, chain, dependency, falling, flat, free, lag, record, steps, time_look
from tests.records.speaking import NOTHING, SPEAKING, blown

EVEN = chain(10, 4.0, update_ratio=1e-3, weight_grad_norm=0.1)
"""A gradient that grows towards the input beside weights that all move the loss alike."""

CLEARED = record(steps(400, loss=flat), at(time_look(factor=0.5)), dependency=(dependency(*NOTHING, T=60),))
NEARLY_FREE = dependency(free(1, 6), free(7, 59, q=0.1))
HALF = tuple(replace(s, norm=40.0 if i % 10 else 0.1, threshold=0.25, clip="norm") for i, s in enumerate(steps()))

SPEAKS, PASSES, UNKNOWN = "speaks", "passes", "not judged"
CASES: list[tuple[str, float, str, Record, str]] = [
    ("far_share", 0.05, "GR101", SPEAKING["GR101"], PASSES),
    ("far_share", 0.05, "GR103", SPEAKING["GR103 of gates"], PASSES),
    ("far_growth", 1e5, "GR102", SPEAKING["GR102"], PASSES),
    (
        "far_growth",
        5.0,
        "GR403",
        record(steps(400, loss=flat), at(time_look(factor=1.05)), dependency=(dependency(lag(40)),)),
        PASSES,
    ),
    (
        "saturated",
        0.4,
        "GR403",
        record(steps(400, loss=flat), at(time_look(factor=0.99, saturated=0.5)), dependency=(dependency(lag(40)),)),
        UNKNOWN,
    ),
    (
        "depth_decades",
        1.0,
        "GR403",
        record(steps(400, loss=flat), at(time_look(factor=0.99), *chain(4, 0.5)), dependency=(dependency(lag(40)),)),
        UNKNOWN,
    ),
    ("harmful_growth", 20.0, "GR102", SPEAKING["GR102 that blew up"], PASSES),
    ("saturated", 0.9, "GR103", SPEAKING["GR103"], PASSES),
    ("saturated", 0.9, "GR203", SPEAKING["GR203"], PASSES),
    ("saturated_gated", 0.98, "GR103", SPEAKING["GR103 of gates"], PASSES),
    ("depth_decades", 8.0, "GR201", SPEAKING["GR201"], PASSES),
    ("depth_decades", 6.0, "GR202", SPEAKING["GR202"], PASSES),
    ("lost_decades", 4.0, "GR201", record(steps(), at(*chain(10, 0.3, update_ratio=1e-3))), SPEAKS),
    ("lost_decades", 5.0, "GR202", record(steps(), at(*chain(10, 4.0, update_ratio=1e-3))), SPEAKS),
    ("dead", 0.96, "GR204", SPEAKING["GR204"], PASSES),
    ("spike", 35.0, "GR302", SPEAKING["GR302 with harm"], PASSES),
    ("giant_spike", 500.0, "GR302", SPEAKING["GR302"], PASSES),
    ("clipped_rate", 0.85, "GR303", record(HALF), SPEAKS),
    ("clipped_times", 200.0, "GR303", SPEAKING["GR303"], PASSES),
    ("blow_up", 2000.0, "GR304", SPEAKING["GR304"], PASSES),
    ("blow_up", 2000.0, "GR102", SPEAKING["GR102 that blew up"], PASSES),
    ("blow_up", 2000.0, "GR202", record(blown(1000.0, 1e4), at(*EVEN)), PASSES),
    ("diverged", 1e4, "GR304", SPEAKING["GR304"], PASSES),
    ("diverged", 1e4, "GR102", SPEAKING["GR102 that blew up"], PASSES),
    ("diverged", 1e4, "GR202", record(blown(1000.0, 1e4), at(*EVEN)), PASSES),
    ("update_too_large", 0.3, "GR305", SPEAKING["GR305 too large"], PASSES),
    ("update_too_small", 1e-9, "GR305", SPEAKING["GR305 too small"], PASSES),
    ("dependency_level", 1e-4, "GR104", SPEAKING["GR104"], UNKNOWN),
    (
        "dependency_level",
        0.2,
        "GR401",
        record(steps(400, loss=flat), at(time_look(factor=0.5)), dependency=(NEARLY_FREE,)),
        PASSES,
    ),
    ("dependency_level", 1e-4, "GR402", SPEAKING["GR402"], UNKNOWN),
    ("dependency_level", 1e-4, "GR403", SPEAKING["GR403"], UNKNOWN),
    ("dependency_worth", 0.3, "GR104", SPEAKING["GR104"], PASSES),
    ("dependency_worth", 0.3, "GR402", SPEAKING["GR402"], PASSES),
    ("dependency_worth", 0.3, "GR403", SPEAKING["GR403"], PASSES),
    ("dependency_found", 0.03, "GR401", CLEARED, UNKNOWN),
    ("error_left", 0.95, "GR403", SPEAKING["GR403"], PASSES),
]


def given(name: str, value: float) -> Thresholds:
    """The thresholds in force where that one alone is set."""
    return Thresholds({THRESHOLDS[name.replace("_", "-")]: value})


def outcome(made: Record, code: str, thresholds: Thresholds = DEFAULT) -> str:
    judged = judge(Facts(made, thresholds))
    if code in judged.passed:
        return PASSES
    return UNKNOWN if code in judged.not_judged else SPEAKS


@pytest.mark.parametrize(("name", "value", "code", "made", "moved"), CASES)
def test_moving_it_moves_the_rule(name: str, value: float, code: str, made: Record, moved: str) -> None:
    assert outcome(made, code) == (PASSES if moved == SPEAKS else SPEAKS)
    assert outcome(made, code, given(name, value)) == moved


def test_every_threshold_is_moved_for_every_rule_that_it_names() -> None:
    assert {(name, code) for name, _, code, _, _ in CASES} == {
        (each.name, code) for each in THRESHOLDS.values() for code in rules_moved_by(each)
    }


def test_what_could_have_been_missed_decides_what_is_a_pass() -> None:
    assert outcome(CLEARED, "GR402") == PASSES
    assert outcome(CLEARED, "GR402", given("dependency_found", 0.03)) == UNKNOWN


def test_the_defaults_are_those_that_are_declared() -> None:
    spelt_out = Thresholds({each: each.default for each in THRESHOLDS.values()})
    assert all(spelt_out[each] == DEFAULT[each] == each.default for each in THRESHOLDS.values())
    assert spelt_out.changed == DEFAULT.changed == ()
    assert judge(Facts(record(steps(loss=falling)))) == judge(Facts(record(steps(loss=falling)), spelt_out))


def test_every_key_is_there_once() -> None:
    assert set(THRESHOLDS) == {
        *("far-share", "far-growth", "harmful-growth", "saturated", "saturated-gated", "depth-decades"),
        *("lost-decades", "dead", "spike", "giant-spike", "clipped-rate", "clipped-times", "blow-up", "diverged"),
        *("update-too-large", "update-too-small", "dependency-level", "dependency-worth", "dependency-found"),
        "error-left",
    }
    declared = [each for rule in RULES.values() for each in rule.thresholds]
    assert len({each.key for each in declared}) == len(set(declared))


@pytest.mark.parametrize("each", THRESHOLDS.values(), ids=lambda each: each.name)
def test_each_says_what_it_is(each: Threshold) -> None:
    assert each.key == each.name.replace("_", "-")
    assert each.low <= each.default <= each.high
    assert len(each.meaning) > 20
    assert set(rules_moved_by(each)) <= set(RULES)


@pytest.mark.parametrize("each", THRESHOLDS.values(), ids=lambda each: each.name)
def test_what_lies_out_of_range_is_refused(each: Threshold) -> None:
    for end in (each.low, each.high):
        assert Thresholds({each: end})[each] == end
    beyond = (each.high * 2.0,) if math.isfinite(each.high) else ()
    for value in (each.low - 1.0, *beyond, math.nan):
        with pytest.raises(ValueError, match=f"^{each.name}: expected {each.range}, got ") as refused:
            Thresholds({each: value})
        assert f"got {value:g}" in str(refused.value)
        assert each.meaning in str(refused.value)


def test_a_range_reads_as_one_says_it() -> None:
    ranges = {each.key: each.range for each in THRESHOLDS.values()}
    assert (ranges["far-share"], ranges["far-growth"]) == ("0.01 to 1", "1 or more")
    assert ranges["update-too-small"] == "1e-12 to 0.01"


def test_a_rule_without_thresholds_has_none() -> None:
    assert [code for code, rule in RULES.items() if not rule.thresholds] == [
        *("GR105", "GR106", "GR107", "GR205", "GR206", "GR207"),
        *(
            "GR301",
            "GR306",
            "GR307",
            "GR308",
            "GR309",
            "GR310",
            "GR311",
            "GR312",
            "GR313",
            "GR314",
            "GR315",
            "GR316",
            "GR317",
            "GR318",
            "GR319",
            "GR320",
        ),
        *("GR501", "GR502", "GR503", "GR504", "GR505", "GR506", "GR507", "GR508", "GR509", "GR510", "GR511"),
        *(
            "GR601",
            "GR602",
            "GR603",
            "GR604",
            "GR605",
            "GR606",
            "GR607",
            "GR608",
            "GR609",
            "GR610",
            "GR611",
            "GR612",
            "GR613",
            "GR614",
            "GR615",
            "GR616",
            "GR617",
        ),
        *(
            "GR701",
            "GR702",
            "GR703",
            "GR704",
            "GR705",
            "GR706",
            "GR707",
            "GR708",
            "GR709",
            "GR710",
            "GR711",
            "GR712",
            "GR713",
        ),
    ]
