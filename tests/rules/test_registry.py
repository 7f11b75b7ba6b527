from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from random import Random
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gradreach.facts.facts import Facts
from gradreach.record.schema import Record, Step
from gradreach.rules import registry
from gradreach.rules.registry import ORIGINS, RULES, THRESHOLDS
from gradreach.rules.rule import LABELS, UNITS, Rule, RuleOutcome
from tests.records.parts import at, chain, flat, record, steps, time_look
from tests.records.speaking import SPEAKING
from tests.rules.judging import findings, not_judged, passed

ZOO = Path(__file__).parents[1] / "zoo"
WITHOUT_SCRIPT = {
    "GR104": "a stream whose loss rests with a dependency before its chunks takes longer than a script of the zoo may",
    "GR320": "it speaks on CPUs alone that compute slowly with subnormal numbers, and the zoo is watched on any",
    "GR501": "it speaks of scripts that end with an error, and those of the zoo end well",
}
"""The rules that no script of the zoo shows, and why."""

CODES = [
    *("GR101", "GR102", "GR103", "GR104", "GR105", "GR106", "GR107"),
    *("GR201", "GR202", "GR203", "GR204", "GR205", "GR206", "GR207"),
    *("GR301", "GR302", "GR303", "GR304", "GR305", "GR306", "GR307", "GR308"),
    *("GR309", "GR310", "GR311", "GR312", "GR313", "GR314", "GR315", "GR316", "GR317", "GR318", "GR319", "GR320"),
    *("GR401", "GR402", "GR403"),
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
ODD = [float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 5e-324, 1.7e308, -1.0]
WORDS = ["", "model", "model.rnn", "model.0.weight", "d.1", "RNN_TANH", "LSTM", "tanh", "relu"]
FACTORS = st.sampled_from(ODD) | st.floats(1e-3, 30.0)


def made_of(kind: Any, draw: Random) -> Any:
    """Any value of a field's type: odd floats, small counts, empty and filled tuples."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return made_of(draw.choice(parts), draw)
    if origin is Literal:
        return draw.choice(parts)
    if origin is tuple:
        longest = 40 if parts[0] in (float, Step) else 8
        return tuple(made_of(parts[0], draw) for _ in range(draw.choice([0, 1, 3, longest])))
    if origin is dict:
        return {made_of(parts[0], draw): made_of(parts[1], draw) for _ in range(draw.randrange(3))}
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{field.name: made_of(hints[field.name], draw) for field in fields(kind)})  # type: ignore[operator]
    plain = {
        float: lambda: draw.choice([*ODD, draw.random(), draw.lognormvariate(0, 8)]),
        int: lambda: draw.randrange(40),
        bool: lambda: draw.random() < 0.5,
        str: lambda: draw.choice(WORDS),
        NoneType: lambda: None,
    }
    return plain[kind]()


def test_every_code_is_there_once_in_order() -> None:
    assert list(RULES) == CODES
    assert all(code == rule.code for code, rule in RULES.items())
    assert len({rule.slug for rule in RULES.values()}) == len(CODES)


@pytest.mark.parametrize("code", CODES)
def test_every_code_explains_itself_in_full(code: str) -> None:
    rule = RULES[code]
    text = rule.explain
    assert rule.severities
    assert min(len(part) for part in (text.cause, text.thresholds)) > 40
    assert text.silence.endswith(".")
    assert all(text.mathematics)
    assert text.remedies
    assert all(":" in line or ";" in line for line in text.remedies), "a remedy names its trade-off"
    assert all("(" in reference and "): " in reference for reference in text.references)
    assert code[2] in {"time": "1", "depth": "2", "step": "3", "data": "47", "loop": "5", "loss": "6"}[rule.family]


@pytest.mark.parametrize("code", CODES)
def test_every_rule_is_shown_by_the_zoo_or_says_why_not(code: str) -> None:
    scripts = {path.stem: path for path in ZOO.glob("*/*.py")}
    assert bool(RULES[code].zoo) != (code in WITHOUT_SCRIPT)
    for script in (scripts[name] for name in RULES[code].zoo):
        if script.parent.name == "faulty":
            expected = json.loads(script.read_text().splitlines()[0].removeprefix("# expect: "))
            assert code in (expected["code"], *expected.get("also", ()))


def test_every_faulty_script_of_the_zoo_is_named_by_its_rule() -> None:
    for path in ZOO.glob("faulty/*.py"):
        assert path.stem in RULES[path.stem.split("_")[0].upper()].zoo


def test_every_key_of_the_evidence_that_a_rule_names_is_there() -> None:
    told = {(found.code, key) for made in SPEAKING.values() for found in findings(made) for key in found.evidence}
    for code, rule in RULES.items():
        assert {(code, key) for key in (*rule.units, *rule.labels)} <= told
    assert {*UNITS, *LABELS} <= {key for _, key in told}
    assert RULES["GR104"].unit("chunk") == RULES["GR101"].unit("horizon") == "steps"
    assert [RULES["GR303"].label(key) for key in ("clip_rate", "update_size")] == ["clip rate", "update ‖Δw‖/‖w‖"]


def test_findings_come_worst_first() -> None:
    made = record(steps(loss=flat), at(time_look(factor=0.5), *chain(10, 0.15, update_ratio=0.5)))
    found = findings(made)
    assert [(f.severity, f.code) for f in found] == [("error", "GR201"), ("warning", "GR305"), ("info", "GR101")]
    assert [f.code for f in findings(made, ignore=("GR201",))] == ["GR305", "GR101"]


def test_what_broke_the_run_comes_first_among_equals() -> None:
    made = SPEAKING["GR402"]
    assert [f.code for f in findings(made) if f.severity == "error"] == ["GR402", "GR101"]


def test_every_rule_is_ours() -> None:
    assert dict.fromkeys(CODES, "gradreach") == ORIGINS


def loud(facts: Facts) -> RuleOutcome:
    return RuleOutcome((THEIRS.finding("warning", {}, {"norms": len(facts.norms)}, "it is loud", (), "1 > 0"),))


def failing(facts: Facts) -> RuleOutcome:
    raise KeyError("no such layer")


def misspelt(facts: Facts) -> RuleOutcome:
    return RuleOutcome((THEIRS.finding("fatal", {}, {}, "", (), ""),))  # type: ignore[arg-type]


THEIRS = replace(RULES["GR302"], code="XY1", slug="loud", title="loud norms", judge=loud, zoo=())


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Registers rules that another package brings."""
    monkeypatch.setattr(registry, "RULES", dict(RULES))
    monkeypatch.setattr(registry, "ORIGINS", dict(ORIGINS))
    monkeypatch.setattr(registry, "THRESHOLDS", dict(THRESHOLDS))

    def bring(*rules: Rule) -> None:
        for rule in rules:
            registry.register(rule, "loudness")

    return bring


def test_a_rule_of_another_package_finds_like_ours(others: Callable[..., None]) -> None:
    others(THEIRS)
    judged = registry.judge(Facts(record(steps())))
    assert [(found.code, found.title) for found in judged.findings] == [("XY1", "loud norms")]
    assert registry.ORIGINS["XY1"] == "loudness"
    assert registry.judge(Facts(record(steps())), ignore=("XY1",)).findings == ()


@pytest.mark.parametrize(
    ("judge", "why"),
    [
        (failing, "the rule of loudness failed: KeyError: 'no such layer'"),
        (misspelt, "the rule of loudness failed: "),
        (lambda _: None, "the rule of loudness failed: AttributeError: 'NoneType' object has no attribute"),
    ],
)
def test_a_rule_of_another_package_that_fails_loses_no_report(
    others: Callable[..., None], judge: Callable[[Facts], RuleOutcome], why: str
) -> None:
    others(replace(THEIRS, judge=judge))
    judged = registry.judge(Facts(SPEAKING["GR103"]))
    assert judged.not_judged["XY1"].startswith(why)
    assert "GR103" in [found.code for found in judged.findings]


def test_a_code_that_is_taken_is_refused_with_both_names(others: Callable[..., None]) -> None:
    with pytest.raises(ValueError, match=r"GR302: .*'gradient-spikes' of gradreach and 'mine' of loudness"):
        others(replace(RULES["GR302"], slug="mine"))


def test_a_threshold_of_another_package_may_be_new_but_not_ours_with_another_meaning(
    others: Callable[..., None],
) -> None:
    loudness = replace(THRESHOLDS["spike"], name="loudness")
    others(replace(THEIRS, thresholds=(loudness, THRESHOLDS["spike"])))
    assert registry.THRESHOLDS["loudness"] is loudness
    assert registry.rules_moved_by(loudness) == ("XY1",)
    with pytest.raises(ValueError, match=r"spike: XY2 of loudness declares another threshold of that key"):
        others(replace(THEIRS, code="XY2", thresholds=(replace(THRESHOLDS["spike"], default=5.0),)))


def test_rules_of_other_packages_come_by_entry_point(tmp_path: Path) -> None:
    package = tmp_path / "loudness-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: loudness\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[gradreach.rules]\nloud = loudness:RULE\n")
    (tmp_path / "loudness.py").write_text(
        "from dataclasses import replace\n"
        "from gradreach.rules.gr302_gradient_spikes import RULE as SPIKES\n"
        "RULE = replace(SPIKES, code='XY1', slug='loud')\n"
    )
    code = "from gradreach.rules.registry import ORIGINS, RULES; assert list(RULES)[-1] == 'XY1', list(RULES)"
    code += "; assert ORIGINS['XY1'] == 'loudness'"
    code += "; from gradreach.cli import main; raise SystemExit(main(['rules']))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    listed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    ).stdout.splitlines()
    assert {line.split()[0]: line.split()[2] for line in listed}["XY1"] == "loudness"
    assert all(line.split()[2] == "gradreach" for line in listed[:-1])


def test_every_check_is_passed_failed_or_not_judged() -> None:
    made = record(steps(), at(time_look(factor=0.5), *chain(10)))
    found = {finding.code for finding in findings(made)}
    assert found | set(passed(made)) | set(not_judged(made)) == set(CODES)
    assert not set(passed(made)) & (found | set(not_judged(made)))
    assert all(not_judged(made).values())


@pytest.mark.slow(6, "judges 300 random records")
@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_no_record_makes_a_rule_raise(seed: int) -> None:
    made = made_of(Record, Random(seed))
    for finding in findings(made):
        assert finding.severity in RULES[finding.code].severities
        assert finding.because
        assert finding.formula
        assert finding.remedies
    passed(made)
    not_judged(made)


@pytest.mark.slow(6, "judges 100 random records")
@settings(max_examples=100, deadline=None)
@given(FACTORS, st.floats() | st.none(), st.integers(1, 5), st.lists(st.floats() | st.none(), min_size=1, max_size=60))
@example(5e-324, 1.3407807929942597e154, 1, [None])  # ‖w‖·‖∂L/∂w‖ of every layer is past the largest float
def test_no_layered_record_makes_a_rule_raise(
    growth: float, figure: float | None, count: int, losses: list[float | None]
) -> None:
    layers = chain(8, 1.0, weight_norm=figure, grad_rms=growth, weight_grad_norm=figure, update_ratio=growth)
    looks = at(time_look(factor=0.5, saturated=figure, gamma_mean=growth, bound_factor=figure), *layers, count=count)
    run = tuple(Step(i, 0.0, 0, loss, figure, threshold=figure, clip="norm") for i, loss in enumerate(losses))
    assert isinstance(findings(record(run, looks)), tuple)


def test_the_registry_needs_neither_torch_nor_numpy() -> None:
    code = "import sys, gradreach.rules.registry; assert not {'torch', 'numpy'} & set(sys.modules), 'heavy import'"
    subprocess.run([sys.executable, "-c", code], check=True)
