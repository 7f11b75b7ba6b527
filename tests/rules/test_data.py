"""GR401 to GR403: nothing far to learn, out of reach, within reach and unlearned; or not enough data yet."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from gradreach.record.look import Look
from gradreach.record.schema import Finding, Lag, Record
from gradreach.record.seen.depth import DepthLook
from gradreach.record.seen.loss import LossLook
from gradreach.rules.data_dependency import UNASKED
from gradreach.rules.registry import RULES
from tests.records.parts import (
    activation,
    at,
    between,
    chain,
    dependency,
    falling,
    flat,
    free,
    lag,
    probe,
    record,
    steps,
    time_look,
)
from tests.rules.judging import codes, findings, not_judged, passed, the

CODES = {"GR401", "GR402", "GR403"}
SHORT, LONG = at(time_look(factor=0.5)), at(time_look(factor=0.99))
"""A layer that reaches 6 of 59 steps back, and one that reaches them all."""

NOTHING = (free(1, 6), free(7, 20), free(21, 59))


def hardly_falling(step: int) -> float:
    return 1.0 - 1e-4 * step + 0.002 * (step % 3)


def made(*lags: Lag, looks: tuple[Look, ...] = SHORT, loss: object = flat, **more: object) -> Record:
    return record(steps(400, loss=loss), looks, dependency=(dependency(*lags, **more),))  # type: ignore[arg-type]


def data(found: Record) -> set[str]:
    return CODES & set(codes(found))


def test_unreached_dependency_is_vanishing_with_proof() -> None:
    found = the(made(free(1, 6), lag(40, 59, at=44)), "GR402")
    assert found.severity == "error"
    assert found.where == {"module": "model.rnn", "site": "train.py:20"}
    assert found.because.startswith(
        "the error still depends on the input 40–59 steps back (share 24 % of its variance, q = 0.0014, "
        "256 sequences); the gradient that comes from there is 5.68e-14 of the near one: it vanishes."
    )
    assert found.because.endswith("The horizon, 1 %, lies 6 steps back.")
    assert {key: found.evidence[key] for key in ("lag", "lags", "horizon", "T", "sequences", "error_left")} == {
        "lag": 44, "lags": "40–59", "horizon": 6, "T": 60, "sequences": 256, "error_left": 0.94,
    }  # fmt: skip
    assert found.evidence["reach"] == pytest.approx(0.5**44)


def test_while_the_loss_falls_what_is_out_of_reach_is_information() -> None:
    found = the(made(lag(40), loss=falling), "GR402")
    assert found.severity == "info"
    assert found.because.endswith("The loss still falls, or was seen too short to tell: the reach may yet grow.")
    short = record(steps(150, loss=flat), SHORT, dependency=(dependency(lag(40)),))
    assert the(short, "GR402").severity == "info"
    assert the(short, "GR101").severity == "info"


def test_a_loss_that_is_still_a_constant_guess_rests() -> None:
    guess = LossLook(
        "squared error", (32, 1), (32, 1), (32, 1), "matrix product", "model.head", True, guess=0.95, value=0.96
    )
    slowly = made(lag(40), looks=at(time_look(factor=0.5), losses=(guess,), count=8), loss=hardly_falling)
    assert the(slowly, "GR402").severity == "error"
    assert the(slowly, "GR604").severity == "info"
    assert the(made(lag(40), loss=hardly_falling), "GR402").severity == "info"


def test_of_several_lags_out_of_reach_the_strongest_is_told_and_all_are_named() -> None:
    found = the(made(lag(3), lag(20, 29, share=0.02), lag(30, 44), lag(52, share=0.03)), "GR402")
    assert "depends on the input 30–44 steps back (share 24 %" in found.because
    assert "All such lags: 20–44 and 52." in found.because
    assert found.evidence["lags"] == "20–44 and 52"


def test_blocks_of_one_stream_are_called_so() -> None:
    assert "64 blocks of 25 steps)" in the(made(lag(40), sequences=64, block=25), "GR402").because


def test_where_nothing_arrives_at_all_no_share_of_it_is_told() -> None:
    found = the(made(lag(30), looks=at(probe()), module="model.head"), "GR402")
    assert "; no gradient comes from there." in found.because
    (remedy,) = found.remedies
    assert remedy.id == "receptive-field"
    assert "30 steps" in remedy.do


@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        ("RNN_TANH", ["orthogonal", "gated-cell"]),
        ("LSTM", ["chrono-start", "forget-bias"]),
        ("GRU", ["chrono-start", "update-bias"]),
    ],
)
def test_what_would_reach_so_far(kind: str, ids: list[str]) -> None:
    found = the(made(lag(40), looks=at(time_look(factor=0.5, kind=kind, gamma_mean=0.98))), "GR402")
    assert [remedy.id for remedy in found.remedies] == ids
    if kind == "RNN_TANH":
        assert found.remedies[1].do.startswith('gr.swap(model, "rnn", "lstm")')
    else:
        assert found.remedies[0].do.startswith("gr.init.chrono_(model.rnn, t_max=41)")


def test_nothing_far_is_information_that_says_how_sure_it_is() -> None:
    found = the(made(*NOTHING[:2], replace(NOTHING[2], detectable=0.031)), "GR401")
    assert found.severity == "info"
    assert {key: found.evidence[key] for key in ("horizon", "detectable_share", "sequences", "lags")} == {
        "horizon": 6, "detectable_share": 0.031, "sequences": 256, "lags": "7–59",
    }  # fmt: skip
    assert "the input 7–59 steps back, given the nearer inputs and the model's own state" in found.because
    assert "a share of 3.1 % of its variance" in found.because


@pytest.mark.parametrize(("detectable", "speaks"), [(0.05, True), (0.051, False)])
def test_too_little_data_is_an_answer_with_its_figures(detectable: float, speaks: bool) -> None:
    found = made(free(1, 6), free(7, 20), free(21, 59, detectable=detectable), sequences=40)
    assert ("GR401" in data(found)) == speaks
    if not speaks:
        why = not_judged(found)["GR401"]
        assert why.startswith("not enough data yet: 21–59 steps back a share of 5.1 % of the error's variance")
        assert why.endswith("with 40 sequences; about 41 would be needed: more steps, or --every 1")
        assert not_judged(found)["GR402"] == why
        assert not {"GR401", "GR402"} & set(passed(found))


@pytest.mark.parametrize(("edge", "speaks"), [(43, True), (42, True), (41, False)])
def test_few_positions_at_the_far_end_do_not_undo_what_was_cleared(edge: int, speaks: bool) -> None:
    """Past lag 6 lie 53 lags, of which 36 are two thirds and more."""
    found = made(free(1, 6), free(7, edge), free(edge + 1, 59, detectable=0.4))
    assert ("GR401" in data(found)) == speaks
    if speaks:
        assert the(found, "GR401").evidence["lags"] == f"7–{edge}"
        assert the(found, "GR401").because.endswith(f"Of {edge + 1}–59 steps back there is not enough data yet.")


@pytest.mark.parametrize("share", [0.24, 0.001])
def test_what_the_error_depends_on_far_back_refutes_that_nothing_is_there(share: float) -> None:
    found = made(free(1, 6), free(7, 20, detectable=0.3), lag(21, 59, share=share))
    assert "GR401" not in data(found)
    assert "GR401" in passed(found)


def test_a_dependency_within_reach_leaves_the_far_free() -> None:
    assert data(made(lag(1, 6), *NOTHING[1:], loss=falling)) == {"GR401"}
    assert data(made(lag(2, 8, at=3), free(9, 59), loss=falling)) == {"GR401"}


def test_where_the_gradient_reaches_every_lag_none_lies_beyond() -> None:
    found = made(*NOTHING, looks=LONG)
    assert data(found) == set()
    assert "reaches every lag" in not_judged(found)["GR401"]
    assert {"GR402", "GR403"} <= set(passed(found))


def test_reached_and_unlearned_once_the_loss_rests() -> None:
    found = the(made(lag(40), looks=LONG), "GR403")
    assert found.severity == "warning"
    assert "What is missing is not the gradient's way through time" in found.because
    assert found.evidence["reach"] == pytest.approx(0.99**40)
    assert found.evidence["loss_last"] == pytest.approx(2.0, abs=0.01)
    assert [remedy.id for remedy in found.remedies] == ["one-batch", "wider"]
    assert "hidden_size = 64  # of `model.rnn`, now 32" in found.remedies[1].do


@pytest.mark.parametrize(("ratio", "by"), [(1e-3, None), (1.01e-4, None), (1e-4, "10"), (2e-5, "10")])
def test_a_higher_rate_is_advised_only_where_updates_are_small_and_by_no_more_than_ten_times(
    ratio: float, by: str | None
) -> None:
    found = the(made(lag(40), looks=at(time_look(factor=0.99), *chain(2, update_ratio=ratio))), "GR403")
    rates = [remedy for remedy in found.remedies if remedy.id == "raise-rate"]
    assert [remedy.do.split("  #")[0] for remedy in rates] == ([] if by is None else [f"lr = lr * {by}"])


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (chain(2, weight_grad_norm=0.0), "the gradient of the weights of `model.0` is exactly 0"),
        (chain(6, growth=0.2), "through depth it goes from 0.01 to 6.4e-7"),
        (between(activation("Tanh", saturated=0.9)), "is saturated"),
        ((time_look(factor=0.99, saturated=0.9),), "`model.rnn` is saturated"),
    ],
)
def test_what_else_keeps_the_weights_from_learning_is_not_called_hard(parts: tuple[DepthLook, ...], why: str) -> None:
    found = made(lag(40), looks=at(*((time_look(factor=0.99),) if "rnn" not in why else ()), *parts))
    assert "GR403" not in data(found)
    assert why in not_judged(found)["GR403"]


@pytest.mark.parametrize(("error", "speaks"), [(0.5, True), (0.499, False)])
def test_most_of_the_task_must_be_unlearned(error: float, speaks: bool) -> None:
    assert ("GR403" in data(made(lag(40), looks=LONG, error=error))) == speaks


def test_while_the_loss_falls_there_is_no_verdict() -> None:
    found = made(lag(40), looks=LONG, loss=lambda i: 2.0 - i / 400 + 0.05 * random.Random(i).gauss(0, 1))
    assert data(found) == set()
    assert "the loss still falls" in not_judged(found)["GR403"]


def test_a_lag_out_of_reach_or_cut_off_is_no_hard_task() -> None:
    assert "GR403" not in data(made(lag(3), lag(40)))
    assert "GR403" not in data(made(lag(3), lag(70), looks=LONG, T=120))


@pytest.mark.parametrize("loss", [falling, flat])
@pytest.mark.parametrize("looks", [SHORT, LONG])
def test_a_learned_task_is_silent(looks: tuple[Look, ...], loss: object) -> None:
    """What is left of the error may well depend on everything, and the tanh layer's reach may be short."""
    found = made(lag(3), lag(40, 59, share=0.5), looks=looks, loss=loss, error=0.05)
    assert data(found) == set()


@pytest.mark.parametrize("lags", [NOTHING, (lag(1, 5), free(6, 59)), ()])
@pytest.mark.parametrize("looks", [SHORT, LONG, ()])
def test_healthy_training_yields_no_error_and_no_warning(looks: tuple[Look, ...], lags: tuple[Lag, ...]) -> None:
    assert {finding.severity for finding in findings(made(*lags, looks=looks, loss=falling))} <= {"info"}


def test_each_test_is_judged_by_itself() -> None:
    looks = (*SHORT, *(replace(look, site=1, step=look.step + 1) for look in LONG))
    tests = (dependency(lag(40)), dependency(*NOTHING, site=1, module="model.rnn"), dependency(*NOTHING, module="b"))
    found = [f for f in findings(record(steps(loss=flat), looks, dependency=tests)) if f.code in CODES]
    assert [(f.code, f.where["module"], f.where["site"]) for f in found] == [
        ("GR402", "model.rnn", "train.py:20"),
        ("GR401", "b", "train.py:20"),
    ]


@pytest.mark.parametrize(("factor", "speaks"), [(1.1, True), (1.15, False)])
def test_what_explodes_on_its_way_is_not_called_hard(factor: float, speaks: bool) -> None:
    found = made(lag(40, 44), looks=at(time_look(factor=factor)))  # 1.1⁴⁰ = 45, 1.15⁴⁰ = 268 times the near gradient
    assert ("GR403" in data(found)) == speaks


@pytest.mark.parametrize("code", sorted(CODES))
def test_what_was_lacking_is_said(code: str) -> None:
    few = dependency(why_not="3 sequences are too few")
    lacking = {
        UNASKED: record(steps(), SHORT),
        "not enough data yet: 3 sequences are too few": record(steps(), SHORT, dependency=(few,)),
        "no reach is known where the error was tested": record(steps(), dependency=(dependency(*NOTHING),)),
    }
    for why, found in lacking.items():
        assert not_judged(found)[code] == why
        assert code not in passed(found)


def test_an_unknown_reach_is_no_pass() -> None:
    found = made(lag(40), looks=at(time_look(reach=(1.0, 2.0))))
    assert not_judged(found)["GR402"] == "the error depends on the input 40 steps back, and no reach is known there"
    assert data(found) == set()


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_texts_name_their_sources(code: str) -> None:
    references = " ".join(RULES[code].explain.references)
    for source in (
        "Rao (1948)", "Hemerik, Goeman, Finos (2020)", "Shah, Peters (2020)", "Bell, McCaffrey (2002)",
        "Benjamini, Hochberg (1995)", "Schmidhuber (2001)",
    ):  # fmt: skip
        assert source in references


def test_every_finding_has_what_a_report_needs() -> None:
    found: list[Finding] = [
        the(made(lag(40)), "GR402"),
        the(made(*NOTHING), "GR401"),
        the(made(lag(40), looks=LONG), "GR403"),
    ]
    for finding in found:
        assert finding.remedies
        assert all(remedy.do and remedy.why for remedy in finding.remedies)
        assert {"lags", "q", "horizon", "sequences", "looks"} <= set(finding.evidence)
