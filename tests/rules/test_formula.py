"""Every finding carries its rule's formula with the run's own numbers, and these come to what is said."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradreach.record.schema import Finding, Record
from gradreach.rules.formula import against_bound, mean_slope, quotient, raised
from gradreach.rules.registry import RULES
from tests.records.parts import time_look
from tests.records.runs import ALL, long
from tests.records.speaking import SPEAKING
from tests.rules.judging import findings

from .arithmetic import figures, holds, relations

LONGEST = 110
WITHOUT_RELATION = {
    *("GR105", "GR301", "GR306", "GR311", "GR501", "GR502", "GR504", "GR506", "GR507", "GR508"),
    *("GR605", "GR606", "GR612", "GR702", "GR706", "GR711"),
}
"""Codes whose formula holds a NaN, a count or an index, no two figures to compare."""

QUOTED: dict[str, tuple[str, ...]] = {
    "GR101": (),
    "GR102": ("lag", "far_reach"),
    "GR103": ("saturated",),
    "GR104": ("chunk", "share", "q"),
    "GR105": ("rows_on", "rows"),
    "GR106": ("detached",),
    "GR107": ("calls",),
    "GR201": ("grad_rms_first", "grad_rms_last"),
    "GR202": ("grad_rms_first", "grad_rms_last"),
    "GR203": ("saturated",),
    "GR204": ("dead", "units"),
    "GR205": ("different", "units", "looks"),
    "GR206": ("looks",),
    "GR207": (),
    "GR301": ("loss_before",),
    "GR302": ("norm", "usual_norm", "times"),
    "GR303": ("threshold", "norm", "clip_rate"),
    "GR304": ("largest_norm", "usual_norm", "times"),
    "GR305": (),
    "GR306": ("parameters", "looks"),
    "GR307": ("parameters", "looks"),
    "GR308": ("first_norm", "last_norm"),
    "GR309": ("parameters", "looks"),
    "GR310": ("update_first", "update_last"),
    "GR311": ("looks",),
    "GR312": ("pull", "weight_norm_first", "weight_norm_last"),
    "GR313": ("eps", "root"),
    "GR314": ("p",),
    "GR315": ("looks",),
    "GR316": ("looks",),
    "GR317": ("looks",),
    "GR318": ("smallest_change", "weighed"),
    "GR319": ("wrong",),
    "GR320": ("speedup_low",),
    "GR401": ("q", "detectable_share"),
    "GR402": ("lag", "reach", "share", "q"),
    "GR403": ("lag", "reach", "share", "q", "error_left"),
    "GR501": (),
    "GR502": ("parameters", "looks"),
    "GR503": ("first_nodes", "last_nodes"),
    "GR504": ("calls", "threshold"),
    "GR505": ("parameters", "looks"),
    "GR506": ("parameters", "looks"),
    "GR507": ("thrown_away", "looks"),
    "GR508": ("parameters", "looks"),
    "GR509": ("taken", "given"),
    "GR510": ("empty", "passes"),
    "GR511": ("anew", "looks"),
    "GR601": ("rows", "pairs"),
    "GR602": (),
    "GR603": ("least_loss",),
    "GR604": ("over_guess",),
    "GR605": ("places",),
    "GR606": (),
    "GR607": ("scale", "first_loss", "constant_guess"),
    "GR608": ("rank_correlation",),
    "GR609": ("target", "looks"),
    "GR610": ("share",),
    "GR611": ("times",),
    "GR612": ("places",),
    "GR613": ("share",),
    "GR614": ("least_loss",),
    "GR615": ("times",),
    "GR616": ("parameters", "looks"),
    "GR617": ("looks",),
    "GR701": (),
    "GR702": (),
    "GR703": ("deviation_first", "deviation_last"),
    "GR704": (),
    "GR705": ("padded",),
    "GR706": ("rows",),
    "GR707": ("T", "looks"),
    "GR708": ("padded_rows",),
    "GR709": ("padded", "looks"),
    "GR710": ("share", "looks"),
    "GR711": ("read",),
    "GR712": ("turned",),
    "GR713": ("rows", "places"),
}
"""The evidence that a formula of the rule must hold, whatever its form."""

SHORTER = long(2400).steps
REPORTS = {name: replace(made, steps=SHORTER) if len(made.steps) > 9999 else made for name, made in ALL.items()}
MADE = {**{f"report {name}": made for name, made in REPORTS.items()}, **SPEAKING}


def spoken(name: str) -> Finding:
    code = name.split()[0]
    return next(finding for finding in findings(SPEAKING[name]) if finding.code == code)


def holds_figure(formula: str, figure: float) -> bool:
    return any(math.isclose(each, figure, rel_tol=0.03) for each in figures(formula))


def test_every_rule_speaks_somewhere() -> None:
    assert {name.split()[0] for name in SPEAKING} == set(RULES) == set(QUOTED)


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_every_finding_has_a_formula_whose_arithmetic_is_true(made: Record) -> None:
    for finding in findings(made):
        assert 10 < len(finding.formula) <= LONGEST, finding.formula
        found = relations(finding.formula)
        assert found or finding.code in WITHOUT_RELATION or " = 0" in finding.formula, finding.formula
        assert not [relation for relation in found if not holds(relation)], finding.formula


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_a_formula_holds_the_evidence(made: Record) -> None:
    for finding in findings(made):
        quoted = [finding.evidence[key] for key in QUOTED[finding.code] if finding.evidence[key] is not None]
        for value in quoted:
            assert isinstance(value, int | float)
            assert holds_figure(finding.formula, value), (value, finding.formula)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("GR101", "r(ℓ) ≤ (γλ)^ℓ: (1 × 0.71)^99 = 1.9e-15; measured r(99) = 0.61^99 = 5.6e-22"),
        ("GR101 of gates", "r(ℓ) ≈ 0.826^ℓ: 0.826^25 = 0.0084 < 0.01"),
        ("GR101 without a trace", "r(ℓ) ≤ (γλ)^ℓ: (1 × 1.2)^59 = 47000; measured r(59) = 0"),
        ("GR102", "r(ℓ) ≤ (γλ)^ℓ: (1 × 1.3)^59 = 5.3e6; measured r(59) = 1.2^59 = 47000 ≥ 100"),
        ("GR103", "mean σ′ / max σ′ ≤ 1 − 0.95 × 0.83 = 0.212"),
        (
            "GR104",
            "∂L_t/∂h_(t−ℓ) = 0 for ℓ ≥ 60, yet 60–90 steps back lie 24 % of the error's variance, q = 0.0014 ≤ 0.01",
        ),
        (
            "GR201",
            "rms(∂L/∂x_1) / rms(∂L/∂x_10) = 3.11e-11 / 0.00141 = 2.2e-8; fitted line: 0.141^9 = 2.2e-8 ≤ 0.001",
        ),
        ("GR203", "mean σ′ / max σ′ ≤ 1 − 0.95 × 0.84 = 0.202"),
        ("GR204", "relu′(a) = 0 for a < 0: ∂L/∂w = Σ δ · relu′(a) · x = 0 in 95.3 % ≥ 90 % of 64 units"),
        ("GR301", "step 41: L(y) = NaN → w − η · ∂L/∂w = NaN; last finite loss 1.12"),
        ("GR301 without its origin", "step 30: ‖∂L/∂w‖ = ∞ → w − η · ∂L/∂w = ±∞ or NaN; last finite loss 1.31"),
        ("GR302", "‖g‖ / median ‖g‖ of 20 steps before = 900 / 2.1 = 429 ≥ 100"),
        ("GR302 with harm", "‖g‖ / median ‖g‖ of 20 steps before = 62 / 2.1 = 29.5 ≥ 10"),
        ("GR303", "g ← g · 0.25 / ‖g‖: 0.25 / 42 = 0.00595 of it is left, in 100 % ≥ 95 % of the steps"),
        ("GR304", "‖g‖ / ‖g‖ before = 3000 / 3 = 1000 ≥ 100; loss 2 → 13837"),
        ("GR305 too large", "‖Δw‖ / ‖w‖ = 0.2 ≥ 0.1: 1 / 0.2 = 5 updates replace the weights"),
        ("GR305 thrown away", "‖Δw‖ / ‖w‖ = 7 ≥ 1, in 4 of 4 modules"),
        ("GR305 grown since", "max ‖Δw‖ / ‖w‖ = 7 ≥ 1; ‖w‖ / ‖w‖ at first = 60 / 3 = 20 ≥ 10"),
        ("GR305 too small", "‖Δw‖ / ‖w‖ = 1e-8 ≤ 1e-6: 1 / 1e-8 = 1e8 updates to move w by its size"),
        ("GR306", "∂L/∂w = 0: w.grad is None for 2 w, in 4 of 4 looks"),
        ("GR401", "min q over 7–59 steps back = 0.71 > 0.05; detectable share = 3.1 % ≤ 5 %"),
        (
            "GR402",
            "r(61) = 3.9e-13 < 0.01, yet 61–91 steps back lie 24 % of the error's variance, q = 0.0014 ≤ 0.01",
        ),
        (
            "GR403",
            "r(40) = 0.669 ≥ 0.01; 40 steps back lie 24 % of the error's variance, q = 0.0014 ≤ 0.01; "
            "error left 0.94 ≥ 0.5",
        ),
    ],
)
def test_the_formula_of_each_rule(name: str, formula: str) -> None:
    assert spoken(name).formula == formula


@given(st.floats(1e-3, 30.0), st.integers(1, 5000))
def test_a_power_can_be_worked_out_again_whatever_its_size(base: float, exponent: int) -> None:
    (relation,) = relations(raised(base, exponent))
    assert holds(relation)


@given(st.floats(1e-3, 3.0), st.integers(1, 2000), st.floats(1e-300, 1e300))
def test_a_bound_and_what_is_measured_can_be_worked_out_again(bound: float, lag: int, r: float) -> None:
    told = against_bound(time_look(lambda_=bound, bound_factor=bound), lag, r)
    assert len(relations(told)) == 2
    assert all(map(holds, relations(told))), told


def test_a_cell_without_a_bound_tells_what_is_measured_alone() -> None:
    assert against_bound(time_look(bound_factor=None), 24, 0.826**24) == "r(24) = 0.826^24 = 0.01"
    assert against_bound(time_look(gamma=None, bound_factor=0.5), 10, 0.0) == (
        "r(ℓ) ≤ (γλ)^ℓ: 0.5^10 = 9.8e-4; measured r(10) = 0"
    )


@given(st.floats(0.0, 1.0))
def test_the_mean_slope_is_what_the_share_leaves(share: float) -> None:
    (relation,) = relations(mean_slope(share))
    assert holds(relation)


def test_nothing_is_divided_by_zero() -> None:
    assert quotient(2.0, 0.0) == "2 / 0 = ∞"


@pytest.mark.parametrize("relation", ["0.5^7 = 0.0079", "900 / 29 = 30.5", "0.02 ≤ 1 %", "(1 × 0.71)^99 = 2e-14"])
def test_a_wrong_figure_is_seen(relation: str) -> None:
    assert relations(relation) == [relation]
    assert holds(relation) == (relation == "0.5^7 = 0.0079")
