from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.facts.facts import Facts
from gradreach.record.kinds import DECAY_LOOP, LOOP, MATRIX_LOOP, SCAN
from gradreach.record.schema import NonFinite
from gradreach.record.seen.recurrence import Probe
from gradreach.rules.registry import RULES
from tests.records.parts import at, dependency, flat, lag, record, steps, time_look
from tests.records.speaking import SPEAKING
from tests.rules.judging import codes, findings, not_judged, passed, the


def test_vanishing_is_information_with_horizon_factor_and_bound() -> None:
    found = the(record(steps(), at(time_look(factor=0.5))), "GR101")
    assert found.severity == "info"
    assert found.where["module"] == "model.rnn"
    assert found.where["direction"] == "forward"
    assert found.evidence["horizon"] == 6
    assert found.evidence["T"] == 60
    assert found.evidence["bound_factor"] == 1.2
    assert found.because.startswith("r(ℓ) falls under 0.01 past lag 6 of 59, times 0.5 a step on the way; ")
    assert found.evidence["factor_to_horizon"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("kind", "module", "sentence", "remedies"),
    [
        (
            DECAY_LOOP,
            "net.mix",
            "60 steps in the forward of `net.mix`, found in the graph; a factor of",
            ["slow-decay"],
        ),
        (SCAN, "net.mix", "60 steps in the forward of `net.mix`, found in the graph; a factor of", ["slow-decay"]),
        (MATRIX_LOOP, "", "60 steps of the script's own, found in the graph.", ["orthogonal"]),
        (LOOP, "net", "60 steps in the forward of `net`, found in the graph.", []),
        ("Cell", "net.cell", "", ["orthogonal"]),
    ],
)
def test_a_loop_that_no_module_shows_is_told_of_and_gets_what_fits(
    kind: str, module: str, sentence: str, remedies: list[str]
) -> None:
    found = the(record(steps(), at(time_look(module, factor=0.5, kind=kind))), "GR101")
    form = "scan that computes" if kind == SCAN else "loop over"
    assert (f"The recurrence is a {form} {sentence}" in found.because) == bool(sentence)
    assert [remedy.id for remedy in found.remedies] == remedies


@pytest.mark.parametrize(
    ("kind", "remedy"), [(DECAY_LOOP, "bounded-decay"), (MATRIX_LOOP, "orthogonal"), (LOOP, "normalise-state")]
)
def test_what_keeps_a_loop_from_growing_goes_by_what_multiplies_its_state(kind: str, remedy: str) -> None:
    found = the(record(steps(), at(time_look("net", factor=1.2, kind=kind))), "GR102")
    assert [each.id for each in found.remedies] == [remedy]
    assert "The recurrence is a loop over 60 steps in the forward of `net`" in found.because


def test_the_rate_told_leads_from_one_to_the_first_value_under_one_percent() -> None:
    """The slope over all lags does not, where the curve bends."""
    reach = (*(0.5**lag for lag in range(8)), *(0.0078 * 0.95**lag for lag in range(52)))
    found = the(record(steps(), at(time_look(reach=reach, horizon=6, factor=0.93))), "GR101")
    assert "times 0.5 a step on the way" in found.because
    assert "0.93" not in found.because


def test_the_verdict_adds_how_far_a_vanishing_gradient_gets() -> None:
    aside = RULES["GR101"].aside
    assert aside is not None
    found = the(record(steps(), at(time_look(factor=0.5))), "GR101")
    assert aside(found) == ": less than 1 % is left past 6 of 59 steps back"
    assert aside(replace(found, evidence={})) == ""


def test_a_lag_past_the_horizon_that_has_one_percent_is_told_beside_it() -> None:
    """It is no contradiction of the sentence that the rest adds less than 1 %."""
    found = the(SPEAKING["GR101 past a gap"], "GR101")
    assert found.evidence["horizon"] == 6
    assert found.evidence["farthest_reached"] == 20
    assert (
        "At some lags up to 20 r is 0.01 or more again; any other step further back adds less than 1 %" in found.because
    )
    aside = RULES["GR101"].aside
    assert aside is not None
    assert aside(found) == ": less than 1 % is left past 6 of 59 steps back, but for some steps up to 20 back"
    plain = the(record(steps(), at(time_look(factor=0.5))), "GR101")
    assert "farthest_reached" not in plain.evidence
    assert "again" not in plain.because


def test_vanishing_is_an_error_where_the_data_depends_on_what_is_out_of_reach() -> None:
    found = the(record(steps(loss=flat), at(time_look(factor=0.5)), dependency=(dependency(lag(40, 60)),)), "GR101")
    assert found.severity == "error"
    assert found.because.endswith("and the error still depends on the input 40–60 steps back (GR402).")


@pytest.mark.parametrize(
    ("module", "proven"),
    [("model.rnn", True), ("model.rnn.0", True), ("model", True), ("model.rnn2", False), ("other.rnn", False)],
)
def test_the_proof_holds_for_the_layer_and_its_stack_alone(module: str, proven: bool) -> None:
    made = record(steps(loss=flat), at(time_look(factor=0.5)), dependency=(dependency(lag(40), module=module),))
    assert "GR402" in codes(made)
    assert (the(made, "GR101").severity == "error") == proven


@pytest.mark.parametrize("changes", [{"q": 0.06}, {"share": 0.009}, {"lag": 3, "at": 3}, {"at": 70}])
def test_vanishing_stays_information_where_no_harm_is_proven(changes: dict[str, float]) -> None:
    made = record(steps(), at(time_look(factor=0.5)), dependency=(dependency(replace(lag(40), **changes)),))
    assert the(made, "GR101").severity == "info"


def test_the_proof_at_one_line_says_nothing_of_another() -> None:
    looks = tuple(replace(look, site=n % 2, step=look.step + n) for n in (0, 1) for look in at(time_look(factor=0.5)))
    made = record(steps(loss=flat, site=1), looks, dependency=(dependency(lag(40), site=1),))
    found = {f.where["site"]: f.severity for f in findings(made) if f.code == "GR101"}
    assert found == {"train.py:20": "info", "train.py:30": "error"}


def test_a_reverse_layer_is_not_proven_to_harm() -> None:
    both = (time_look(factor=0.5), time_look(factor=0.5, direction="reverse"))
    made = record(steps(loss=flat), at(*both), dependency=(dependency(lag(40)),))
    found = {f.where["direction"]: f.severity for f in findings(made) if f.code == "GR101"}
    assert found == {"forward": "error", "reverse": "info"}


def test_a_bound_under_one_is_named_as_the_cause() -> None:
    assert (
        "alone already forces it" in the(record(steps(), at(time_look(factor=0.5, bound_factor=0.7))), "GR101").because
    )


@pytest.mark.parametrize(("horizon", "speaks"), [(29, True), (30, False), (59, False)])
def test_vanishing_speaks_under_half_of_the_sequence(horizon: int, speaks: bool) -> None:
    reach = tuple(1.0 if lag <= horizon else 1e-3 for lag in range(60))
    assert ("GR101" in codes(record(steps(), at(time_look(horizon=horizon, reach=reach))))) == speaks


def test_a_curve_that_a_shortcut_revives_has_not_vanished() -> None:
    revived = tuple(0.7 ** (lag // 8) if lag % 8 == 0 else 1e-4 for lag in range(60))
    assert "GR101" not in codes(record(steps(), at(time_look(reach=revived, horizon=0, factor=0.96))))
    fading = tuple(0.3 ** (lag // 8) if lag % 8 == 0 else 1e-4 for lag in range(60))
    assert "GR101" in codes(record(steps(), at(time_look(reach=fading, horizon=0, factor=0.9))))


def test_a_single_lag_that_stands_out_does_not_revive_a_curve() -> None:
    lonely = tuple(1.0 if lag < 5 else 0.02 if lag == 50 else 1e-4 for lag in range(60))
    assert "GR101" in codes(record(steps(), at(time_look(reach=lonely, horizon=4, factor=0.9))))


def test_one_horizon_is_told_of_a_layer_whatever_the_last_look_was() -> None:
    looks = tuple(
        replace(look, step=20 * i)
        for i, horizon in enumerate((20, 12, 29, 4))
        for look in at(time_look(factor=0.5, horizon=horizon), count=1)
    )
    facts = Facts(record(steps(), looks, dependency=(dependency(lag(40)),)))
    assert the(facts.record, "GR101").evidence["horizon"] == 12
    assert [shown.layer.horizon for shown in facts.seen.time_shown] == [12]
    assert [test.reach.horizon for test in facts.dependency_tests] == [12]


def test_short_sequences_are_not_judged() -> None:
    made = record(steps(), at(time_look(factor=0.1, T=9)))
    assert "GR101" not in codes(made)
    assert "GR101" in not_judged(made)
    assert "GR101" not in passed(made)


def test_each_layer_and_direction_is_judged_by_itself() -> None:
    deep = time_look(factor=0.5, layer=1, direction="reverse")
    found = the(record(steps(), at(time_look(factor=0.99), deep)), "GR101")
    assert (found.where["layer"], found.where["direction"]) == (1, "reverse")


def test_exploding_with_sound_steps_is_a_warning() -> None:
    found = the(record(steps(), at(time_look(factor=1.2))), "GR102")
    assert found.severity == "warning"
    assert found.evidence["lag"] == 59
    assert found.evidence["far_reach"] == pytest.approx(1.2**59)


def test_exploding_is_an_error_where_the_steps_blew_up() -> None:
    blowing = steps(
        100, norm=lambda i: 1.0 if i < 60 else 2.0 ** (i - 60), loss=lambda i: 1.0 if i < 60 else 2.0 ** (i - 60)
    )
    assert the(record(blowing, at(time_look(factor=1.05))), "GR102").severity == "error"
    broken = (NonFinite(step=90, site=0, phase="backward", value="inf"),)
    assert the(record(steps(90), at(time_look(factor=1.05)), nonfinite=broken), "GR102").severity == "error"


def test_non_finite_data_does_not_make_a_growing_curve_an_error() -> None:
    broken = (NonFinite(step=90, site=0, phase="input", value="inf"),)
    assert "GR102" not in codes(record(steps(90), at(time_look(factor=1.05)), nonfinite=broken))


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.02, 1.07])
def test_orthogonal_and_identity_starts_do_not_explode(factor: float) -> None:
    assert "GR102" not in codes(record(steps(), at(time_look(factor=factor))))


def test_exploding_must_last_over_the_looks() -> None:
    looks = (
        *at(time_look(factor=0.99), count=4),
        *(replace(look, step=100) for look in at(time_look(factor=1.3), count=1)),
    )
    assert "GR102" not in codes(record(steps(), looks))


@pytest.mark.parametrize(("share", "speaks"), [(0.79, False), (0.8, True), (1.0, True)])
def test_saturated_tanh(share: float, speaks: bool) -> None:
    assert ("GR103" in codes(record(steps(), at(time_look(saturated=share))))) == speaks


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_gates_saturate_rightly(kind: str) -> None:
    assert "GR103" not in codes(record(steps(), at(time_look(kind=kind, saturated=0.9, factor=0.5))))
    assert "GR103" not in codes(record(steps(), at(time_look(kind=kind, saturated=0.97, factor=0.999))))
    assert "GR103" in codes(record(steps(), at(time_look(kind=kind, saturated=0.97, factor=0.5))))


def test_a_flat_step_of_ones_own_counts_where_the_gradient_does_not_get_past_it() -> None:
    assert "GR103" not in codes(record(steps(), at(time_look(kind="Counter", saturated=0.79, factor=0.5))))
    assert "GR103" not in codes(record(steps(), at(time_look(kind="Counter", saturated=0.9, factor=0.999))))
    assert "GR103" in codes(record(steps(), at(time_look(kind="Counter", saturated=0.9, factor=0.5))))


def test_what_is_flat_is_named_beside_what_does_not_get_through() -> None:
    found = the(SPEAKING["GR402 of a flat cell of its own"], "GR402")
    assert "94 % of the values of a tanh in each step have less than 5 % of the largest slope" in found.because
    assert found.remedies[0].do.startswith("c = torch.sigmoid(f) * c")
    assert "slope" not in the(SPEAKING["GR402"], "GR402").because


def test_saturation_needs_several_looks() -> None:
    assert "GR103" not in codes(record(steps(), at(time_look(saturated=1.0), count=2)))


def test_nothing_recurrent_is_not_passed() -> None:
    made = record(steps(), at())
    assert not {"GR101", "GR102", "GR103"} & set(passed(made))


def test_a_short_last_batch_does_not_speak_for_its_layer() -> None:
    looks = (*at(time_look(factor=0.5)), *at(time_look(factor=0.2, T=12), count=1))
    assert the(record(steps(), looks), "GR101").evidence["T"] == 60


def test_a_far_dependency_behind_a_short_loop_is_answered_in_the_loop() -> None:
    """The reach at the head was probed; the loop on the way is what it ends at, unless it reaches far enough itself."""
    probe = Probe("model.head", 60, 6, tuple(0.5**lag for lag in range(60)), 4)
    far = dependency(lag(40), module="model.head")
    for factor, remedy in ((0.5, "slow-decay"), (0.99, "receptive-field")):
        loop = time_look("model.mix", factor=factor, kind=DECAY_LOOP)
        found = the(record(steps(loss=flat), at(loop, probe), dependency=(far,)), "GR402")
        assert [each.id for each in found.remedies] == [remedy]
