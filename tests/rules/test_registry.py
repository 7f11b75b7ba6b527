from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, is_dataclass
from random import Random
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradreach.record.schema import Record, Step
from gradreach.rules.registry import RULES
from tests.records.parts import at, chain, flat, record, steps, time_look
from tests.rules.judging import findings, not_judged, passed

CODES = [
    *("GR101", "GR102", "GR103", "GR104", "GR105"),
    *("GR201", "GR202", "GR203", "GR204"),
    *("GR301", "GR302", "GR303", "GR304", "GR305", "GR306"),
    *("GR401", "GR402", "GR403"),
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
        return {draw.choice(WORDS): draw.choice(WORDS) for _ in range(draw.randrange(3))}
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
    assert {"time": "1", "depth": "2", "step": "3", "data": "4"}[rule.family] == code[2]


def test_only_the_rules_without_evidence_have_no_check() -> None:
    assert [code for code, rule in RULES.items() if rule.check is None] == ["GR105"]


def test_findings_come_worst_first() -> None:
    made = record(steps(loss=flat), at(time_look(factor=0.5), *chain(10, 0.15, update_ratio=0.5)))
    found = findings(made)
    assert [(f.severity, f.code) for f in found] == [("error", "GR201"), ("warning", "GR305"), ("info", "GR101")]
    assert [f.code for f in findings(made, ignore=("GR201",))] == ["GR305", "GR101"]


def test_every_check_is_passed_failed_or_not_judged() -> None:
    made = record(steps(), at(time_look(factor=0.5), *chain(10)))
    found = {finding.code for finding in findings(made)}
    assert found | set(passed(made)) | set(not_judged(made)) == set(CODES)
    assert not set(passed(made)) & (found | set(not_judged(made)))
    assert all(not_judged(made).values())


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


@settings(max_examples=100, deadline=None)
@given(FACTORS, st.floats() | st.none(), st.integers(1, 5), st.lists(st.floats() | st.none(), min_size=1, max_size=60))
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
